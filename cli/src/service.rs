//! One service in this process: read settings, build, run, exit code. No decision is made here.

use std::{
    error::Error,
    fs::{self, File},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use gatehouse_core::{
    Chain, Drain, Env, Service, ServiceSettings, credential::Credential, drain, private, report, telemetry,
};

use crate::{
    args::Common,
    exit::{Exit, Failed},
    place::URL_FILE,
};

/// Services wait for sockets, not for processors: two threads are enough on a small machine, and cost less memory.
const WORKERS: usize = 2;

/// How long tasks that block may hold the process back at its end.
const RUNTIME_END: Duration = Duration::from_millis(500);

/// Runs a service until it is asked to end.
pub(crate) fn run(service: Service, common: &Common) -> Result<(), Failed> {
    let env = environment(common);
    telemetry::init(&env, service);
    let supervised = env.get("GATEHOUSE_SUPERVISED").is_some();
    if supervised {
        end_with_supervisor();
    }
    let workers = match service {
        Service::Edge => std::thread::available_parallelism().map_or(WORKERS, usize::from),
        Service::Session | Service::Agent | Service::ChannelBridge | Service::Config | Service::Broadcast => {
            WORKERS
        }
    };
    let runtime = crate::runtime(workers)?;
    let ended = runtime.block_on(async {
        let drain = drain::on_signal(supervised).map_err(|error| failed(Exit::Failed, service, &error))?;
        start(service, &env, drain).await
    });
    runtime.shutdown_timeout(RUNTIME_END);
    ended
}

/// Has the kernel kill us when the supervisor dies. The end of the standard input says so as well, but only to a process that
/// is not stopped and does not hang.
fn end_with_supervisor() {
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL) {
        tracing::warn!(%error, "this process may outlive its supervisor if it hangs");
    }
}

/// The environment with what the command line says before it.
pub(crate) fn environment(common: &Common) -> Env {
    Env::process().with("GATEHOUSE_HOME", common.home.to_string_lossy())
}

macro_rules! serve {
    ($service:expr, $env:expr, $drain:expr, $settings:path) => {{
        let settings =
            <$settings>::read($env).map_err(|error| failed(Exit::Configuration, $service, &error))?;
        let built = tokio::select! {
            built = settings.build() => built,
            () = $drain.requested() => return Ok(()), // it waited for its credential
        };
        let app = match built {
            Ok(app) => app,
            Err(error) => {
                let failed = failed(Exit::Failed, $service, &error);
                last_words($service, $env, &failed.message).await;
                return Err(failed);
            }
        };
        app.run($drain)
            .await
            .map_err(|error| failed(Exit::Failed, $service, &error))
    }};
}

async fn start(service: Service, env: &Env, drain: Drain) -> Result<(), Failed> {
    match service {
        Service::Edge => edge(env, drain).await,
        Service::Session => serve!(service, env, drain, gatehouse_session::Settings),
        Service::Agent => serve!(service, env, drain, gatehouse_agent::Settings),
        Service::ChannelBridge => serve!(service, env, drain, gatehouse_channel_bridge::Settings),
        Service::Config => config(env, drain).await,
        Service::Broadcast => serve!(service, env, drain, gatehouse_broadcast::Settings),
    }
}

/// Tells why a service cannot start to whoever answers `gatehouse status`.
async fn last_words(service: Service, env: &Env, reason: &str) {
    let Ok(settings) = ServiceSettings::read(env, service) else {
        return;
    };
    if let Ok(own) = Credential::load(&settings.house, service.identity()) {
        let broadcast = own.peer(Service::Broadcast, settings.peers.address(Service::Broadcast));
        report::last_words(&broadcast, service, reason).await;
    }
}

/// The config service knows which of its failures a person has to mend.
async fn config(env: &Env, drain: Drain) -> Result<(), Failed> {
    let service = Service::Config;
    let of = |error: gatehouse_config::Error| {
        let exit = if error.exit_code() == gatehouse_config::EXIT_CONFIG {
            Exit::Configuration
        } else {
            Exit::Failed
        };
        failed(exit, service, &error)
    };
    let settings = gatehouse_config::Settings::read(env)
        .map_err(|error| failed(Exit::Configuration, service, &error))?;
    settings.build().await.map_err(of)?.run(drain).await.map_err(of)
}

/// The edge's address is known once it is bound, and whoever started it may have asked for any port.
async fn edge(env: &Env, drain: Drain) -> Result<(), Failed> {
    let service = Service::Edge;
    let settings =
        gatehouse_edge::Settings::read(env).map_err(|error| failed(Exit::Configuration, service, &error))?;
    let run_dir = settings.service.house.run.clone();
    let built = tokio::select! {
        built = settings.build() => built,
        () = drain.requested() => return Ok(()), // it waited for its credential
    };
    let app = built.map_err(|error| failed(Exit::Failed, service, &error))?;
    let _announced = announce(&run_dir, app.address());
    app.run(drain)
        .await
        .map_err(|error| failed(Exit::Failed, service, &error))
}

/// Writes the address for clients of the same home. A folder that cannot be written costs them the convenience, not us the start.
fn announce(run_dir: &Path, address: SocketAddr) -> Option<File> {
    let draft = run_dir.join(format!(".{URL_FILE}"));
    let _ = fs::remove_file(&draft); // of an edge that was killed while it wrote
    let written = private::create_new(&draft, format!("{}\n", url_of(address)).as_bytes()).and_then(|file| {
        // Held as long as this process lives: an address without the lock is one that a dead edge left behind, and whoever
        // listens there now is not shown the token.
        file.try_lock()?;
        fs::rename(&draft, run_dir.join(URL_FILE))?;
        Ok(file)
    });
    written
        .inspect_err(|error| {
            tracing::warn!(%error, folder = %run_dir.display(), "the edge's address cannot be written for clients");
        })
        .ok()
}

/// An address that a client on this machine can connect to: "every address" is none.
fn url_of(mut address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    format!("ws://{address}")
}

fn failed(exit: Exit, service: Service, error: &(impl Error + 'static)) -> Failed {
    Failed::new(exit, format!("{service}: {}", Chain(error)))
}

/// A service by the word on the command line.
pub(crate) const fn by_backend(backend: crate::args::Backend) -> Service {
    use crate::args::Backend;
    match backend {
        Backend::Session => Service::Session,
        Backend::Agent => Service::Agent,
        Backend::ChannelBridge => Service::ChannelBridge,
        Backend::Config => Service::Config,
        Backend::Broadcast => Service::Broadcast,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_an_address_that_they_can_connect_to() {
        for (bound, url) in [
            ("127.0.0.1:5", "ws://127.0.0.1:5"),
            ("0.0.0.0:5", "ws://127.0.0.1:5"),
            ("[::]:5", "ws://[::1]:5"),
            ("192.0.2.7:5", "ws://192.0.2.7:5"),
        ] {
            assert_eq!(url_of(bound.parse().unwrap()), url);
        }
    }
}
