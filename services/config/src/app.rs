//! The only file that knows all the parts.

use std::{fs::File, sync::Arc};

use gatehouse_core::{
    Clock, Env, Home, Service, ServiceSettings, credential, private,
    server::MESSAGE_BYTES_MAX,
    service::{self, Life},
    settings::SettingsError,
};
use gatehouse_proto::{
    broadcast::v1::Component,
    config::v1::{agents_service_server::AgentsServiceServer, config_service_server::ConfigServiceServer},
};

use crate::{
    configuration::{Configuration, sources_of, store_of},
    grpc::Grpc,
    metrics::Metrics,
    pace::Pace,
    refusal::ConfigError,
    registry::{self, complaint},
    roster, watcher,
};

/// The config service.
#[derive(Debug)]
pub struct App {
    configuration: Configuration,
    /// Held as long as the process lives: two writers would undo each other's work.
    lock: File,
}

impl service::App for App {
    const SERVICE: Service = Service::Config;

    /// The whole environment: references to secrets are looked up in it.
    type Settings = Env;

    fn read(env: &Env) -> Result<Env, SettingsError> {
        Ok(env.clone())
    }

    /// Reads the configuration and follows its references. The credentials of all services are made first: they wait for them.
    async fn open(env: Env, common: &ServiceSettings) -> Result<Self, service::Error> {
        let home = &common.home;
        let lock = lock(home)?;
        make_credentials(home)?;
        credential::remove_shared(home);
        let configuration = Configuration::open(store_of(home), sources_of(home, &env), Clock::system())?;
        for open in configuration.store().open_paths() {
            tracing::warn!("{open}");
        }
        Ok(Self { configuration, lock })
    }

    fn assemble(self, life: &mut Life) {
        let Self { configuration, lock } = self;
        let metrics = Metrics::default();
        metrics.register(&mut life.registry);
        let store = configuration.store();
        let watcher = watcher::watch(&[store.document(), &store.credentials_path()]);
        let path = configuration.store().document().display().to_string();
        let publisher = life.publisher();
        let handle = registry::spawn(
            configuration,
            watcher,
            publisher,
            life.health.clone(),
            metrics,
            &life.closing,
        );
        let (hash, file) = (handle.clone(), handle.clone());
        life.report
            .config_hash(move || Some(hash.state().revision.hash().to_owned()));
        life.report.components(move || {
            let detail = complaint(&file.state());
            vec![Component {
                name: "file".to_owned(),
                ok: detail.is_none(),
                detail,
            }]
        });
        let pace = Arc::new(Pace::default());
        let workspaces = life.settings.home.workspaces();
        let agents = roster::grpc::Grpc::new(handle.clone(), Arc::clone(&pace), workspaces);
        life.serve(AgentsServiceServer::new(agents).max_decoding_message_size(MESSAGE_BYTES_MAX));
        let grpc = Grpc::new(handle, path, pace, life.clock.now_ms(), life.closing.clone());
        life.serve(
            ConfigServiceServer::new(grpc)
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX),
        );
        life.keep(lock);
    }
}

impl From<ConfigError> for service::Error {
    fn from(error: ConfigError) -> Self {
        Self::Configuration(Box::new(error))
    }
}

/// Makes the credentials that are not there.
pub(crate) fn make_credentials(home: &Home) -> Result<(), ConfigError> {
    credential::make_all(home).map_err(|error| unusable(home, &error))
}

fn unusable(home: &Home, error: &credential::CredentialError) -> ConfigError {
    ConfigError::Credential {
        path: home.credentials.clone(),
        problem: gatehouse_core::Chain(error).to_string(),
    }
}

/// A lock of the kernel: it goes with the process, however that ends.
pub(crate) fn lock(home: &Home) -> Result<File, ConfigError> {
    let folder = home.folder(Service::Config);
    let step = || ConfigError::files(format!("lock {}", folder.display()));
    private::create_folder(&folder).map_err(step())?;
    let file = private::open_or_create(&folder.join("lock")).map_err(step())?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(step()(std::io::Error::other(
            "another config service works there",
        ))),
        Err(std::fs::TryLockError::Error(error)) => Err(step()(error)),
    }
}
