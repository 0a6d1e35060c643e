//! The only file that knows all the parts.

use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::config::{self, ConfigHandle};
use gatehouse_core::drain::plan;
use gatehouse_core::publish::Publisher;
use gatehouse_core::report::{self, ReportSource};
use gatehouse_core::server::{MESSAGE_BYTES_MAX, Server};
use gatehouse_core::{Address, Chain, Clock, Credentials, Drain, Health, Listener, Service, backup, sqlite};
use gatehouse_proto::session::v1::session_service_server::SessionServiceServer;
use prometheus_client::registry::Registry;
use tokio::sync::{Notify, watch};
use tokio::time::{self, timeout};

use crate::config::SessionConfig;
use crate::delivery::Dispatcher;
use crate::error::Error;
use crate::grpc::Grpc;
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::settings::Settings;
use crate::store::Store;
use crate::store::sqlite::SqliteStore;
use crate::turn::{Engine, Parts, Timing};

/// How often old rows are looked for.
const PRUNE: Duration = Duration::from_secs(600);
/// How long a key against doubles is kept: demands.md, item 2.
const KEEP_MS: i64 = 7 * 24 * 60 * 60 * 1000;
/// The pause between two steps of forgetting, so that others get at the writer.
const PRUNE_PAUSE: Duration = Duration::from_millis(200);
/// How often it is looked whether the bridge has the last replies.
const HAND_OVER_LOOK: Duration = Duration::from_millis(20);

/// The session service, bound and not yet running.
#[derive(Debug)]
pub struct App {
    settings: Settings,
    listener: Listener,
    credentials: Credentials,
    store: Arc<SqliteStore>,
    timing: Timing,
    clock: Clock,
}

impl Settings {
    /// Opens the store and binds the address; nothing runs yet.
    ///
    /// # Errors
    /// When the credentials, the database or the address cannot be used.
    pub async fn build(self) -> Result<App, Error> {
        let credentials = Credentials::load(&self.service)
            .await
            .map_err(start("the credentials"))?;
        let store = SqliteStore::open(&self.database)?;
        let listener = Listener::bind(&self.service.listen)
            .await
            .map_err(start("the address"))?;
        Ok(App {
            settings: self,
            listener,
            credentials,
            store: Arc::new(store),
            timing: Timing::default(),
            clock: Clock::system(),
        })
    }
}

impl App {
    /// Where it listens.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn address(&self) -> Result<Address, Error> {
        self.listener.address().map_err(start("the address"))
    }

    /// Other times, for tests.
    #[must_use]
    pub fn with_timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// Serves until the drain. Then it takes nothing new, lets answers under way end, hands their replies to the bridge, and
    /// only then closes: until there is nothing left to say, whoever waits for it can ask.
    ///
    /// # Errors
    /// When serving fails.
    pub async fn run(self, drain: Drain) -> Result<(), Error> {
        let Self {
            settings,
            listener,
            credentials,
            store,
            timing,
            clock,
        } = self;
        let peer = |service| credentials.peer(service);
        let metrics = Metrics::default();
        let mut registry = Registry::default();
        metrics.register(&mut registry);
        store.database().register(&mut registry);

        // What serves ends when the turns have, and events when nobody is left who could say anything.
        let (serving, last) = (Drain::new(), Drain::new());
        let publisher = Publisher::spawn(peer(Service::Broadcast), &last);
        let config = config::watch::<SessionConfig>(&peer(Service::Config), Service::Session, &serving);
        let (policy, policies) = watch::channel(None);
        let replies = Arc::new(Notify::new());
        let engine = Engine::new(Parts {
            store: Arc::clone(&store),
            agent: peer(Service::Agent).service(),
            publisher,
            policy: policies,
            clock: clock.clone(),
            timing,
            replies: Arc::clone(&replies),
            metrics: metrics.clone(),
            drain: drain.clone(),
        });
        let bridge = peer(Service::ChannelBridge).service();
        let dispatcher = Dispatcher::new(engine.clone(), bridge, replies, clock.clone(), metrics);

        let health = Health::new();
        let service = SessionServiceServer::new(Grpc::new(engine.clone(), serving.clone()))
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        // Nothing of another service is stored here that is not offered again: its gate stays open.
        let copies = backup::server(store.database().clone(), backup::Gate::default(), &serving);
        let server = Server::new(listener, credentials.callers(), health.clone())
            .add(service)
            .add(copies);
        let hash = config.clone();
        let source = ReportSource::new(Service::Session, health.clone()).config_hash(move || hash.hash());
        report::spawn(&peer(Service::Broadcast), source, &serving);
        if let Some(address) = settings.service.metrics {
            gatehouse_core::metrics::serve(registry, address, &serving)
                .await
                .map_err(start("the metrics address"))?;
        }

        serving.spawn("policy", follow(config, policy, serving.clone()));
        serving.spawn("replies", dispatcher.run(serving.clone()));
        drain.spawn("turns", engine.clone().run(true)); // the store's lock proves that the others are dead
        let configured = engine.clone();
        let ready = move || match configured.policy() {
            Ok(_) => Ok(()),
            Err(_) => Err("the configuration is not known yet".to_owned()),
        };
        sqlite::keep_health(
            store.database().clone(),
            sqlite::Timing::default(),
            health.clone(),
            ready,
            &serving,
        );
        drain.spawn("prune", prune(Arc::clone(&store), clock.clone(), drain.clone()));

        let end = async {
            drain.requested().await;
            health.stopping();
            let limit = engine.drain_limit();
            tracing::info!(answers = engine.running(), limit = ?limit, "stopping: answers under way may end first");
            if !drain.finish(limit + 2 * plan::CUT_SHORT).await {
                tracing::warn!("some tasks were still under way when the time for answers was over");
            }
            if timeout(plan::HAND_OVER, handed_over(&store, &clock))
                .await
                .is_err()
            {
                tracing::warn!(
                    "the bridge has not taken every reply; they are offered again at the next start"
                );
            }
            serving.start();
        };
        let server = server.run(serving.clone());
        tokio::pin!(end, server);
        let served = tokio::select! {
            served = &mut server => {
                drain.start();
                end.await;
                served
            }
            () = &mut end => server.await,
        };
        if !serving.finish(plan::TASKS).await {
            tracing::warn!("some tasks did not end in time");
        }
        last.finish(plan::LAST_EVENTS).await;
        served.map_err(start("serving"))
    }
}

/// Waits until no reply waits for the bridge. One that the bridge has put off is not waited for.
async fn handed_over(store: &SqliteStore, clock: &Clock) {
    loop {
        match store.deliveries(clock.now_ms(), 1).await {
            Ok(waiting) if waiting.is_empty() => return,
            Ok(_) => {}
            Err(error) => {
                tracing::error!(error = %Chain(&error), "replies could not be read");
            }
        }
        time::sleep(HAND_OVER_LOOK).await;
    }
}

fn start<E: std::error::Error + Send + Sync + 'static>(step: &'static str) -> impl FnOnce(E) -> Error {
    move |cause| Error::Start {
        step,
        cause: Box::new(cause),
    }
}

/// Reads each revision once, for everybody.
async fn follow(
    mut config: ConfigHandle<SessionConfig>,
    policy: watch::Sender<Option<Arc<Policy>>>,
    drain: Drain,
) {
    loop {
        if let Some(revision) = config.current() {
            policy.send_replace(Some(Arc::new(Policy::read(&revision.value))));
        }
        tokio::select! {
            () = drain.requested() => return,
            _ = config.changed() => {}
        }
    }
}

async fn prune(store: Arc<SqliteStore>, clock: Clock, drain: Drain) {
    loop {
        let pause = match store.prune(clock.now_ms() - KEEP_MS).await {
            Ok(0) => PRUNE,
            Ok(_) => PRUNE_PAUSE,
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "old rows could not be forgotten");
                PRUNE
            }
        };
        tokio::select! {
            () = drain.requested() => return,
            () = time::sleep(pause) => {}
        }
    }
}
