//! One service in this process: which one, on how many threads, and its exit code. No decision is made here.

use std::{collections::BTreeSet, error::Error, time::Duration};

use gatehouse_core::{Chain, Drain, Env, Home, Service, drain, service, settings::SettingsError, telemetry};

use crate::{
    args::Common,
    exit::{Exit, Failed},
    memory,
};

/// Services wait for sockets, not for processors: two threads are enough on a small machine, and cost less memory.
const WORKERS: usize = 2;

/// What agent and config do between two waits is short, and a second thread would be woken by every one of their ends.
const WORKERS_OF_FEW: usize = 1;

/// How long tasks that block may hold the process back at its end.
const RUNTIME_END: Duration = Duration::from_millis(500);

/// Runs a service until it is asked to end.
pub(crate) fn run(service: Service, common: &Common) -> Result<(), Failed> {
    memory::keep_nothing();
    let env = environment(common);
    crate::files::raise_limit()?;
    telemetry::init(&env, service).map_err(|error| failed(Exit::Configuration, service, &error))?;
    if let Err(error) = memory::give_large_back_at_once() {
        tracing::debug!(error = %error, "large memory is given back after a second");
    }
    let supervised = env.get("GATEHOUSE_SUPERVISED").is_some();
    if supervised {
        end_with_supervisor();
    } else {
        // The supervisor has looked, and knows what the document refers to.
        known(&env, &named_by(service, &env))
            .map_err(|error| failed(Exit::Configuration, service, &error))?;
    }
    let workers = match service {
        Service::Edge => std::thread::available_parallelism().map_or(WORKERS, usize::from),
        Service::Session | Service::ChannelBridge | Service::Broadcast => WORKERS,
        Service::Agent | Service::Config => WORKERS_OF_FEW,
    };
    let runtime = crate::runtime(workers)?;
    let ended = runtime.block_on(async {
        let drain = drain::on_signal(supervised).map_err(|error| failed(Exit::Failed, service, &error))?;
        let ended = start(service, &env, drain).await;
        ended.map_err(|error| failed(exit_of(&error), service, &error))
    });
    runtime.shutdown_timeout(RUNTIME_END);
    ended
}

/// Runs an account of a channel as a process of its own, until the bridge that started it is done with it.
pub(crate) fn account(kind: &str, common: &Common) -> Result<(), Failed> {
    let env = environment(common);
    telemetry::init(&env, Service::ChannelBridge)
        .map_err(|error| failed(Exit::Configuration, Service::ChannelBridge, &error))?;
    gatehouse_channel_bridge::run_account(kind)
        .map_err(|why| Failed::new(Exit::Failed, format!("channel {kind}: {why}")))
}

/// Whether every variable of ours is read by somebody.
pub(crate) fn known(env: &Env, named: &BTreeSet<String>) -> Result<(), SettingsError> {
    let mistakes = env.unknown(|name| named.contains(name));
    if mistakes.is_empty() {
        Ok(())
    } else {
        Err(SettingsError(mistakes))
    }
}

/// What the document refers to, where it is read.
fn named_by(service: Service, env: &Env) -> BTreeSet<String> {
    match service {
        // A document that cannot be read is told by the service itself.
        Service::Config => gatehouse_config::preflight(&Home::read(env), env)
            .map(|checked| checked.variables)
            .unwrap_or_default(),
        Service::Edge | Service::Session | Service::Agent | Service::ChannelBridge | Service::Broadcast => {
            BTreeSet::new()
        }
    }
}

/// Has the kernel kill us when the supervisor dies. The end of the standard input says so as well, but only to a process that
/// is not stopped and does not hang.
pub(crate) fn end_with_supervisor() {
    #[cfg(target_os = "linux")]
    if let Err(error) = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL) {
        tracing::warn!(%error, "this process may outlive its supervisor if it hangs");
    }
}

/// The environment with what the command line says before it.
pub(crate) fn environment(common: &Common) -> Env {
    let env = Env::process().with("GATEHOUSE_HOME", common.home.to_string_lossy());
    match &common.run_dir {
        Some(run) => env.with("GATEHOUSE_RUN_DIR", run.to_string_lossy()),
        None => env,
    }
}

async fn start(service: Service, env: &Env, drain: Drain) -> Result<(), service::Error> {
    match service {
        Service::Edge => service::run::<gatehouse_edge::App>(env, drain).await,
        Service::Session => service::run::<gatehouse_session::App>(env, drain).await,
        Service::Agent => service::run::<gatehouse_agent::App>(env, drain).await,
        Service::ChannelBridge => service::run::<gatehouse_channel_bridge::App>(env, drain).await,
        Service::Config => service::run::<gatehouse_config::App>(env, drain).await,
        Service::Broadcast => service::run::<gatehouse_broadcast::App>(env, drain).await,
    }
}

/// A service manager tries again unless a person has to change something first.
const fn exit_of(error: &service::Error) -> Exit {
    if error.is_configuration() {
        Exit::Configuration
    } else {
        Exit::Failed
    }
}

fn failed(exit: Exit, service: Service, error: &(impl Error + 'static)) -> Failed {
    Failed::of_lines(exit, &format!("{service}: {}", Chain(error)))
}

/// A process by the word on the command line.
pub(crate) const fn by_name(name: crate::args::Checked) -> Service {
    use crate::args::Checked;
    match name {
        Checked::Edge => Service::Edge,
        Checked::Session => Service::Session,
        Checked::Agent => Service::Agent,
        Checked::ChannelBridge => Service::ChannelBridge,
        Checked::Config => Service::Config,
        Checked::Broadcast => Service::Broadcast,
    }
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
