//! The task that owns the [`Configuration`], and its handle. Changes are made one after the other; readers watch the state.

use std::{path::PathBuf, time::Duration};

use gatehouse_core::{
    Chain, Drain, Health, Secret, beat, health,
    publish::{Outgoing, Publisher},
    report,
};
use gatehouse_proto::config::v1::ConfigChangedEvent;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task,
    time::{Instant, sleep, timeout},
};

use crate::{
    configuration::{Configuration, Patch, Patched, Restore, State, Whole},
    error::Error,
    metrics::{Metrics, Outcome},
    revision::changed_paths,
    roster::{self, Done},
    store::{Disk, Former},
    watcher::Watcher,
};

/// Changes that may wait. Each is at most 1 MiB and takes some milliseconds of a disk.
const QUEUE_CHANGES: usize = 64;

/// Paths that a `config.changed` event names at most; more than that is a new document.
const EVENT_PATHS_MAX: usize = 100;

/// How long a file must be quiet before it is read: editors write in several steps.
const QUIET: Duration = Duration::from_millis(200);

/// A file that is never quiet is read nevertheless.
const QUIET_MAX: Duration = Duration::from_secs(2);

/// How long a text must stand in the file unchanged that is no whole document: a slow disk empties a file some time before it has
/// the new text (0.4 s were seen).
const UNFINISHED: Duration = Duration::from_secs(1);

enum Command {
    Patch {
        patch: Patch,
        reply: oneshot::Sender<Result<Patched, Error>>,
    },
    Replace {
        whole: Whole,
        reply: oneshot::Sender<Result<Patched, Error>>,
    },
    Roster {
        change: roster::Change,
        reply: oneshot::Sender<Result<(Patched, Done), Error>>,
    },
    Rotate {
        reply: oneshot::Sender<Result<(Secret, String), Error>>,
    },
    History {
        reply: oneshot::Sender<Result<Vec<Former>, Error>>,
    },
    Restore {
        restore: Restore,
        reply: oneshot::Sender<Result<Patched, Error>>,
    },
}

/// What others hold of the configuration.
#[derive(Debug, Clone)]
pub(crate) struct Handle {
    queue: mpsc::Sender<Command>,
    state: watch::Receiver<State>,
}

impl Handle {
    /// What runs now.
    pub(crate) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// What runs now, and each change of it.
    pub(crate) fn watch(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// Merges a partial document into the running one.
    pub(crate) async fn patch(&self, patch: Patch) -> Result<Patched, Error> {
        self.ask(|reply| Command::Patch { patch, reply }).await
    }

    /// Makes a text the document.
    pub(crate) async fn replace(&self, whole: Whole) -> Result<Patched, Error> {
        self.ask(|reply| Command::Replace { whole, reply }).await
    }

    /// Changes which agents there are.
    pub(crate) async fn change_roster(&self, change: roster::Change) -> Result<Done, Error> {
        let changed = self.ask(|reply| Command::Roster { change, reply }).await;
        changed.map(|(_, done)| done)
    }

    /// Makes a new gateway token.
    pub(crate) async fn rotate(&self) -> Result<(Secret, String), Error> {
        self.ask(|reply| Command::Rotate { reply }).await
    }

    /// The former texts that are kept.
    pub(crate) async fn history(&self) -> Result<Vec<Former>, Error> {
        self.ask(|reply| Command::History { reply }).await
    }

    /// Makes a former text the document again.
    pub(crate) async fn restore(&self, restore: Restore) -> Result<Patched, Error> {
        self.ask(|reply| Command::Restore { restore, reply }).await
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Command,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(command(reply)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Error::Busy,
            mpsc::error::TrySendError::Closed(_) => Error::Ending,
        })?;
        answer.await.unwrap_or(Err(Error::Ending))
    }
}

/// Starts the task. The watcher's other end brings a sign whenever the file may have changed.
pub(crate) fn spawn<D: Disk + Sync>(
    configuration: Configuration<D>,
    (watcher, signs): (Watcher, mpsc::Receiver<()>),
    publisher: Publisher,
    health: Health,
    metrics: Metrics,
    drain: &Drain,
) -> Handle {
    let (queue, commands) = mpsc::channel(QUEUE_CHANGES);
    let handle = Handle {
        queue,
        state: configuration.watch(),
    };
    let task = Task {
        configuration: Some(configuration),
        watcher: Some(watcher),
        publisher,
        health,
        metrics,
    };
    drain.spawn("configuration", task.run(commands, signs, drain.clone()));
    handle
}

struct Task<D: Disk> {
    /// Out for the time of one step on the disk.
    configuration: Option<Configuration<D>>,
    /// Out while it looks where the names lead. `None` for good: the regular look is enough, only slower.
    watcher: Option<Watcher>,
    publisher: Publisher,
    health: Health,
    metrics: Metrics,
}

impl<D: Disk + Sync> Task<D> {
    async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        mut signs: mpsc::Receiver<()>,
        drain: Drain,
    ) {
        self.step(|configuration| configuration.save_running()).await;
        self.follow().await;
        self.tell_health();
        loop {
            tokio::select! {
                () = drain.requested() => return,
                command = commands.recv() => match command {
                    Some(command) => self.command(command).await,
                    None => return,
                },
                () = quiet(&mut signs) => self.look().await,
                // Network file systems and swapped links give no sign.
                () = beat::next() => self.look().await,
            }
            if self.configuration.is_none() {
                // A step panicked; nothing that comes after it could be trusted.
                return drain.give_up("configuration");
            }
        }
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::Patch { patch, reply } => {
                // Somebody may be in the middle of a save.
                self.settle().await;
                let result = self.step(move |configuration| configuration.patch(&patch)).await;
                self.changed(result, reply);
            }
            Command::Replace { whole, reply } => {
                self.settle().await;
                let result = self
                    .step(move |configuration| configuration.replace(&whole))
                    .await;
                self.changed(result, reply);
            }
            Command::Roster { change, reply } => {
                self.settle().await;
                let result = self
                    .step(move |configuration| configuration.change_roster(&change))
                    .await;
                self.changed(result, reply);
            }
            Command::Restore { restore, reply } => {
                self.settle().await;
                let result = self
                    .step(move |configuration| configuration.restore(&restore))
                    .await;
                self.changed(result, reply);
            }
            Command::History { reply } => {
                let result = self.step(Configuration::history).await;
                let _ = reply.send(result.unwrap_or(Err(Error::Ending)));
            }
            Command::Rotate { reply } => {
                let result = self
                    .step(Configuration::rotate_token)
                    .await
                    .unwrap_or(Err(Error::Ending));
                if result.is_ok() {
                    tracing::info!("the gateway token was changed");
                }
                let _ = reply.send(result);
            }
        }
    }

    /// Answers a change.
    fn changed<T>(&self, result: Option<Result<T, Error>>, reply: oneshot::Sender<Result<T, Error>>) {
        let result = result.unwrap_or(Err(Error::Ending));
        self.metrics.patch(match &result {
            Ok(_) => Outcome::Taken,
            Err(_) => Outcome::Refused,
        });
        let _ = reply.send(result); // the caller may have gone; the change stands
    }

    async fn look(&mut self) {
        self.follow().await;
        self.settle().await;
        let before = self.hash();
        let included = self.included();
        if let Some(Err(error)) = self.step(Configuration::reload).await {
            tracing::error!(error = %Chain(&error), "the configuration could not be looked at");
        }
        if self.included() != included {
            // They were not watched when they were read: whoever saved one meanwhile is heard now.
            self.follow().await;
            let _ = self.step(Configuration::reload).await;
        }
        if self.hash() != before {
            self.metrics.edit(Outcome::Taken);
        }
    }

    fn included(&self) -> Vec<PathBuf> {
        self.configuration
            .as_ref()
            .map(|configuration| configuration.includes().to_vec())
            .unwrap_or_default()
    }

    /// Watches what the names of the file and of those that it includes lead to now.
    async fn follow(&mut self) {
        if let Some(mut watcher) = self.watcher.take() {
            let included = self.included();
            let following = task::spawn_blocking(move || {
                watcher.follow(&included);
                watcher
            });
            self.watcher = following.await.ok();
        }
    }

    /// Waits until what is new in the file stands there unchanged: the same at two looks, and longer where it may be half of a save.
    async fn settle(&mut self) {
        let latest = Instant::now() + QUIET_MAX;
        let Some(mut news) = self.step(Configuration::news).await.flatten() else {
            return;
        };
        let mut since = Instant::now();
        while Instant::now() < latest {
            sleep(QUIET).await;
            let Some(now) = self.step(Configuration::news).await.flatten() else {
                return;
            };
            if now != news {
                (news, since) = (now, Instant::now());
            } else if !news.is_unfinished || since.elapsed() >= UNFINISHED {
                return;
            }
        }
    }

    /// Does one step on the disk and tells everybody what came of it.
    async fn step<T: Send + 'static>(
        &mut self,
        step: impl FnOnce(&mut Configuration<D>) -> T + Send + 'static,
    ) -> Option<T> {
        let mut configuration = self.configuration.take()?;
        let before = configuration.state();
        let done = task::spawn_blocking(move || {
            let result = step(&mut configuration);
            (configuration, result)
        });
        let (configuration, result) = done.await.ok()?;
        let after = configuration.state();
        self.configuration = Some(configuration);
        if before.revision.hash() != after.revision.hash() {
            let paths = changed_paths(
                before.revision.written(),
                after.revision.written(),
                EVENT_PATHS_MAX,
            );
            let hash = after.revision.hash().to_owned();
            tracing::info!(
                config.hash = hash,
                count = paths.len(),
                path = paths.first().map(String::as_str),
                "a new revision of the configuration runs"
            );
            self.publisher
                .publish(Outgoing::new(&ConfigChangedEvent { hash, paths }));
            report::look();
        }
        if before.file.valid && !after.file.valid {
            self.metrics.edit(Outcome::Refused);
        }
        self.tell_health();
        Some(result)
    }

    fn hash(&self) -> Option<String> {
        self.configuration
            .as_ref()
            .map(|configuration| configuration.state().revision.hash().to_owned())
    }

    fn tell_health(&self) {
        let Some(configuration) = &self.configuration else {
            return;
        };
        let state = configuration.state();
        self.health.set(match complaint(&state) {
            None => health::State::Serving,
            Some(words) => health::State::Degraded(words),
        });
    }
}

/// What is wrong with the file, in one line. `None` when it runs.
pub(crate) fn complaint(state: &State) -> Option<String> {
    if state.file.valid {
        return None;
    }
    let first = state
        .file
        .issues
        .iter()
        .find(|issue| issue.is_error())
        .map(ToString::to_string)
        .unwrap_or_default();
    Some(if state.file.lacks_included {
        format!("the configuration runs without what it includes: {first}")
    } else {
        format!("the configuration file is not taken: {first}")
    })
}

/// Waits for a sign, and then until the file is quiet.
async fn quiet(signs: &mut mpsc::Receiver<()>) {
    if signs.recv().await.is_none() {
        return std::future::pending().await; // no watcher: the poll finds changes
    }
    let latest = Instant::now() + QUIET_MAX;
    while Instant::now() < latest && matches!(timeout(QUIET, signs.recv()).await, Ok(Some(()))) {}
}

#[cfg(test)]
mod tests;
