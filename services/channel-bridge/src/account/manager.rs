//! Owns which accounts run. Follows the configuration: an account whose connection is configured anew is restarted, and no
//! other; a change of policy is taken over without a restart.

use std::{collections::BTreeMap, fmt, sync::Arc};

use gatehouse_core::{Clock, Drain, config::ConfigHandle, report};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    progress::{Progress, State},
    supervisor::{Lines, supervise},
};
use crate::{
    adapter::{AccountKey, Adapter, Hints, Inbound, Receive},
    config::{Account, Accounts, Config, Platform},
    error::Error,
    irc::Irc,
    metrics::Metrics,
    outbox::{Outbox, dispatch::Worker},
    store::Store,
    webhook::Webhook,
};

/// Commands that wait: an operator starts and stops by hand.
const COMMANDS_MAX: usize = 16;

/// What everybody may know of an account.
#[derive(Clone)]
pub struct Entry {
    /// How it is configured.
    pub config: Account,
    /// How it is.
    pub progress: Progress,
    /// Its adapter; unset when it cannot run as it is configured.
    pub adapter: Option<Arc<dyn Adapter>>,
    /// The way in.
    pub inbound: Inbound,
    /// Where it is told that somebody is being answered.
    pub hints: Hints,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("account", &self.config.key)
            .finish_non_exhaustive()
    }
}

/// All accounts.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// By key.
    pub accounts: BTreeMap<AccountKey, Entry>,
    /// The account that is meant when none is named, by channel.
    pub defaults: BTreeMap<String, String>,
}

enum Command {
    Start(Vec<AccountKey>, oneshot::Sender<()>),
    Stop(Vec<AccountKey>, oneshot::Sender<()>),
}

/// A handle on the accounts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Manager {
    commands: mpsc::Sender<Command>,
    view: watch::Receiver<Option<Arc<View>>>,
}

/// What accounts are made with.
#[derive(Clone)]
pub(crate) struct Tools {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) outbox: Outbox,
    pub(crate) sink: Arc<dyn Receive>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
}

/// Where the owner puts the view, once there is a configuration.
pub(crate) type ViewWriter = watch::Sender<Option<Arc<View>>>;

impl Manager {
    /// Starts the accounts and keeps them as configured until the drain.
    pub(crate) fn spawn(config: ConfigHandle<Config>, tools: Tools, view: ViewWriter, drain: &Drain) -> Self {
        let (commands, waiting) = mpsc::channel(COMMANDS_MAX);
        let manager = Self {
            commands,
            view: view.subscribe(),
        };
        let owner = Owner {
            tools,
            view,
            running: BTreeMap::new(),
            tasks: TaskTracker::new(),
        };
        let end = drain.clone();
        drain.spawn("accounts", async move { owner.run(config, waiting, end).await });
        manager
    }

    /// What is known of the accounts.
    ///
    /// # Errors
    /// While the configuration is not there.
    pub fn view(&self) -> Result<Arc<View>, Error> {
        self.view.borrow().clone().ok_or(Error::NotReady)
    }

    /// Starts accounts. Those that run are left alone.
    ///
    /// # Errors
    /// When the bridge ends.
    pub async fn start(&self, keys: Vec<AccountKey>) -> Result<(), Error> {
        self.ask(|reply| Command::Start(keys, reply)).await
    }

    /// Stops accounts, until they are started or the bridge restarts.
    ///
    /// # Errors
    /// When the bridge ends.
    pub async fn stop(&self, keys: Vec<AccountKey>) -> Result<(), Error> {
        self.ask(|reply| Command::Stop(keys, reply)).await
    }

    async fn ask(&self, command: impl FnOnce(oneshot::Sender<()>) -> Command) -> Result<(), Error> {
        let (reply, answer) = oneshot::channel();
        self.commands
            .send(command(reply))
            .await
            .map_err(|_| Error::Ending)?;
        answer.await.map_err(|_| Error::Ending)
    }
}

/// An account as its owner knows it.
struct Running {
    entry: Entry,
    /// Stopped by hand: a new configuration does not start it.
    stopped: bool,
    /// Its supervisor, while there is one.
    task: Option<(CancellationToken, oneshot::Receiver<()>)>,
}

struct Owner {
    tools: Tools,
    view: ViewWriter,
    running: BTreeMap<AccountKey, Running>,
    tasks: TaskTracker,
}

impl Owner {
    async fn run(
        mut self,
        mut config: ConfigHandle<Config>,
        mut commands: mpsc::Receiver<Command>,
        end: Drain,
    ) {
        tokio::select! {
            revision = config.ready() => self.apply(&revision.value).await,
            () = end.requested() => return,
        }
        loop {
            tokio::select! {
                () = end.requested() => break,
                revision = config.changed() => self.apply(&revision.value).await,
                Some(command) = commands.recv() => match command {
                    Command::Start(keys, reply) => {
                        for key in keys {
                            self.start(&key).await;
                        }
                        let _ = reply.send(());
                    }
                    Command::Stop(keys, reply) => {
                        for key in keys {
                            if let Some(running) = self.running.get_mut(&key) {
                                running.stopped = true;
                                stop(running).await;
                            }
                        }
                        let _ = reply.send(());
                    }
                },
            }
        }
        for running in self.running.values_mut() {
            if let Some((token, _)) = &running.task {
                token.cancel();
            }
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Makes what runs equal to what is configured.
    async fn apply(&mut self, config: &Config) {
        let wanted = Accounts::read(config);
        let gone: Vec<AccountKey> = self
            .running
            .keys()
            .filter(|key| !wanted.by_key.contains_key(key))
            .cloned()
            .collect();
        for key in gone {
            if let Some(mut running) = self.running.remove(&key) {
                tracing::info!(account = %key, "an account was removed");
                stop(&mut running).await;
            }
        }
        let mut due = Vec::new();
        for (key, account) in wanted.by_key {
            let stopped = match self.running.get_mut(&key) {
                Some(running)
                    if running.entry.config.connects_like(&account)
                        && running.entry.config.platform.is_ok() == account.platform.is_ok() =>
                {
                    running.entry.config = account;
                    if !running.entry.config.enabled {
                        stop(running).await;
                    } else if running.task.is_none() && !running.stopped {
                        due.push(key);
                    }
                    continue;
                }
                Some(running) => {
                    tracing::info!(account = %key, "an account is configured anew");
                    stop(running).await;
                    running.stopped
                }
                None => false,
            };
            let enabled = account.enabled;
            let entry = self.entry(account);
            self.running.insert(
                key.clone(),
                Running {
                    entry,
                    stopped,
                    task: None,
                },
            );
            if enabled && !stopped {
                due.push(key);
            }
        }
        let accounts = self
            .running
            .iter()
            .map(|(key, running)| (key.clone(), running.entry.clone()))
            .collect();
        // Seen before it runs: a message that comes in at once finds its account's policy.
        self.view.send_replace(Some(Arc::new(View {
            accounts,
            defaults: wanted.defaults,
        })));
        report::look();
        for key in due {
            self.start(&key).await;
        }
    }

    fn entry(&self, config: Account) -> Entry {
        let clock = self.tools.clock.clone();
        let progress = Progress::new(clock.clone());
        let adapter: Option<Arc<dyn Adapter>> = match &config.platform {
            Ok(Platform::Irc(irc)) => Some(Arc::new(Irc::new(irc.as_ref().clone(), clock))),
            Ok(Platform::Webhook(webhook)) => {
                let webhook = webhook.as_ref().clone();
                Some(Arc::new(Webhook::new(config.key.clone(), webhook, clock)))
            }
            Err(problem) => {
                tracing::error!(account = %config.key, problem, "an account cannot work as it is configured");
                progress.enter(State::Failed, Some(problem.clone()));
                None
            }
        };
        let inbound = Inbound::new(config.key.clone(), Arc::clone(&self.tools.sink), progress.clone());
        Entry {
            config,
            progress,
            adapter,
            inbound,
            hints: Hints::default(),
        }
    }

    async fn start(&mut self, key: &AccountKey) {
        let Some(running) = self.running.get_mut(key) else {
            return;
        };
        running.stopped = false;
        // One that failed is started anew; one that runs is left alone.
        if running.entry.progress.snapshot().state == State::Failed {
            stop(running).await;
        }
        let Some(adapter) = running.entry.adapter.clone().filter(|_| running.task.is_none()) else {
            return;
        };
        let (requests, line) = watch::channel(None);
        let lines = Lines {
            requests,
            hints: running.entry.hints.clone(),
        };
        let worker = Worker {
            account: key.clone(),
            limits: adapter.limits(),
            adapter,
            store: Arc::clone(&self.tools.store),
            clock: self.tools.clock.clone(),
            progress: running.entry.progress.clone(),
            metrics: self.tools.metrics.clone(),
            wake: self.tools.outbox.wake(key),
            line,
        };
        let token = CancellationToken::new();
        let (gone, ended) = oneshot::channel::<()>();
        let supervised = supervise(worker, lines, running.entry.inbound.clone(), token.clone());
        self.tasks.spawn(async move {
            supervised.await;
            drop(gone);
        });
        running.task = Some((token, ended));
    }
}

/// Ends an account's tasks and waits until nothing of them is left.
async fn stop(running: &mut Running) {
    if let Some((token, ended)) = running.task.take() {
        token.cancel();
        let _ = ended.await;
    }
}
