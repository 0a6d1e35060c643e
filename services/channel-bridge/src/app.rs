//! The bridge as a whole: the only file that knows all of its parts.

use std::{sync::Arc, time::Duration};

use gatehouse_core::{
    Address, Chain, Clock, Credentials, Drain, Health, Listener, Service, ServiceSettings,
    backup::{self, Gate},
    config,
    drain::plan,
    metrics,
    report::{self, ReportSource},
    server::{MESSAGE_BYTES_MAX, Server},
    sqlite,
};
use gatehouse_proto::{
    broadcast::v1::Component, channel::v1::channel_service_server::ChannelServiceServer,
    session::v1::session_service_client::SessionServiceClient,
};
use prometheus_client::registry::Registry;
use tokio::{
    sync::watch,
    time::{self, MissedTickBehavior, timeout},
};

use crate::{
    account::{Manager, State, manager},
    config::Config,
    error::Error,
    grpc::Channels,
    inbox::Inbox,
    metrics::{Direction, Fate, Metrics},
    outbox::{Outbox, dispatch::AGE_MAX},
    pairing,
    store::{KEEP, OFFER_AGAIN, Sqlite, Store},
};

/// How often it is looked whether the last deliveries have left.
const SEND_LOOK: Duration = Duration::from_millis(20);
/// Deliveries of an account that are looked at then: they are ordered by time, so the first says whether any is due.
const SEND_HEADS: u32 = 1;
/// Old rows go, and deliveries that nobody can send any more are given up on.
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// A bridge that is bound and does not run yet.
#[derive(Debug)]
pub struct App {
    settings: ServiceSettings,
    listener: Listener,
    credentials: Credentials,
    store: Sqlite,
    clock: Clock,
}

impl App {
    /// A bridge on this listener and store.
    pub fn new(
        settings: ServiceSettings,
        listener: Listener,
        credentials: Credentials,
        store: Sqlite,
        clock: Clock,
    ) -> Self {
        Self {
            settings,
            listener,
            credentials,
            store,
            clock,
        }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the socket does not say.
    pub fn address(&self) -> Result<Address, Error> {
        self.listener.address().map_err(Error::Listen)
    }

    /// Runs until the drain, then ends in order: what is due is sent for at most [`plan::SEND`], then no new calls, then the
    /// accounts, then the store.
    ///
    /// # Errors
    /// When it cannot serve.
    pub async fn run(self, requested: Drain) -> Result<(), Error> {
        let Self {
            settings,
            listener,
            credentials,
            store,
            clock,
        } = self;
        let drain = Drain::new(); // starts when what is due is sent
        let database = store.database().clone();
        let store: Arc<dyn Store> = Arc::new(store);
        let peer = |service| credentials.peer(service);
        let (metrics, health) = (Metrics::default(), Health::new());
        if let Some(address) = settings.metrics {
            let mut registry = Registry::default();
            metrics.register(&mut registry);
            database.register(&mut registry);
            metrics::serve(registry, address, &drain)
                .await
                .map_err(Error::Listen)?;
        }

        let config = config::watch::<Config>(&peer(Service::Config), Service::ChannelBridge, &drain);
        let outbox = Outbox::new(Arc::clone(&store), clock.clone(), metrics.clone());
        // Made before the inbox, which reads it, and filled by the accounts, which need the inbox.
        let (view, seen) = watch::channel(None);
        let session = SessionServiceClient::new(peer(Service::Session).service())
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let inbox = Inbox::new(
            Arc::clone(&store),
            Arc::new(session),
            outbox.clone(),
            seen,
            clock.clone(),
            metrics.clone(),
        );
        inbox.spawn(&drain);
        let tools = manager::Tools {
            store: Arc::clone(&store),
            outbox: outbox.clone(),
            sink: Arc::new(inbox),
            clock: clock.clone(),
            metrics: metrics.clone(),
        };
        let manager = Manager::spawn(config.clone(), tools, view, &drain);

        let (hash, parts) = (config.clone(), manager.clone());
        let source = ReportSource::new(Service::ChannelBridge, health.clone())
            .config_hash(move || hash.hash())
            .components(move || components(&parts));
        report::spawn(&peer(Service::Broadcast), source, &drain);
        sqlite::keep_health(
            database.clone(),
            sqlite::Timing::default(),
            health.clone(),
            || Ok(()),
            &drain,
        );
        spawn_sweep(Arc::clone(&store), clock.clone(), metrics, &drain);

        let (parts, outgoing, time) = (manager.clone(), Arc::clone(&store), clock.clone());
        let (stopping, ended) = (health.clone(), drain.clone());
        drain.spawn("end", async move {
            tokio::select! { () = requested.requested() => {}, () = ended.requested() => return }
            stopping.stopping();
            if timeout(plan::SEND, sent(&parts, &*outgoing, &time))
                .await
                .is_err()
            {
                tracing::warn!("some deliveries have not left; they are sent after the next start");
            }
            ended.start();
        });
        let gate = Gate::default();
        let copies = backup::server(database, gate.clone(), &drain);
        let channels = ChannelServiceServer::new(Channels::new(manager, outbox, store, clock, gate))
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let served = Server::new(listener, credentials.callers(), health)
            .add(channels)
            .add(copies)
            .run(drain.clone())
            .await;
        if !drain.finish(plan::TASKS).await {
            tracing::warn!("some parts did not end within the grace period");
        }
        served.map_err(Error::Serve)
    }
}

/// Waits until no account that is connected has a delivery that is due.
async fn sent(manager: &Manager, store: &dyn Store, clock: &Clock) {
    loop {
        let accounts = manager
            .view()
            .map(|view| view.accounts.clone())
            .unwrap_or_default();
        let connected = accounts
            .iter()
            .filter(|(_, entry)| matches!(entry.progress.snapshot().state, State::Connected));
        let mut due = false;
        for (account, _) in connected {
            due |= match store.outbox_heads(account.clone(), SEND_HEADS).await {
                Ok(heads) => heads.iter().any(|delivery| delivery.next_at <= clock.now_ms()),
                Err(error) => {
                    tracing::error!(error = %Chain(&error), "the outbox cannot be read");
                    false
                }
            };
        }
        if !due {
            return;
        }
        time::sleep(SEND_LOOK).await;
    }
}

/// Channel accounts, as parts that can fail alone. What nobody wants to run is no fault.
fn components(manager: &Manager) -> Vec<Component> {
    let Ok(view) = manager.view() else {
        return Vec::new();
    };
    let component = |(key, entry): (&crate::adapter::AccountKey, &crate::account::Entry)| {
        let snapshot = entry.progress.snapshot();
        let ok = !entry.config.enabled || matches!(snapshot.state, State::Connected | State::Stopped);
        let detail = (!ok).then(|| {
            snapshot
                .last_error
                .unwrap_or_else(|| snapshot.state.as_str().to_owned())
        });
        Component {
            name: key.to_string(),
            ok,
            detail,
        }
    };
    view.accounts.iter().map(component).collect()
}

fn spawn_sweep(store: Arc<dyn Store>, clock: Clock, metrics: Metrics, drain: &Drain) {
    let end = drain.clone();
    drain.spawn("store sweep", async move {
        let mut every = time::interval(SWEEP_EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! { _ = every.tick() => {}, () = end.requested() => return }
            let now = clock.now_ms();
            match store.expire_deliveries(clock.before(AGE_MAX), now).await {
                Ok(channels) => {
                    if !channels.is_empty() {
                        tracing::warn!(
                            count = channels.len(),
                            "replies waited for more than a day and were given up on: dead letters, `channels.status` counts them"
                        );
                    }
                    channels
                        .iter()
                        .for_each(|channel| metrics.count(channel, Direction::Out, Fate::Expired));
                }
                Err(error) => tracing::error!(error = %Chain(&error), "old deliveries cannot be given up on"),
            }
            if let Err(error) = pairing::waiting(store.as_ref(), &clock).await {
                tracing::error!(error = %Chain(&error), "old pairing requests cannot be removed");
            }
            if let Err(error) = store.prune(clock.before(KEEP), clock.before(OFFER_AGAIN)).await {
                tracing::error!(error = %Chain(&error), "old rows cannot be removed");
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gatehouse_core::{
        Credentials, Drain, Failure, Identity, Kind, Service, ServiceSettings, credential::Credential,
    };
    use gatehouse_proto::channel::v1::{
        GetChannelsStatusRequest, channel_service_client::ChannelServiceClient,
    };

    use crate::{Error, Settings, testing::until};

    #[tokio::test]
    async fn the_bridge_serves_without_its_peers_and_ends_when_asked() {
        let home = tempfile::tempdir().unwrap();
        let settings = ServiceSettings::for_tests(home.path(), Service::ChannelBridge);
        // It waits for its credential, which somebody else makes.
        let waits = tokio::spawn(Settings::of(settings.clone()).build());
        tokio::task::yield_now().await;
        Credentials::make(&settings).unwrap();
        let app = waits.await.unwrap().unwrap();
        let operator = Credential::load(&settings.house, Identity::Operator).unwrap();
        let second = Settings::of(settings.clone()).build().await;
        assert!(
            matches!(second, Err(Error::Store(_))),
            "one process owns the store"
        );
        let (address, drain) = (app.address().unwrap(), Drain::new());
        let running = tokio::spawn(app.run(drain.clone()));

        let client = ChannelServiceClient::new(operator.peer(Service::ChannelBridge, &address).service());
        let refusal = until("an answer of its own", async || {
            let status = client
                .clone()
                .get_channels_status(GetChannelsStatusRequest::default())
                .await
                .unwrap_err();
            Some(Failure::from_status(&status)).filter(|failure| failure.message.contains("configuration"))
        })
        .await;
        assert_eq!(refusal.kind, Kind::Unavailable);

        drain.start();
        tokio::time::timeout(Duration::from_secs(10), running)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }
}
