//! The only file that knows all the parts.

use std::{fs::File, sync::Arc, time::Duration};

use gatehouse_core::{
    Chain, Clock, Drain, Env, Health, Home, Service, ServiceSettings, backup, credential,
    health::State,
    private,
    server::MESSAGE_BYTES_MAX,
    service::{self, Life},
    settings::SettingsError,
    sqlite::Fault,
};
use gatehouse_proto::{
    broadcast::v1::Component,
    config::v1::{agents_service_server::AgentsServiceServer, config_service_server::ConfigServiceServer},
    device::v1::device_service_server::DeviceServiceServer,
    user::v1::user_service_server::UserServiceServer,
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::{
    configuration::{Configuration, sources_of, store_of},
    devices::{DeviceGrpc, Files, Opened, Presence, UserGrpc},
    grpc::{self, Grpc},
    metrics::Metrics,
    pace::Pace,
    refusal::ConfigError,
    registry::{self, complaint},
    watcher,
};

/// How long a start waits for a process that is about to end: what a killed supervisor leaves behind is gone within
/// [`ORPHAN`](gatehouse_core::drain::plan::ORPHAN), and a machine under load takes a moment more.
const PREDECESSOR: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The config service.
#[derive(Debug)]
pub struct App {
    configuration: Configuration,
    devices: Opened,
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
        let lock = lock_in_time(home).await?;
        make_credentials(home)?;
        credential::remove_shared(home);
        match crate::form::migrate(home) {
            Ok(Some(done)) => {
                tracing::info!(path = %done.kept.display(), "{}; the older text is kept", done.steps.join("; "))
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "the document stays in its older form, which is read as well")
            }
        }
        let configuration = Configuration::open(store_of(home), sources_of(home, &env), Clock::system())?;
        for open in configuration.store().open_paths() {
            tracing::warn!("{open}");
        }
        let devices = Opened::new(Files::of(&home.folder(Service::Config))).await;
        Ok(Self {
            configuration,
            devices: devices.map_err(service::Error::open)?,
            lock,
        })
    }

    fn assemble(self, life: &mut Life) {
        let Self {
            configuration,
            devices,
            lock,
        } = self;
        let metrics = Metrics::default();
        metrics.register(&mut life.registry);
        let store = configuration.store();
        let watcher = watcher::watch(&[store.document(), &store.credentials_path()]);
        let path = configuration.store().document().display().to_string();
        let publisher = life.publisher();
        let of_file = Health::new();
        let database = devices.database().clone();
        database.register(&mut life.registry);
        let whole = keep_health(life.health.clone(), of_file.watch(), database.faults());
        until_drain(&life.closing, "health", whole);
        let fault = database.faults();
        let handle = registry::spawn(
            configuration,
            watcher,
            publisher.clone(),
            of_file,
            metrics,
            &life.closing,
        );
        let (hash, file) = (handle.clone(), handle.clone());
        life.report
            .config_hash(move || Some(hash.state().revision.hash().to_owned()));
        life.report.components(move || {
            let component = |name: &str, detail: Option<String>| Component {
                name: name.to_owned(),
                ok: detail.is_none(),
                detail,
            };
            let told = fault.borrow().as_ref().map(ToString::to_string);
            vec![
                component("file", complaint(&file.state())),
                component("devices", told),
            ]
        });
        let presence = Presence::new(&life.peer(Service::Broadcast));
        let devices = devices.with(
            life.clock.clone(),
            handle.watch(),
            publisher,
            life.peer(Service::Session),
        );
        life.serve(UserServiceServer::new(UserGrpc::new(devices.clone())));
        life.serve(backup::server(
            database,
            backup::Gate::default(),
            Arc::new(backup::NoFiles),
            &life.closing,
        ));
        life.serve(
            DeviceServiceServer::new(DeviceGrpc::new(devices.clone(), presence))
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX),
        );
        let pace = Arc::new(Pace::default());
        let workspaces = life.settings.home.workspaces();
        let agents = grpc::roster::Grpc::new(handle.clone(), Arc::clone(&pace), workspaces);
        life.serve(AgentsServiceServer::new(agents).max_decoding_message_size(MESSAGE_BYTES_MAX));
        let grpc = Grpc::new(
            handle,
            devices.table(),
            path,
            pace,
            life.clock.now_ms(),
            life.closing.clone(),
        );
        life.serve(
            ConfigServiceServer::new(grpc)
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX),
        );
        life.keep(lock);
    }
}

/// Keeps the health of the process: as its file is, and worse where the devices cannot be read or kept.
async fn keep_health(
    health: Health,
    mut of_file: watch::Receiver<State>,
    mut faults: watch::Receiver<Option<Fault>>,
) {
    loop {
        let file = of_file.borrow_and_update().clone();
        let fault = faults.borrow_and_update().as_ref().map(ToString::to_string);
        health.set(match (file, fault) {
            (State::Serving, Some(fault)) => State::Degraded(fault),
            (state, _) => state,
        });
        let changed = tokio::select! {
            changed = of_file.changed() => changed,
            changed = faults.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
    }
}

fn until_drain(drain: &Drain, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
    let end = drain.clone();
    drain.spawn(name, async move {
        tokio::select! { () = task => (), () = end.requested() => () }
    });
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
    try_lock(home)?.ok_or_else(|| {
        let folder = home.folder(Service::Config);
        let step = ConfigError::files(format!("lock {}", folder.display()));
        step(std::io::Error::other("another config service works there"))
    })
}

/// The same for a start: one that is about to end is waited for.
async fn lock_in_time(home: &Home) -> Result<File, ConfigError> {
    let until = Instant::now() + PREDECESSOR;
    while Instant::now() < until {
        if let Some(file) = try_lock(home)? {
            return Ok(file);
        }
        sleep(LOOK_AGAIN).await;
    }
    lock(home)
}

/// `None`: another process has it.
fn try_lock(home: &Home) -> Result<Option<File>, ConfigError> {
    let folder = home.folder(Service::Config);
    let step = || ConfigError::files(format!("lock {}", folder.display()));
    private::create_folder(&folder).map_err(step())?;
    let file = private::open_or_create(&folder.join("lock")).map_err(step())?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(step()(error)),
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_core::Env;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_process_that_is_about_to_end_is_waited_for_and_one_that_works_there_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let home = Home::read(&Env::of([(
            "GATEHOUSE_HOME",
            folder.path().to_str().expect("text"),
        )]));
        let dying = lock(&home).expect("nobody has it");
        tokio::spawn(async move {
            sleep(PREDECESSOR / 2).await;
            drop(dying);
        });

        let held = lock_in_time(&home).await.expect("it ended in time");
        let refused = lock_in_time(&home).await.expect_err("it goes on");

        assert!(
            gatehouse_core::Chain(&refused)
                .to_string()
                .contains("another config service works there"),
            "{refused}"
        );
        drop(held);
    }
}
