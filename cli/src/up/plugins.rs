//! The commands of plugins: started, watched and stopped as the configuration says at each moment. They are nobody's of ours, so each is
//! told by a signal that it has to end, and with it all that it started; none of them can end the gateway.

mod failures;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use gatehouse_contract::Identity;
use gatehouse_core::{
    Address, Drain, Home, Service, backoff::Backoff, client::Peer, config, credential::Credential,
};
use gatehouse_document::{Document, Plugins as Section, plugins::PluginEntry};
use tokio::{
    process::Command,
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
    time::sleep,
};
use tokio_util::sync::CancellationToken;

pub(super) use self::failures::Failures;
use super::{
    child::{Kind, Program, RESTART_MAX, Stop, supervise},
    log::Log,
};
use crate::control::Failing;

/// How often it is looked whether the gateway has an address by now: it has one a moment after the start.
const LOOK: Duration = Duration::from_millis(50);

/// The same for the operator's credential, which the config service makes at the first start.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// All commands of plugins.
#[derive(Debug)]
pub(super) struct Plugins {
    asked: CancellationToken,
    following: JoinHandle<()>,
    failures: Failures,
}

impl Plugins {
    /// Follows the configuration from now on. `environment` is what every command finds.
    pub(super) fn start(home: &Home, environment: BTreeMap<String, String>, log: &Log) -> Self {
        let asked = CancellationToken::new();
        let (home, end, log) = (home.clone(), asked.clone(), log.clone());
        let mut programs = Programs::default();
        let failures = programs.failures.clone();
        let following = tokio::spawn(async move {
            follow(&home, environment, &log, &mut programs, &end).await;
            programs.stop().await;
        });
        Self {
            asked,
            following,
            failures,
        }
    }

    /// How they ended by themselves.
    pub(super) fn failures(&self) -> Failures {
        self.failures.clone()
    }

    /// Stops all of them; those that do not end by themselves are killed.
    pub(super) async fn stop(self) {
        self.asked.cancel();
        let _ = self.following.await;
    }
}

/// Follows the configuration until the end is asked for.
async fn follow(
    home: &Home,
    environment: BTreeMap<String, String>,
    log: &Log,
    programs: &mut Programs,
    end: &CancellationToken,
) {
    let drain = Drain::new();
    let following = async {
        let peer = operator(home).await;
        let maker = Maker {
            url: address(&home.url_file()).await,
            home: home.clone(),
            environment,
            wrapper: crate::program::path().ok(),
        };
        let mut config = config::watch_as::<Document>(&peer, Identity::Operator.name(), &drain);
        let mut revision = config.ready().await;
        loop {
            programs.apply(&revision.value.plugins, &maker, log);
            revision = config.changed().await;
        }
    };
    let never: std::convert::Infallible = tokio::select! {
        () = end.cancelled() => return drain.start(),
        never = following => never,
    };
    match never {}
}

/// The config service, called with the operator's credential: the one that may be told what commands there are, secrets included.
async fn operator(home: &Home) -> Peer {
    let mut backoff = Backoff::new(LOOK, LOOK_MAX);
    let credential = loop {
        match Credential::load(home, Identity::Operator) {
            Ok(credential) => break credential,
            Err(_) => sleep(backoff.next()).await,
        }
    };
    let socket = home.run.join(format!("{}.sock", Service::Config));
    credential.peer(Service::Config, &Address::Unix(socket))
}

/// Where the gateway is, for programs on this machine.
async fn address(url_file: &Path) -> String {
    loop {
        if let Ok(url) = fs::read_to_string(url_file) {
            return url.trim().to_owned();
        }
        sleep(LOOK).await;
    }
}

/// Makes commands.
#[derive(Clone, Debug)]
struct Maker {
    home: Home,
    url: String,
    environment: BTreeMap<String, String>,
    /// Our own program, which sees to it that nothing outlives us. `None`: the command is run as it is.
    wrapper: Option<PathBuf>,
}

impl Maker {
    fn command(&self, id: &str, entry: &PluginEntry) -> Command {
        let program = entry.command.as_deref().unwrap_or_default();
        let mut command = match &self.wrapper {
            Some(wrapper) => {
                let mut command = Command::new(wrapper);
                command.args(["plugins", "exec", "--"]).arg(program);
                command
            }
            None => Command::new(program),
        };
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let own = || format!("unix:{}", absolute(self.home.plugin_socket(id)).display());
        let own_variables = [
            ("GATEHOUSE_PLUGIN_ID", id.to_owned()),
            (
                "GATEHOUSE_PLUGIN_LISTEN",
                entry.endpoint.clone().unwrap_or_else(own),
            ),
            ("GATEHOUSE_URL", self.url.clone()),
            (
                "GATEHOUSE_TOKEN_FILE",
                absolute(self.home.plugin_token(id))
                    .to_string_lossy()
                    .into_owned(),
            ),
        ];
        if entry.endpoint.is_none() {
            // Not every language takes the place of a socket that a killed program left behind.
            let _ = fs::remove_file(self.home.plugin_socket(id));
        }
        let secrets = entry
            .env
            .iter()
            .filter_map(|(name, value)| Some((name, value.text()?)));
        command
            .args(&entry.args)
            .env_clear()
            .envs(&self.environment)
            .envs(secrets)
            .envs(own_variables);
        command
    }
}

/// A command that is kept running.
#[derive(Debug)]
struct Running {
    entry: PluginEntry,
    asked: CancellationToken,
    task: JoinHandle<()>,
    failing: watch::Receiver<Option<Failing>>,
}

impl Running {
    async fn end(self) {
        self.asked.cancel();
        let _ = self.task.await;
    }
}

/// The commands by their plugins.
#[derive(Debug, Default)]
struct Programs {
    kept: BTreeMap<String, Running>,
    failures: Failures,
}

impl Programs {
    /// Starts what is new, stops what is gone, and starts again what has changed. Nothing here waits for a program to end.
    fn apply(&mut self, section: &Section, maker: &Maker, log: &Log) {
        let wanted: BTreeMap<&str, &PluginEntry> = section
            .set_up()
            .filter(|(_, entry)| entry.command.is_some())
            .collect();
        let gone: Vec<String> = self
            .kept
            .keys()
            .filter(|id| !wanted.contains_key(id.as_str()))
            .cloned()
            .collect();
        for running in gone.iter().filter_map(|id| self.kept.remove(id)) {
            tokio::spawn(running.end());
        }
        for (id, entry) in wanted {
            let before = self.kept.remove(id);
            let next = match before {
                Some(same) if is_same(&same.entry, entry) => same,
                before => run(id, entry, before, maker, log),
            };
            self.kept.insert(id.to_owned(), next);
        }
        self.failures
            .are_of(self.kept.values().map(|running| running.failing.clone()));
    }

    async fn stop(self) {
        futures::future::join_all(self.kept.into_values().map(Running::end)).await;
    }
}

/// Whether a program would be started in the same way. Its settings are told to it while it runs.
fn is_same(before: &PluginEntry, after: &PluginEntry) -> bool {
    let started_by = |entry: &PluginEntry| PluginEntry {
        overrides: Vec::new(),
        scopes: Vec::new(),
        config: serde_json::Map::new(),
        ..entry.clone()
    };
    started_by(before) == started_by(after)
}

/// Keeps a command running, once the one before it is gone.
fn run(id: &str, entry: &PluginEntry, before: Option<Running>, maker: &Maker, log: &Log) -> Running {
    let asked = CancellationToken::new();
    let (fails, failing) = watch::channel(None);
    let stop = Stop {
        asked: asked.clone(),
        forced: CancellationToken::new(), // a program that does not end has a bound of its own
        again: Arc::new(Notify::new()),
        lives: watch::channel(0).0,
        failing: fails,
    };
    let (maker, made, named) = (maker.clone(), entry.clone(), id.to_owned());
    let program = Program {
        name: format!("plugin/{id}").into(),
        index: id.bytes().map(usize::from).sum::<usize>() % 6,
        command: Box::new(move || maker.command(&named, &made)),
        answers: None,
        pause_max: RESTART_MAX,
        kind: Kind::Other,
    };
    let log = log.clone();
    let task = tokio::spawn(async move {
        if let Some(before) = before {
            before.end().await;
        }
        let (fatal, _) = mpsc::channel(1); // no exit code of it means anything to us
        supervise(program, log, stop, fatal).await;
    });
    Running {
        entry: entry.clone(),
        asked,
        task,
        failing,
    }
}

#[cfg(test)]
mod tests;
