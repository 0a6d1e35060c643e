//! The seven steps of a start, as they happen: one line of the log each, with its time, and kept for `gatehouse status --start`.
//!
//! The first three are done before anything runs and refuse to go on. The others go on side by side once the services are started; of
//! those, what is another's (a plugin that does not answer, an account that cannot connect) is told and holds up nobody.

mod follow;

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use gatehouse_config::{ConfigError, Migrated, Preflight, Runs};
use gatehouse_core::{Chain, Clock, Service};
use tokio::time::Instant;

use super::{log::Log, supervisor::Restarts};
use crate::{
    control::Failing,
    exit::{Exit, Failed},
    start::{Start, State, Step, bounded},
};

pub(super) use self::follow::{Expected, follow};

/// What is known of a start.
#[derive(Debug)]
pub(super) struct Steps {
    home: PathBuf,
    began: Instant,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    start: Start,
    /// When the steps that are not done yet began.
    since: Instant,
    /// Lines from before there was a log.
    early: Vec<String>,
    log: Option<Log>,
}

impl Steps {
    /// Begins to note a start in a home that is held.
    pub(super) fn begin(home: &Path, began: Instant) -> Self {
        let start = Start::begun(Clock::system().now_ms());
        let steps = Self {
            home: home.to_owned(),
            began,
            inner: Mutex::new(Inner {
                start,
                since: began,
                early: Vec::new(),
                log: None,
            }),
        };
        steps.keep(&steps.inner());
        steps
    }

    /// From now on steps are told in the log, and those before as well. The log ends when this does, too.
    pub(super) fn tell(&self, log: &Log) {
        let mut inner = self.inner();
        for line in std::mem::take(&mut inner.early) {
            log.own(&line);
        }
        inner.log = Some(log.clone());
    }

    /// A step is done. Told once.
    pub(super) fn done(&self, step: Step, told: &str) {
        self.reach(step, State::Done, told, None);
    }

    /// What stopped a start at a step, noted; handed on as it is.
    pub(super) fn hold<T>(&self, step: Step, result: Result<T, Failed>) -> Result<T, Failed> {
        if let Err(failed) = &result {
            self.failed(step, failed);
        }
        result
    }

    /// The start ends at a step. What is known of an earlier end stays, and what was done before does not end later.
    pub(super) fn failed(&self, step: Step, failed: &Failed) {
        if self.inner().start.failed().is_none() {
            let lines = std::iter::once(&failed.message).chain(&failed.details);
            let told: Vec<&str> = lines.map(|line| line.trim()).collect();
            let told = told.join("; ").replace(":; ", ": ");
            self.reach(step, State::Failed, &told, Some(failed));
        }
    }

    /// What keeps steps from being done that are a service's: it ends at each start, and says why.
    pub(super) fn waits_for(&self, failing: &Failing) {
        let waiting = stands_for(&failing.service);
        let told = bounded(&format!("{} does not start: {}", failing.service, failing.told()));
        let mut inner = self.inner();
        for reached in &mut inner.start.steps {
            if reached.state == State::Waiting && waiting.contains(&reached.step) {
                reached.told.clone_from(&told);
            }
        }
        self.keep(&inner);
    }

    /// The services are started: what follows takes its time from now.
    pub(super) fn services_started(&self) {
        self.inner().since = Instant::now();
    }

    /// The first three, as the check of the configuration came out.
    pub(super) fn checked(
        &self,
        found: Result<Preflight, ConfigError>,
        migrated: Result<Option<Migrated>, ConfigError>,
    ) -> Result<Preflight, Failed> {
        let found = found.map_err(|refusal| self.refused(&refusal))?;
        self.done(Step::Configuration, &configuration(&found, migrated));
        self.done(Step::Secrets, &secrets(&found));
        self.done(Step::Token, &token(&found));
        Ok(found)
    }

    fn refused(&self, refusal: &ConfigError) -> Failed {
        let (step, exit) = match refusal {
            ConfigError::Secrets { .. } => (Step::Secrets, Exit::Configuration),
            ConfigError::WeakToken { .. } | ConfigError::Credential { .. } => {
                (Step::Token, Exit::Configuration)
            }
            // A disk that is full or not there is no mistake of the document: a later start may find it well.
            ConfigError::Files { .. } => (Step::Configuration, Exit::Failed),
            _ => (Step::Configuration, Exit::Configuration),
        };
        let failed = Failed::of_lines(exit, &Chain(refusal).to_string());
        let failed = match refusal {
            ConfigError::Files { .. } => failed.next(format!(
                "see that {} is there, is yours and has room, and start again",
                self.home.display()
            )),
            _ => failed,
        };
        if let ConfigError::Secrets { path, .. } | ConfigError::WeakToken { path, .. } = refusal {
            self.done(Step::Configuration, &format!("read {}", path.display()));
        }
        if matches!(refusal, ConfigError::WeakToken { .. }) {
            self.done(Step::Secrets, "every reference leads somewhere");
        }
        self.failed(step, &failed);
        failed
    }

    fn reach(&self, step: Step, state: State, told: &str, failed: Option<&Failed>) {
        let now = Instant::now();
        let mut inner = self.inner();
        let since = inner.since;
        let Some(reached) = inner.start.steps.iter_mut().find(|reached| reached.step == step) else {
            return;
        };
        if reached.state != State::Waiting {
            return;
        }
        let took = now.duration_since(since);
        reached.state = state;
        reached.took_ms = Some(milliseconds(took));
        reached.after_ms = Some(milliseconds(now.duration_since(self.began)));
        reached.told = bounded(told);
        reached.next = failed.and_then(|failed| failed.next.as_deref()).map(bounded);
        reached.exit = failed.map(|failed| failed.exit.code());
        let line = line(step, state, &reached.told, took);
        if step.number() <= Step::Token.number() {
            inner.since = now; // one after the other; the later ones began with the services
        }
        self.keep(&inner);
        match &inner.log {
            Some(log) => log.own(&line),
            None => inner.early.push(line),
        }
    }

    /// A home that cannot be written is told by whoever needs it more.
    fn keep(&self, inner: &Inner) {
        let _ = inner.start.write(&self.home);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes why steps wait, as services end. Never ends.
pub(super) async fn explain(steps: &Steps, mut services: Restarts) -> Infallible {
    loop {
        for failing in services.failing() {
            steps.waits_for(&failing);
        }
        services.change().await;
    }
}

/// The steps that are not done without a service.
fn stands_for(service: &str) -> &'static [Step] {
    match Service::ALL.into_iter().find(|known| known.name() == service) {
        Some(Service::Config) => &[Step::Plugins, Step::Channels, Step::Sockets, Step::Schedules],
        Some(Service::ChannelBridge) => &[Step::Channels],
        Some(Service::Session) => &[Step::Sockets, Step::Schedules],
        Some(Service::Broadcast) => &[Step::Plugins, Step::Sockets],
        Some(Service::Edge | Service::Agent) => &[Step::Sockets],
        None => &[], // the network is told later
    }
}

/// The step that a service stands for: where a start ends that it cannot live with.
pub(super) fn step_of(service: &str) -> Step {
    match Service::ALL.into_iter().find(|known| known.name() == service) {
        Some(Service::Config) => Step::Configuration,
        Some(Service::ChannelBridge) => Step::Channels,
        Some(Service::Session) => Step::Schedules,
        Some(Service::Edge | Service::Agent | Service::Broadcast) | None => Step::Sockets,
    }
}

fn line(step: Step, state: State, told: &str, took: Duration) -> String {
    let (number, of, title) = (step.number(), Step::ALL.len(), step.title());
    let failed = if state == State::Failed { " failed" } else { "" };
    format!(
        "{number}/{of} {title}{failed}: {told} ({} ms)",
        milliseconds(took)
    )
}

fn configuration(found: &Preflight, migrated: Result<Option<Migrated>, ConfigError>) -> String {
    let path = found.config_path.display();
    let read = match found.warnings.len() {
        _ if found.runs == Runs::LastValid => format!("{path} has mistakes: the last valid one runs"),
        _ if found.runs == Runs::WithoutIncluded => {
            format!("{path} lacks what it includes, and no valid one is kept: what it says itself runs")
        }
        0 => format!("read {path}"),
        1 => format!("read {path}, 1 warning"),
        warnings => format!("read {path}, {warnings} warnings"),
    };
    match migrated {
        Ok(None) => read,
        Ok(Some(done)) => format!(
            "{read}; migrated: {}; the older text is in {}",
            done.steps.join("; "),
            done.kept.display()
        ),
        // A document that may only be read is read in its older form.
        Err(error) => format!("{read}; not migrated: {}", Chain(&error)),
    }
}

fn secrets(found: &Preflight) -> String {
    match found.variables.len() {
        0 => "no environment variable is named".to_owned(),
        1 => "1 environment variable is named".to_owned(),
        variables => format!("{variables} environment variables are named"),
    }
}

fn token(found: &Preflight) -> String {
    if found.open_door {
        return "not asked for: gateway.auth.mode is \"none\"".to_owned();
    }
    let path = found.token_path.display();
    if found.token_in_config {
        format!("as gateway.auth in {path} says")
    } else {
        format!("in {path}")
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
