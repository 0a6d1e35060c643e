//! The service, put together: the only file that knows all the parts.

use std::sync::Arc;

use gatehouse_core::{
    Env, Service, ServiceSettings,
    server::MESSAGE_BYTES_MAX,
    service::{self, Life},
    settings::SettingsError,
};
use gatehouse_proto::agent::v1::{
    agent_service_server::AgentServiceServer, model_auth_service_server::ModelAuthServiceServer,
};

use crate::{auth, config::Config, failing::Failing, grpc::Grpc, http::Http, metrics::Metrics, turn::Tools};

/// The agent service. The process must have chosen its TLS provider.
#[derive(Debug)]
pub struct App {
    http: Http,
}

impl service::App for App {
    const SERVICE: Service = Service::Agent;

    type Settings = ();

    fn read(_: &Env) -> Result<(), SettingsError> {
        Ok(())
    }

    async fn open((): (), _: &ServiceSettings) -> Result<Self, service::Error> {
        let http = Http::new().map_err(service::Error::open)?;
        Ok(Self { http })
    }

    fn assemble(self, life: &mut Life) {
        let metrics = Metrics::default();
        metrics.register(&mut life.registry);
        let config = life.config::<Arc<Config>>();
        let failing = Arc::new(Failing::new(life.health.clone()));
        let parts = Arc::clone(&failing);
        life.report.components(move || parts.components());
        let (mut arrived, ready, end) = (config.clone(), Arc::clone(&failing), life.closing.clone());
        life.closing.spawn("configuration", async move {
            tokio::select! { _ = arrived.ready() => (), () = end.requested() => return }
            loop {
                ready.configured();
                tokio::select! { _ = arrived.changed() => (), () = end.requested() => return }
            }
        });
        let tools = Tools::new(self.http, metrics.clone(), failing);
        let (known, breakers, shown) = (config.clone(), Arc::clone(&tools.breakers), metrics.clone());
        life.on_scrape(move || {
            if let Some(config) = known.current() {
                shown.providers(config.value.providers.keys().cloned(), &breakers.shown());
            }
            std::future::ready(())
        });
        let auth = auth::Grpc::new(config.clone(), life.clock.clone());
        life.serve(ModelAuthServiceServer::new(auth));
        let grpc = Grpc::new(config, tools, metrics, life.closing.clone());
        life.serve(
            AgentServiceServer::new(grpc)
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX),
        );
    }
}
