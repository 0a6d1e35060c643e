//! The service, put together: the only file that knows all the parts.

use std::{sync::Arc, time::Duration};

use gatehouse_contract::Map;
use gatehouse_core::{
    Drain, Env, Service, ServiceSettings, bus,
    server::MESSAGE_BYTES_MAX,
    service::{self, Life},
    settings::SettingsError,
};
use gatehouse_proto::{
    broadcast::v1::{
        broadcast_service_server::BroadcastServiceServer, system_service_server::SystemServiceServer,
    },
    plugin::v1::plugin_service_server::PluginServiceServer,
};
use serde::Deserialize;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval, sleep, sleep_until},
};

use crate::{
    conversations::Conversations,
    grpc::Grpc,
    hub::Hub,
    living::Living,
    metrics::Metrics,
    plugins::{self, Plugins},
    system,
};

/// How often health is told although nothing changed (protocol.md of v4: every 60 seconds).
const HEALTH_REPEAT: Duration = Duration::from_secs(60);

/// How often the services are asked whether they answer, while somebody watches: two looks without an answer are told within 15
/// seconds. Signs of life are rarer, because they come from idle processes as well.
const LOOK: Duration = Duration::from_secs(6);

/// The pause after a change could not be announced.
const ANNOUNCE_AGAIN: Duration = Duration::from_secs(1);

/// Broadcast.
#[derive(Debug)]
pub struct App;

/// Broadcast follows the configuration only to say which revision it runs.
#[derive(Debug, Deserialize)]
struct Nothing {}

impl service::App for App {
    const SERVICE: Service = Service::Broadcast;

    type Settings = ();

    fn read(_: &Env) -> Result<(), SettingsError> {
        Ok(())
    }

    async fn open((): (), _: &ServiceSettings) -> Result<Self, service::Error> {
        Ok(Self)
    }

    fn assemble(self, life: &mut Life) {
        let metrics = Metrics::default();
        metrics.register(&mut life.registry);
        life.config::<Nothing>();
        let bus = Arc::new(bus::Memory::new()); // the only line that names an implementation
        let (map, events) = watch::channel(Arc::clone(Map::core()));
        let plugins = Arc::new(Plugins::new(map));
        let hub = Arc::new(Hub::new(bus, life.clock.clone(), events));
        let living = Arc::new(Living::new(|service| life.peer(service)));
        let sweep = sweep(Arc::clone(&hub), Arc::clone(&living), life.closing.clone());
        life.closing.spawn("sweep", sweep);
        let (keeps, shown) = (Arc::clone(&hub), metrics.clone());
        life.on_scrape(move || {
            if let Some(kept) = keeps.kept() {
                shown.kept(kept);
            }
            std::future::ready(())
        });
        let system = system::Grpc::new(&life.settings.home, life.clock.clone(), hub.history());
        life.serve(SystemServiceServer::new(system).max_encoding_message_size(MESSAGE_BYTES_MAX));
        let of_plugins = plugins::Grpc {
            plugins: Arc::clone(&plugins),
            hub: Arc::clone(&hub),
        };
        life.serve(PluginServiceServer::new(of_plugins).max_decoding_message_size(MESSAGE_BYTES_MAX));
        let grpc = Grpc {
            hub,
            plugins,
            living,
            conversations: Conversations::new(life.peer(Service::Session).service()),
            metrics,
            drain: life.closing.clone(),
        };
        life.serve(BroadcastServiceServer::new(grpc).max_decoding_message_size(MESSAGE_BYTES_MAX));
        life.health.serving();
    }
}

async fn sweep(hub: Arc<Hub>, living: Arc<Living>, drain: Drain) {
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut repeats = interval(HEALTH_REPEAT);
    repeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_watched = hub.is_watched();
        tokio::select! {
            () = sleep_until(hub.due()) => hub.expire().await,
            _ = repeats.tick() => hub.repeat_health().await,
            _ = looks.tick(), if is_watched => hub.answered(&living.ask().await).await,
            () = hub.watched(), if !is_watched => {} // the next look is now
            () = hub.untold() => while !hub.announce().await && !drain.is_requested() {
                sleep(ANNOUNCE_AGAIN).await;
            },
            () = drain.requested() => return,
        }
    }
}

#[cfg(test)]
mod tests;
