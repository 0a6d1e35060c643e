//! The parts, put together; their beginning and their end.

use std::{net::SocketAddr, sync::Arc};

use gatehouse_contract::Contract;
use gatehouse_core::{
    Chain, Clock, Credentials, Drain, Health, Listener, Service,
    client::Peer,
    config::{self, ConfigHandle},
    health::State,
    metrics as operator,
    net::Gateways,
    report::{self, ReportSource},
    server::Server,
};
use prometheus_client::registry::Registry;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    time::Instant,
};
use tokio_util::task::TaskTracker;

use crate::{
    Error, Settings,
    accept::{self, crowd::Crowd},
    admission::{Bounds, Counter},
    backend::Backend,
    budget::Budgets,
    edge::Edge,
    http::Http,
    hub::{self, Hub},
    metrics::Metrics,
    policy::{Policy, View},
    presence,
    ready::Readiness,
    route,
    settings::Need,
    stop, sweep,
    throttle::Throttle,
    webhook::Webhooks,
};

/// The edge, bound and ready to run.
#[derive(Debug)]
pub struct App {
    settings: Settings,
    credentials: Credentials,
    door: TcpListener,
    address: SocketAddr,
    own: Listener,
    clock: Clock,
}

impl App {
    pub(crate) fn new(
        settings: Settings,
        credentials: Credentials,
        door: TcpListener,
        address: SocketAddr,
        own: Listener,
    ) -> Self {
        Self {
            settings,
            credentials,
            door,
            address,
            own,
            clock: Clock::system(),
        }
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the drain starts, then lets everybody go in order.
    ///
    /// # Errors
    /// When metrics were asked for on an address that cannot be bound.
    pub async fn run(self, drain: Drain) -> Result<(), Error> {
        let Self {
            settings,
            credentials,
            door,
            address,
            own,
            clock,
        } = self;
        let mut registry = Registry::default();
        let metrics = Arc::new(Metrics::new(&mut registry));
        serve_metrics(registry, settings.metrics, &drain).await?;

        let contract = Contract::house();
        // What feeds the connections ends with them, and not when the end is asked for: see `stop`.
        let closing = Drain::new();
        let backend = Backend::new(&credentials);
        let config: ConfigHandle<View> =
            config::watch(backend.peer(Service::Config), Service::Edge, &closing);
        let (policies, policy) = watch::channel(None);
        let limits = settings.limits;
        let edge = Arc::new(Edge {
            id: uuid::Uuid::new_v4().to_string(),
            contract,
            limits,
            hub: Hub::new(contract, Arc::clone(&metrics)),
            backend,
            policy,
            throttle: Throttle::default(),
            counter: Counter::new(Bounds {
                strangers_max: limits.strangers_max,
                strangers_of_one_max: limits.strangers_of_one_max,
                sockets_max: limits.sockets_max,
            }),
            budgets: Budgets::new(limits.waiting_bytes_max),
            shares: Arc::default(),
            parsers: Semaphore::new(route::PARSERS_MAX),
            gateways: Gateways::of_this_network(),
            metrics,
            clock,
            drain: drain.clone(),
            started: Instant::now(),
            config_calls: Arc::default(),
            requests: TaskTracker::new(),
        });
        let broadcast: Peer = edge.backend.peer(Service::Broadcast).clone();
        let (fed_sender, fed) = watch::channel(false);
        let health = Health::new();

        until_drain(&closing, "policy", apply(Arc::clone(&edge), config, policies));
        until_drain(
            &closing,
            "hub",
            hub::follow(Arc::clone(&edge), broadcast.clone(), fed_sender),
        );
        until_drain(
            &closing,
            "presence",
            presence::report(Arc::clone(&edge), broadcast.clone()),
        );
        until_drain(&closing, "sweep", sweep::run(Arc::clone(&edge)));
        until_drain(&closing, "relief", sweep::relieve(Arc::clone(&edge)));
        until_drain(
            &closing,
            "health",
            judge(health.clone(), edge.policy.clone(), fed.clone()),
        );
        let reported = Arc::clone(&edge);
        let source = ReportSource::new(Service::Edge, health.clone())
            .instance(&edge.id)
            .config_hash(move || reported.policy().map(|policy| policy.hash.clone()));
        report::spawn(&broadcast, source, &closing);
        let (server, end) = (
            Server::new(own, credentials.callers(), health.clone()),
            closing.clone(),
        );
        closing.spawn("grpc", async move {
            if let Err(error) = server.run(end).await {
                tracing::error!(error = %Chain(&error), "the edge's own gRPC server ended");
            }
        });

        tracing::info!(server.address = %address, "the door is open");
        let http = Http {
            edge: Arc::clone(&edge),
            readiness: Readiness::default(),
            webhooks: Webhooks::default(),
            crowd: Crowd::default(),
            fed,
            bound: address.ip(),
        };
        accept::run(door, Arc::new(http)).await;
        health.stopping();
        stop::stop(&edge, &broadcast, &closing).await;
        Ok(())
    }
}

async fn serve_metrics(
    registry: Registry,
    wanted: Option<(SocketAddr, Need)>,
    drain: &Drain,
) -> Result<(), Error> {
    let Some((address, need)) = wanted else {
        return Ok(());
    };
    match (operator::serve(registry, address, drain).await, need) {
        (Ok(address), _) => tracing::info!(server.address = %address, "metrics are served"),
        (Err(source), Need::Must) => return Err(Error::Metrics { address, source }),
        (Err(error), Need::May) => {
            tracing::warn!(server.address = %address, error = %error, "metrics are not served; set GATEHOUSE_METRICS_LISTEN");
        }
    }
    Ok(())
}

fn until_drain(drain: &Drain, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
    let end = drain.clone();
    drain.spawn(name, async move {
        tokio::select! { () = task => (), () = end.requested() => () }
    });
}

/// Takes in every revision, and ends the connections that a new one does not allow any more.
async fn apply(
    edge: Arc<Edge>,
    mut config: ConfigHandle<View>,
    policies: watch::Sender<Option<Arc<Policy>>>,
) {
    let drain = edge.drain.clone();
    let mut revision = config.ready().await;
    loop {
        match Policy::new(&revision.hash, &revision.token_digest, &revision.value) {
            Some(policy) => {
                policies.send_replace(Some(Arc::new(policy)));
                let connections = edge.hub.connections();
                let revoked: Vec<_> = connections
                    .iter()
                    .filter(|connection| edge.revoke(connection))
                    .cloned()
                    .collect();
                if !revoked.is_empty() {
                    // The next revision does not wait for answers to the one that made this.
                    let edge = Arc::clone(&edge);
                    let closing = async move { edge.config_calls.close(revoked).await };
                    drain.spawn("revoke", closing);
                }
            }
            None => {
                tracing::error!("the revision carries no digest of the gateway token; the last one stays")
            }
        }
        revision = config.changed().await;
    }
}

/// Keeps the edge's health: it serves when it can check tokens, in part when no events flow.
async fn judge(
    health: Health,
    mut policy: watch::Receiver<Option<Arc<Policy>>>,
    mut fed: watch::Receiver<bool>,
) {
    loop {
        let known = policy.borrow_and_update().is_some();
        let flows = *fed.borrow_and_update();
        health.set(match (known, flows) {
            (false, _) => State::Starting,
            (true, true) => State::Serving,
            (true, false) => State::Degraded("no events flow: the broadcast service is away".to_owned()),
        });
        let changed =
            tokio::select! { changed = policy.changed() => changed, changed = fed.changed() => changed };
        if changed.is_err() {
            return;
        }
    }
}
