//! The parts, put together; their beginning and their end.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use gatehouse_core::{
    Drain, Env, Health, Service, ServiceSettings,
    client::Peer,
    config::ConfigHandle,
    drain::plan,
    health::State,
    net::Gateways,
    service::{self, Life},
    settings::SettingsError,
};
use gatehouse_document::Document;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    time::Instant,
};
use tokio_util::task::TaskTracker;

use crate::{
    Error, Settings, accept,
    admission::{Bounds, Counter},
    announce::announce,
    backend::Backend,
    backend::offer::Offer,
    budget::Budgets,
    call,
    edge::Edge,
    feed, handshake,
    http::{
        Http, Server as HttpServer, calls::Calls, hooks::Hooks, media::Readers, plugin::Requests, ui::Files,
        webhook::Webhooks,
    },
    hub::Hub,
    metrics::Metrics,
    pending,
    plugin_board::Board,
    plugins,
    policy::Policy,
    presence,
    ready::Readiness,
    revision,
    settings::{self, METRICS},
    stop, sweep,
    throttle::Throttle,
    tls::{self, Terminator},
};

/// The edge, with the listener that clients connect to.
#[derive(Debug)]
pub struct App {
    settings: Settings,
    listener: TcpListener,
    /// Of this machine, beside one that is not.
    loopback: Option<TcpListener>,
    address: SocketAddr,
    offers: watch::Sender<Arc<Offer>>,
}

impl App {
    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it offers. Whoever registers plugins sends the next offer here: new connections are told of it, and every
    /// connection can call what is in it.
    #[must_use]
    pub fn offers(&self) -> watch::Sender<Arc<Offer>> {
        self.offers.clone()
    }
}

impl service::App for App {
    const SERVICE: Service = Service::Edge;

    const METRICS_DEFAULT: Option<SocketAddr> = Some(METRICS);

    type Settings = Settings;

    fn read(env: &Env) -> Result<Settings, SettingsError> {
        Settings::read(env)
    }

    async fn open(settings: Settings, _: &ServiceSettings) -> Result<Self, service::Error> {
        let bind = |source| {
            service::Error::open(Error::Bind {
                address: settings.public,
                source,
            })
        };
        let listener = settings::listen(settings.public).map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let loopback = settings::beside(address).and_then(|beside| {
            let listening = settings::listen(beside).inspect_err(|error| {
                tracing::warn!(%error, server.address = %beside, "programs on this machine reach the gateway by its own address alone");
            });
            listening.ok()
        });
        Ok(Self {
            settings,
            listener,
            loopback,
            address,
            offers: watch::Sender::new(Arc::new(Offer::core())),
        })
    }

    /// When the end is asked for, no socket is accepted any more, and everybody is let go in order: see `stop`.
    fn assemble(self, life: &mut Life) {
        let Self {
            settings: Settings {
                limits, control_ui, ..
            },
            listener,
            loopback,
            address,
            offers,
        } = self;
        let metrics = Arc::new(Metrics::default());
        metrics.register(&mut life.registry);

        // What feeds the connections ends with them, and not when the end is asked for: see `stop`.
        let closing = life.closing.clone();
        let config: ConfigHandle<Document> = life.config();
        let running = config.clone();
        let (policies, policy) = watch::channel(None);
        let edge = Arc::new(Edge {
            id: life.report.instance_id().to_owned(),
            offers: offers.subscribe(),
            limits,
            control_ui,
            hub: Hub::new(offers.subscribe(), Arc::clone(&metrics)),
            backend: Backend::new(&life.credentials, offers.subscribe()),
            plugins: Board::default(),
            policy,
            throttle: Throttle::default(),
            counter: Counter::new(Bounds {
                unauthenticated_max: limits.unauthenticated_max,
                unauthenticated_of_one_max: limits.unauthenticated_of_one_max,
                sockets_max: limits.sockets_max,
            }),
            budgets: Budgets::new(limits.waiting_bytes_max),
            shares: Arc::default(),
            parsers: Semaphore::new(call::PARSERS_MAX),
            decisions: Semaphore::new(handshake::DECISIONS_MAX),
            gateways: Gateways::of_this_network(),
            tls: Arc::new(Terminator::new(
                tls::folder(&life.settings.home.path),
                life.settings.home.run.join(tls::FINGERPRINT),
            )),
            is_alone: address.ip().to_canonical().is_loopback(),
            metrics,
            clock: life.clock.clone(),
            drain: life.requested.clone(),
            started: Instant::now(),
            config_calls: Arc::default(),
            requests: TaskTracker::new(),
        });
        let bounded = Arc::clone(&edge);
        life.on_scrape(move || {
            bounded
                .metrics
                .bounds(bounded.limits.sockets_max, &bounded.budgets);
            std::future::ready(())
        });
        let broadcast: Peer = edge.backend.peer(Service::Broadcast).clone();
        let (fed_sender, fed) = watch::channel(false);

        until_drain(
            &closing,
            "plugins",
            plugins::follow(
                Arc::clone(&edge),
                config.clone(),
                offers,
                plugins::Places::of(&life.settings.home),
            ),
        );
        until_drain(
            &closing,
            "plugin report",
            plugins::report(Arc::clone(&edge), broadcast.clone()),
        );
        until_drain(
            &closing,
            "policy",
            revision::follow(Arc::clone(&edge), config, policies),
        );
        until_drain(
            &closing,
            "hub",
            feed::follow(Arc::clone(&edge), broadcast.clone(), fed_sender),
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
            follow_health(life.health.clone(), edge.policy.clone(), fed.clone()),
        );
        let reported = Arc::clone(&edge);
        // A revision without a digest of the token is followed and not applied.
        life.report
            .config_hash(move || reported.policy().map(|policy| policy.hash.clone()));

        let (begun, told) = (OnceLock::new(), Arc::clone(&edge));
        life.report.components(move || {
            let revision = running.current();
            let mut parts = pending::components(&begun, revision.as_ref().map(|revision| &revision.value));
            parts.extend(plugins::components(&told.plugins));
            parts
        });

        tracing::info!(server.address = %address, "listening");
        let server = Arc::new(HttpServer::new(Http {
            edge: Arc::clone(&edge),
            readiness: Readiness::default(),
            webhooks: Webhooks::default(),
            hooks: Hooks::default(),
            calls: Calls::new(&limits),
            readers: Readers::default(),
            plugin_requests: Requests::default(),
            files: Files::default(),
            fed,
            bound: address.ip(),
        }));
        for listener in std::iter::once(listener).chain(loopback) {
            life.requested
                .spawn("accept", accept::run(listener, Arc::clone(&server)));
        }
        let limited = Arc::clone(&edge);
        life.before_closing(move || stop::answers(&limited) + plan::FIRST, async move {
            stop::stop(&edge, &broadcast).await
        });
        life.keep(announce(&life.settings.home.url_file(), address));
    }
}

fn until_drain(drain: &Drain, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
    let end = drain.clone();
    drain.spawn(name, async move {
        tokio::select! { () = task => (), () = end.requested() => () }
    });
}

/// Keeps the edge's health: it serves when it can check tokens, in part when no events flow.
async fn follow_health(
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
