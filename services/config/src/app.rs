//! The only file that knows all the parts.

use std::fs::File;

use gatehouse_core::{
    Address, Clock, Credentials, Drain, Health, House, Listener, Service, ServiceSettings, credential,
    drain::plan,
    metrics as instruments, private,
    publish::Publisher,
    report::{self, ReportSource},
    server::{MESSAGE_BYTES_MAX, Server},
};
use gatehouse_proto::{broadcast::v1::Component, config::v1::config_service_server::ConfigServiceServer};
use prometheus_client::registry::Registry;

use crate::{
    error::Error,
    grpc::Grpc,
    keeper::{Keeper, sources_of, store_of},
    metrics::Metrics,
    refusal::ConfigError,
    registry::{self, complaint},
    settings::Settings,
    watcher,
};

/// The config service, bound and not yet running.
#[derive(Debug)]
pub struct App {
    service: ServiceSettings,
    listener: Listener,
    address: Address,
    credentials: Credentials,
    keeper: Keeper,
    /// Held as long as the process lives: two writers would undo each other's work.
    lock: File,
}

impl Settings {
    /// Reads the configuration, follows its references, and binds; nothing runs yet.
    ///
    /// # Errors
    /// When the configuration cannot run, another config service works on the same files, or the address is taken.
    pub async fn build(self) -> Result<App, Error> {
        let Self { service, env } = self;
        let lock = lock(&service)?;
        let credentials = Credentials::make(&service).map_err(|error| unusable(&service.house, &error))?;
        credential::remove_shared(&service.house);
        let (store, sources) = (store_of(&service.house), sources_of(&service.house, &env));
        let keeper = Keeper::start(store, sources, Clock::system())?;
        for open in keeper.store().open_paths() {
            tracing::warn!("{open}");
        }
        let listener = Listener::bind(&service.listen)
            .await
            .map_err(start("the config service cannot listen"))?;
        let address = listener
            .address()
            .map_err(start("the config service cannot listen"))?;
        Ok(App {
            service,
            listener,
            address,
            credentials,
            keeper,
            lock,
        })
    }
}

impl App {
    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Serves until the drain starts.
    ///
    /// # Errors
    /// When it cannot serve.
    pub async fn run(self, drain: Drain) -> Result<(), Error> {
        let Self {
            service,
            listener,
            address: _,
            credentials,
            keeper,
            lock,
        } = self;
        let (health, metrics) = (Health::new(), Metrics::default());
        let mut registry = Registry::default();
        metrics.register(&mut registry);

        let broadcast = credentials.peer(Service::Broadcast);
        let publisher = Publisher::spawn(&broadcast, &drain);
        let (watcher, signs) = watcher::watch(keeper.store().document());
        let path = keeper.store().document().display().to_string();
        let handle = registry::spawn(keeper, signs, publisher, health.clone(), metrics, &drain);

        let (hash, file) = (handle.clone(), handle.clone());
        let source = ReportSource::new(Service::Config, health.clone())
            .config_hash(move || Some(hash.state().revision.hash().to_owned()))
            .components(move || {
                let detail = complaint(&file.state());
                vec![Component {
                    name: "file".to_owned(),
                    ok: detail.is_none(),
                    detail,
                }]
            });
        report::spawn(&broadcast, source, &drain);
        if let Some(address) = service.metrics {
            instruments::serve(registry, address, &drain)
                .await
                .map_err(start("the metrics cannot be served"))?;
        }

        let grpc = ConfigServiceServer::new(Grpc::new(handle, path, drain.clone()))
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let served = Server::new(listener, credentials.callers(), health)
            .add(grpc)
            .run(drain.clone())
            .await;
        if !drain.finish(plan::TASKS).await {
            tracing::warn!("some tasks did not end in time");
        }
        drop((watcher, lock));
        served.map_err(start("the config service cannot serve"))
    }
}

/// Makes the credentials that are not there.
pub(crate) fn make_credentials(house: &House) -> Result<(), ConfigError> {
    credential::make_all(house).map_err(|error| unusable(house, &error))
}

fn unusable(house: &House, error: &credential::CredentialError) -> ConfigError {
    ConfigError::Credential {
        path: house.credentials.clone(),
        problem: gatehouse_core::Chain(error).to_string(),
    }
}

/// A lock of the kernel: it goes with the process, however that ends.
fn lock(service: &ServiceSettings) -> Result<File, Error> {
    let folder = service.house.folder(Service::Config);
    let step = || ConfigError::files(format!("lock {}", folder.display()));
    private::create_folder(&folder).map_err(step())?;
    let file = private::open_or_create(&folder.join("lock")).map_err(step())?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(step()(std::io::Error::other("another config service works there")).into())
        }
        Err(std::fs::TryLockError::Error(error)) => Err(step()(error).into()),
    }
}

fn start<E: std::error::Error + Send + Sync + 'static>(step: &'static str) -> impl FnOnce(E) -> Error {
    move |source| Error::Start {
        step,
        source: Box::new(source),
    }
}
