//! The life of the process: the only file that knows all the parts.

use std::sync::Arc;

use gatehouse_core::{
    Address, Credentials, Drain, Health, Listener, Service, ServiceSettings, config,
    drain::plan,
    metrics,
    report::{self, ReportSource},
    server::{MESSAGE_BYTES_MAX, Server},
};
use gatehouse_proto::agent::v1::agent_service_server::AgentServiceServer;
use prometheus_client::registry::Registry;

use crate::{
    breaker::Breakers, config::Config, error::Error, grpc::Grpc, http::Http, metrics::Metrics, turn::Tools,
};

/// The agent service, bound and not yet running.
#[derive(Debug)]
pub struct App {
    settings: ServiceSettings,
    listener: Listener,
    credentials: Credentials,
    http: Http,
}

impl App {
    pub(crate) fn new(
        settings: ServiceSettings,
        listener: Listener,
        credentials: Credentials,
        http: Http,
    ) -> Self {
        Self {
            settings,
            listener,
            credentials,
            http,
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
            http,
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
        let config = config::watch::<Config>(&peer(Service::Config), Service::Agent, &drain);
        let (hash, arrived, ready) = (config.clone(), config.clone(), health.clone());
        let source = ReportSource::new(Service::Agent, health.clone()).config_hash(move || hash.hash());
        report::spawn(&peer(Service::Broadcast), source, &drain);
        let end = drain.clone();
        drain.spawn("first configuration", async move {
            tokio::select! { _ = arrived.ready() => ready.serving(), () = end.requested() => () }
        });

        let tools = Tools {
            http,
            breakers: Arc::new(Breakers::default()),
        };
        let grpc = Grpc::new(config, tools, metrics, drain.clone());
        let service = AgentServiceServer::new(grpc).max_decoding_message_size(MESSAGE_BYTES_MAX);
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
