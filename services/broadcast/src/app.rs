//! The life of the process: the only file that knows all the parts.

use std::{sync::Arc, time::Duration};

use gatehouse_core::{
    Address, Clock, Credentials, Drain, Health, Listener, Service, ServiceSettings, config,
    drain::plan,
    metrics,
    report::{self, ReportSource},
    server::{MESSAGE_BYTES_MAX, Server},
};
use gatehouse_proto::broadcast::v1::broadcast_service_server::BroadcastServiceServer;
use prometheus_client::registry::Registry;
use serde::Deserialize;
use tokio::time::{MissedTickBehavior, interval};

use crate::{error::Error, grpc::Grpc, hub::Hub, living::Living, metrics::Metrics};

/// How often silence is looked for: small against the lease of 15 seconds.
const SWEEP: Duration = Duration::from_secs(1);

/// How often health is told although nothing changed (protocol.md of v4: every 60 seconds).
const HEALTH_REPEAT: Duration = Duration::from_secs(60);

/// Broadcast, bound and not yet running.
#[derive(Debug)]
pub struct App {
    settings: ServiceSettings,
    listener: Listener,
    credentials: Credentials,
    hub: Arc<Hub>,
}

/// Broadcast follows the configuration only to say which revision it runs.
#[derive(Debug, Deserialize)]
struct Nothing {}

impl App {
    pub(crate) fn new(
        settings: ServiceSettings,
        listener: Listener,
        credentials: Credentials,
        clock: Clock,
    ) -> Self {
        Self {
            settings,
            listener,
            credentials,
            hub: Arc::new(Hub::new(clock)),
        }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn address(&self) -> std::io::Result<Address> {
        self.listener.address()
    }

    /// Serves until the drain starts.
    ///
    /// # Errors
    /// When it cannot serve.
    pub async fn run(self, drain: Drain) -> Result<(), Error> {
        let Self {
            settings,
            listener,
            credentials,
            hub,
        } = self;
        let mut registry = Registry::default();
        let metrics = Metrics::registered(&mut registry);
        if let Some(address) = settings.metrics {
            let bound = metrics::serve(registry, address, &drain).await;
            bound.map_err(|source| Error::Bind {
                address: address.to_string(),
                source,
            })?;
        }

        let health = Health::new();
        let peer = |service| credentials.peer(service);
        let config = config::watch::<Nothing>(&peer(Service::Config), Service::Broadcast, &drain);
        let source = ReportSource::new(Service::Broadcast, health.clone()).config_hash(move || config.hash());
        report::spawn(&peer(Service::Broadcast), source, &drain);
        drain.spawn("sweep", sweep(Arc::clone(&hub), drain.clone()));

        let grpc = Grpc {
            hub,
            living: Living::new(peer),
            metrics,
            drain: drain.clone(),
        };
        let service = BroadcastServiceServer::new(grpc).max_decoding_message_size(MESSAGE_BYTES_MAX);
        health.serving();
        let served = Server::new(listener, credentials.callers(), health)
            .add(service)
            .run(drain.clone())
            .await;
        if !drain.finish(plan::TASKS).await {
            tracing::warn!("some tasks did not end in time");
        }
        Ok(served?)
    }
}

async fn sweep(hub: Arc<Hub>, drain: Drain) {
    let (mut sweeps, mut repeats) = (interval(SWEEP), interval(HEALTH_REPEAT));
    sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    repeats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = sweeps.tick() => hub.expire(),
            _ = repeats.tick() => hub.repeat_health(),
            () = drain.requested() => return,
        }
    }
}

#[cfg(test)]
mod tests;
