//! What a service is put together with.

use std::{any::Any, convert::Infallible, fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use http::{Request, Response};
use prometheus_client::registry::Registry;
use serde::de::DeserializeOwned;
use tonic::{body::Body, server::NamedService};
use tower::Service as TowerService;

use crate::{
    address::Listener,
    client::Peer,
    clock::Clock,
    config::{self, ConfigHandle},
    credential::Credentials,
    drain::Drain,
    health::Health,
    metrics::{self, Exporter, Sample, Sampled},
    publish::Publisher,
    report::{self, ReportSource},
    server::Server,
    settings::{Service, ServiceSettings},
    trace::otlp,
};

/// Work that is finished while the service still answers, and how long it may take.
pub(super) type Work = (
    Box<dyn FnOnce() -> Duration + Send>,
    Pin<Box<dyn Future<Output = ()> + Send>>,
);

/// The life of one process, while it is put together: what every service has, and where its own parts are registered.
pub struct Life {
    /// What every service is given.
    pub settings: ServiceSettings,
    /// Starts when the end is asked for: nothing new is begun.
    pub requested: Drain,
    /// Starts when the service has finished its own work: what serves, and what feeds it, ends.
    pub closing: Drain,
    /// How the process is.
    pub health: Health,
    /// Every instrument. The name of the service is a label of all.
    pub registry: Registry,
    /// What broadcast is told of this process.
    pub report: ReportSource,
    /// The time of day.
    pub clock: Clock,
    /// What this process shows the others, and knows them by.
    pub credentials: Credentials,
    pub(super) last: Drain,
    pub(super) spans: otlp::Counts,
    samples: Vec<Sample>,
    server: Server,
    work: Option<Work>,
    kept: Vec<Box<dyn Any + Send>>,
}

impl fmt::Debug for Life {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Life")
            .field("settings", &self.settings)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

impl Life {
    pub(super) fn new(
        settings: ServiceSettings,
        credentials: Credentials,
        listener: Listener,
        requested: Drain,
    ) -> Self {
        let health = Health::new();
        let mut registry = metrics::registry(settings.service.name());
        metrics::register_process(&mut registry, Some(health.clone()));
        let server = Server::new(listener, credentials.callers(), health.clone());
        server.register(&mut registry);
        Self {
            spans: otlp::Counts::register(&mut registry),
            report: ReportSource::new(settings.service, health.clone()),
            server,
            closing: requested.later_step(),
            last: requested.later_step(),
            registry,
            samples: Vec::new(),
            clock: Clock::system(),
            work: None,
            kept: Vec::new(),
            settings,
            requested,
            health,
            credentials,
        }
    }

    /// Another service, called as this one.
    #[must_use]
    pub fn peer(&self, service: Service) -> Peer {
        self.credentials.peer(service)
    }

    /// Follows the configuration until the service closes, and reports which revision runs.
    pub fn config<T: DeserializeOwned + Send + Sync + 'static>(&mut self) -> ConfigHandle<T> {
        let handle = config::watch(&self.peer(Service::Config), self.settings.service, &self.closing);
        let hash = handle.clone();
        self.report.config_hash(move || hash.hash());
        handle
    }

    /// Where events go. It is the last to end: whatever runs may still have something to say.
    pub fn publisher(&mut self) -> Publisher {
        Publisher::spawn(self.peer(Service::Broadcast), &self.last)
    }

    /// Offers a gRPC service.
    pub fn serve<S>(&mut self, service: S)
    where
        S: TowerService<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send + 'static>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
    {
        self.server.offer(service);
    }

    /// What the service finishes when the end is asked for, while it still answers, and how long that may take then.
    pub fn before_closing(
        &mut self,
        limit: impl FnOnce() -> Duration + Send + 'static,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        self.work = Some((Box::new(limit), Box::pin(work)));
    }

    /// Brings gauges up to date whenever somebody asks for the metrics.
    pub fn on_scrape<F>(&mut self, sample: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.samples.push(Box::new(move || Box::pin(sample())));
    }

    /// Holds something until everything has ended: a lock, a watch.
    pub fn keep(&mut self, kept: impl Any + Send) {
        self.kept.push(Box::new(kept));
    }

    /// Begins what every service does.
    pub(super) fn begin(self, exporter: Option<Exporter>) -> Begun {
        let broadcast = self.peer(Service::Broadcast);
        let supervised = self.settings.supervised;
        let Self {
            closing,
            health,
            registry,
            samples,
            report,
            server,
            work,
            kept,
            settings,
            last,
            ..
        } = self;
        report::spawn(&broadcast, report, &closing);
        let (log, end) = (health.clone().log(supervised), closing.clone());
        closing.spawn("health log", async move {
            tokio::select! { () = log => (), () = end.requested() => () }
        });
        let source = Arc::new(Sampled { registry, samples });
        if let Some(pushed) = &settings.pushed {
            metrics::begin_to_push(pushed, settings.service, Arc::clone(&source), &last);
        }
        if let Some(exporter) = exporter {
            if let Ok(address) = exporter.address() {
                tracing::debug!(server.address = %address, "metrics are served");
            }
            exporter.serve(source, &closing);
        }
        Begun {
            health,
            server,
            work,
            kept,
        }
    }
}

/// A service that runs.
pub(super) struct Begun {
    pub(super) health: Health,
    pub(super) server: Server,
    pub(super) work: Option<Work>,
    pub(super) kept: Vec<Box<dyn Any + Send>>,
}
