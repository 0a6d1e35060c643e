//! Owns which accounts run. Follows the configuration: an account whose connection is configured anew is restarted, and no
//! other; a change of policy is taken over without a restart.
//!
//! Nothing in here waits for an account: one that ends is waited for by its own successor, so that an adapter which does not
//! come to an end holds up nobody else, and no account ever has two connections.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use futures::future::join_all;
use gatehouse_core::{
    Clock, Drain,
    config::{ConfigHandle, Revision},
    report,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    AccountState,
    lease::Leases,
    progress::{Progress, State},
    supervisor::{Lines, supervise},
};
use crate::{
    adapter::{AccountKey, Adapter, Hints, InboundSink, Receive},
    config::{Account, Accounts, Config},
    error::Error,
    media::MediaReader,
    metrics::Metrics,
    outbox::{Outbox, dispatch::Worker},
    platform::{self, Platforms, plugin::Brought},
    preview::Previews,
    store::Stores,
};

/// Commands that wait: an operator starts and stops by hand.
const COMMANDS_MAX: usize = 16;
/// How long an account may take to end. Its adapter has two seconds to say goodbye and is aborted then; what is left after
/// five does not yield to anybody.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// What everybody may know of an account.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) config: Account,
    pub(crate) progress: Progress,
    /// Unset when it cannot run as it is configured.
    pub(crate) adapter: Option<Arc<dyn Adapter>>,
    pub(crate) inbound: InboundSink,
    /// Where it is told that somebody is being answered.
    pub(crate) hints: Hints,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("account", &self.config.key)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    pub(crate) accounts: BTreeMap<AccountKey, Entry>,
    /// The account that is meant when none is named, by channel.
    pub(crate) defaults: BTreeMap<String, String>,
    pub(crate) platforms: Platforms,
}

enum Command {
    Start(Vec<AccountKey>, oneshot::Sender<()>),
    Stop(Vec<AccountKey>, oneshot::Sender<Vec<Ending>>),
}

/// An account that was asked to end.
#[derive(Debug)]
struct Ending {
    key: AccountKey,
    /// Cancelled when nothing of it is left.
    gone: CancellationToken,
}

/// A handle on the accounts. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Manager {
    commands: mpsc::Sender<Command>,
    view: watch::Receiver<Option<Arc<View>>>,
}

/// What accounts are made with.
#[derive(Clone)]
pub(crate) struct Deps {
    /// Those that are compiled in.
    pub(crate) platforms: Platforms,
    /// Those that plugins bring.
    pub(crate) brought: watch::Receiver<Brought>,
    pub(crate) stores: Stores,
    pub(crate) outbox: Outbox,
    pub(crate) inbox: Arc<dyn Receive>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    pub(crate) media: MediaReader,
    pub(crate) previews: Previews,
}

/// Where the view is put, once there is a configuration.
pub(crate) type ViewWriter = watch::Sender<Option<Arc<View>>>;

impl Manager {
    /// Starts the accounts and keeps them as configured until the drain.
    pub(crate) fn spawn(config: ConfigHandle<Config>, deps: Deps, view: ViewWriter, drain: &Drain) -> Self {
        let (commands, waiting) = mpsc::channel(COMMANDS_MAX);
        let manager = Self {
            commands,
            view: view.subscribe(),
        };
        let actor = Actor {
            leases: Leases::new(&deps.stores, deps.clock.clone()),
            defaults: BTreeMap::new(),
            platforms: deps.platforms.clone(),
            deps,
            view,
            running: BTreeMap::new(),
            ending: BTreeMap::new(),
            tasks: TaskTracker::new(),
        };
        let end = drain.clone();
        drain.spawn("accounts", async move { actor.run(config, waiting, end).await });
        manager
    }

    /// What is known of the accounts.
    ///
    /// # Errors
    /// While the configuration is not there.
    pub(crate) fn view(&self) -> Result<Arc<View>, Error> {
        self.view.borrow().clone().ok_or(Error::NotReady)
    }

    /// What is known of them, as it changes. Nothing while the configuration is not there.
    pub(crate) fn views(&self) -> watch::Receiver<Option<Arc<View>>> {
        self.view.clone()
    }

    /// Starts accounts. Those that run are left alone.
    ///
    /// # Errors
    /// When the bridge ends.
    pub(crate) async fn start(&self, keys: Vec<AccountKey>) -> Result<(), Error> {
        self.ask(|reply| Command::Start(keys, reply)).await
    }

    /// Stops accounts, until they are started or the bridge restarts.
    ///
    /// # Errors
    /// When the bridge ends, or when one has not ended within [`STOP_WITHIN`]. It is ending all the same.
    pub(crate) async fn stop(&self, keys: Vec<AccountKey>) -> Result<(), Error> {
        let endings = self.ask(|reply| Command::Stop(keys, reply)).await?;
        let ended = endings.into_iter().map(|ending| async move {
            time::timeout(STOP_WITHIN, ending.gone.cancelled())
                .await
                .map_err(|_| Error::StillEnding(ending.key))
        });
        join_all(ended).await.into_iter().collect()
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.commands
            .send(command(reply))
            .await
            .map_err(|_| Error::Ending)?;
        answer.await.map_err(|_| Error::Ending)
    }
}

/// An account as it is kept.
struct Running {
    entry: Entry,
    /// Stopped by hand: a new configuration does not start it.
    stopped: bool,
    /// Its supervisor, while there is one.
    task: Option<Task>,
}

struct Task {
    end: CancellationToken,
    gone: CancellationToken,
}

/// The task that owns all of it.
struct Actor {
    deps: Deps,
    view: ViewWriter,
    leases: Leases,
    defaults: BTreeMap<String, String>,
    /// All of them, as the newest revision has them.
    platforms: Platforms,
    running: BTreeMap<AccountKey, Running>,
    /// Those that were asked to end, also where the account is not configured any more.
    ending: BTreeMap<AccountKey, CancellationToken>,
    tasks: TaskTracker,
}

impl Actor {
    async fn run(
        mut self,
        mut config: ConfigHandle<Config>,
        mut commands: mpsc::Receiver<Command>,
        end: Drain,
    ) {
        let mut brought = self.deps.brought.clone();
        let mut revision = tokio::select! {
            revision = config.ready() => revision,
            () = end.requested() => return,
        };
        self.apply(&revision).await;
        loop {
            tokio::select! {
                () = end.requested() => break,
                newest = config.changed() => {
                    revision = newest;
                    self.apply(&revision).await;
                }
                Ok(()) = brought.changed() => self.apply(&revision).await,
                () = self.leases.due() => self.renew().await,
                Some(command) = commands.recv() => self.obey(command),
            }
        }
        for running in self.running.values() {
            if let Some(task) = &running.task {
                task.end.cancel();
            }
        }
        self.tasks.close();
        self.tasks.wait().await;
        self.leases.release().await;
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Start(keys, reply) => {
                for key in keys {
                    if let Some(running) = self.running.get_mut(&key) {
                        running.stopped = false;
                    }
                    self.start(&key);
                }
                let _ = reply.send(());
            }
            Command::Stop(keys, reply) => {
                let mut endings = Vec::new();
                for key in keys {
                    if let Some(running) = self.running.get_mut(&key) {
                        running.stopped = true;
                    }
                    self.stop(&key);
                    let gone = self.ending.get(&key).cloned();
                    endings.extend(gone.map(|gone| Ending { key, gone }));
                }
                let _ = reply.send(endings);
            }
        }
    }

    /// Makes what runs equal to what is configured.
    async fn apply(&mut self, revision: &Revision<Config>) {
        let config = &revision.value;
        self.ending.retain(|_, gone| !gone.is_cancelled());
        self.deps.media.reached_at(config.gateway.public_origin.clone());
        let brought = self.deps.brought.borrow().entries(&config.plugins);
        self.platforms = self.deps.platforms.with(brought);
        let wanted = Accounts::read(config, &self.platforms, &revision.left_out);
        let known: Vec<AccountKey> = self.running.keys().cloned().collect();
        for key in known {
            if !wanted.by_key.contains_key(&key) {
                tracing::info!(account.id = %key, "an account was removed");
                self.stop(&key);
                self.running.remove(&key);
            }
        }
        self.leases.want(wanted.by_key.keys().cloned());
        for (key, account) in wanted.by_key {
            self.configure(key, account);
        }
        self.defaults = wanted.defaults;
        self.leases.claim().await;
        self.follow_leases();
    }

    /// Keeps what is held, takes over what became free, and ends what somebody else has.
    async fn renew(&mut self) {
        if self.leases.claim().await {
            self.follow_leases();
        }
    }

    /// Makes what runs equal to what is held.
    fn follow_leases(&mut self) {
        let lost: Vec<AccountKey> = self
            .running
            .iter()
            .filter(|(key, running)| running.task.is_some() && !self.leases.holds(key))
            .map(|(key, _)| key.clone())
            .collect();
        for key in lost {
            tracing::warn!(account.id = %key, "an account belongs to another bridge now");
            self.stop(&key);
        }
        let accounts = self
            .running
            .iter()
            .map(|(key, running)| (key.clone(), running.entry.clone()))
            .collect();
        // Seen before it runs: a message that comes in at once finds its account's policy.
        self.view.send_replace(Some(Arc::new(View {
            accounts,
            defaults: self.defaults.clone(),
            platforms: self.platforms.clone(),
        })));
        report::look();
        let due: Vec<AccountKey> = self
            .running
            .iter()
            .filter(|(_, running)| running.entry.config.enabled && !running.stopped && running.task.is_none())
            .map(|(key, _)| key.clone())
            .collect();
        for key in due {
            self.start(&key);
        }
    }

    /// Takes over how one account is configured, and ends what is not wanted like that any more.
    fn configure(&mut self, key: AccountKey, account: Account) {
        let mut stopped = false;
        if let Some(running) = self.running.get_mut(&key) {
            let old = &running.entry.config;
            if let Err(why) = &account.connector
                && account.waits
                && old.waits
            {
                running.entry.progress.enter(State::Backoff, Some(why.clone()));
            }
            if let Err(why) = &account.connector
                && !account.waits
                && old.connector.as_ref().is_err_and(|before| before != why)
            {
                running.entry.progress.enter(State::Failed, Some(why.clone()));
            }
            if old.connects_like(&account) && old.connector.is_ok() == account.connector.is_ok() {
                running.entry.config = account;
                if !running.entry.config.enabled {
                    self.stop(&key);
                }
                return;
            }
            tracing::info!(account.id = %key, "an account is configured anew");
            stopped = running.stopped;
            self.stop(&key);
        }
        let entry = self.entry(account);
        // It is about to run: whoever looks before its task does so must not take it for one that nobody wants.
        if entry.adapter.is_some() && entry.config.enabled && !stopped {
            entry.progress.enter(State::Starting, None);
        }
        let running = Running {
            entry,
            stopped,
            task: None,
        };
        self.running.insert(key, running);
    }

    fn entry(&self, config: Account) -> Entry {
        let clock = self.deps.clock.clone();
        let progress = Progress::new(clock.clone());
        let adapter = match &config.connector {
            Ok(connector) => Some(connector.open(platform::Deps {
                account: config.key.clone(),
                clock,
                state: AccountState::new(config.key.clone(), self.deps.stores.accounts.clone()),
                media: self.deps.media.clone(),
            })),
            Err(problem) if config.waits => {
                tracing::info!(account.id = %config.key, reason = problem, "an account waits for its plugin");
                progress.enter(State::Backoff, Some(problem.clone()));
                None
            }
            Err(problem) => {
                tracing::error!(account.id = %config.key, problem, "an account cannot work as it is configured");
                progress.enter(State::Failed, Some(problem.clone()));
                None
            }
        };
        let inbound = InboundSink::new(config.key.clone(), Arc::clone(&self.deps.inbox), progress.clone());
        Entry {
            config,
            progress,
            adapter,
            inbound,
            hints: Hints::default(),
        }
    }

    fn start(&mut self, key: &AccountKey) {
        let Some(running) = self.running.get(key) else {
            return;
        };
        // One that failed is started anew; one that runs is left alone.
        if running.entry.progress.snapshot().state == State::Failed {
            self.stop(key);
        }
        let Some(running) = self.running.get_mut(key) else {
            return;
        };
        let entry = &running.entry;
        if !self.leases.holds(key) {
            entry.progress.enter(State::Standby, None);
            return;
        }
        let Some(adapter) = entry.adapter.clone().filter(|_| running.task.is_none()) else {
            return;
        };
        let (requests, line) = watch::channel(None);
        let lines = Lines {
            requests,
            hints: entry.hints.clone(),
        };
        self.deps
            .outbox
            .shape(key, adapter.capabilities(), adapter.limits());
        let worker = Worker {
            account: key.clone(),
            lease: self.deps.stores.lease(key),
            look_every: self.deps.stores.leases.look_every(),
            capabilities: adapter.capabilities(),
            limits: adapter.limits(),
            adapter,
            store: Arc::clone(&self.deps.stores.outbox),
            clock: self.deps.clock.clone(),
            progress: entry.progress.clone(),
            metrics: self.deps.metrics.clone(),
            wake: self.deps.outbox.wake(key),
            drops: self.deps.outbox.drops(),
            media: self.deps.media.clone(),
            previews: self.deps.previews.clone(),
            line,
        };
        let task = Task {
            end: CancellationToken::new(),
            gone: CancellationToken::new(),
        };
        let (end, gone) = (task.end.clone(), task.gone.clone().drop_guard());
        let (inbound, before) = (entry.inbound.clone(), self.ending.remove(key));
        self.tasks.spawn(async move {
            let _gone = gone;
            if let Some(before) = before {
                after(before, &worker).await;
            }
            if end.is_cancelled() {
                worker.progress.enter(State::Stopped, None);
            } else {
                supervise(worker, lines, inbound, end).await;
            }
        });
        running.task = Some(task);
    }

    /// Asks an account's tasks to end. Who needs to know when they have looks at [`Self::ending`].
    fn stop(&mut self, key: &AccountKey) {
        if let Some(task) = self.running.get_mut(key).and_then(|running| running.task.take()) {
            task.end.cancel();
            self.ending.insert(key.clone(), task.gone);
        }
    }
}

/// Waits until nothing is left of the account's last run.
async fn after(before: CancellationToken, worker: &Worker) {
    if time::timeout(STOP_WITHIN, before.cancelled()).await.is_err() {
        let reason = "the connection before does not end; restart the bridge if this stays".to_owned();
        tracing::error!(account.id = %worker.account, reason, "an account cannot start yet");
        worker.progress.enter(State::Backoff, Some(reason));
        before.cancelled().await;
    }
}

#[cfg(test)]
mod tests;
