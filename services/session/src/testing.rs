//! What the tests of this crate share: a store in a temporary folder, an agent service that a test plays itself over a
//! real socket, and the events as they go out.

mod agent;
mod devices;
mod recorded;
mod scheduled;
mod seen;

use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::client::Peer;
use gatehouse_core::credential::Directory;
use gatehouse_core::publish::{Published, Publisher};
use gatehouse_core::{Address, Clock, Drain, Identity, Secret};
use gatehouse_proto::broadcast::v1::{Event, Rendition};
use gatehouse_proto::session::v1 as proto;
use prost::Message as _;
use tempfile::TempDir;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time;

use crate::deliveries::Recall;
use crate::id::{EntryId, RunId};
use crate::key::SessionKey;
use crate::media::{Links, Media};
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::rows::plain;
use crate::store::{self, Admission, Brought, EntryExtra, NewEntry, Reply, Role, Seed, Stores, Target};
use crate::turns::queue::{DropPolicy, QueueMode, QueueRule};
use crate::turns::{Engine, Parts, Timing};
use crate::viewer::Viewer;
use crate::workspace::Workspaces;

pub(crate) use self::agent::{Call, serve_agent};
pub(crate) use self::devices::FakeDevices;
use self::recorded::{Asked, recorded};
pub(crate) use self::scheduled::{FRIDAY_MS, Scheduled};
pub(crate) use self::seen::{Aside, Seen};

/// Nothing in a test takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Waits for something, or fails.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// Waits until something holds.
pub(crate) async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    within(what, async {
        while !holds().await {
            time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// An engine and what it says.
pub(crate) struct Running {
    pub(crate) engine: Engine,
    pub(crate) drain: Drain,
    pub(crate) recall: Recall,
    pub(crate) replies: Arc<Notify>,
    events: Published,
    pub(crate) seen: Vec<Seen>,
    /// For which named user alone each of them was.
    pub(crate) seen_by: Vec<Option<String>>,
    /// To which connection alone each of them was, and to which not.
    pub(crate) sent_to: Vec<(Option<String>, Vec<String>)>,
    /// What was said of the list of tasks.
    pub(crate) tasks: Vec<proto::TaskEvent>,
    pub(crate) policy: watch::Sender<Option<Arc<Policy>>>,
}

/// The socket of the bridge, in the bench's folder.
pub(crate) const BRIDGE: &str = "bridge.sock";

impl Running {
    /// Reads events up to the first that is wanted, and answers it.
    pub(crate) async fn see(&mut self, what: &str, wanted: impl Fn(&Seen) -> bool) -> Seen {
        loop {
            let event = within(what, self.events.recv())
                .await
                .expect("the engine is there");
            let Some(seen) = self.take(event) else { continue };
            if wanted(&seen) {
                return seen;
            }
        }
    }

    /// Reads up to the end of a run.
    pub(crate) async fn end_of(&mut self, run: &str) -> Box<proto::ChatEvent> {
        let wanted = |seen: &Seen| seen.terminal().is_some_and(|(ended, _)| ended == run);
        match self.see(&format!("the end of {run}"), wanted).await {
            Seen::Chat(event, _) => event,
            Seen::Agent(..) | Seen::Row(_) | Seen::Changed(_) | Seen::Aside(_) => unreachable!(),
        }
    }

    /// Reads whatever is there by now.
    pub(crate) fn rest(&mut self) {
        while let Some(event) = self.events.try_recv() {
            self.take(event);
        }
    }

    fn take(&mut self, event: Event) -> Option<Seen> {
        let Some(seen) = Seen::read(&event) else {
            self.tasks.push(proto::TaskEvent::decode(event.payload).unwrap());
            return None;
        };
        self.seen.push(seen.clone());
        self.seen_by.push(event.user_id);
        self.sent_to
            .push((event.connection_id, event.except_connection_ids));
        Some(seen)
    }

    /// Waits until the screens have this text.
    pub(crate) async fn sees_text(&mut self, text: &str) {
        let shows =
            |seen: &Seen| matches!(seen, Seen::Chat(event, _) if event.delta_text.as_deref() == Some(text));
        self.see("the text", shows).await;
    }

    /// What stands on a screen that follows one rendition of a run.
    pub(crate) fn screen(&self, run: &str, followed: Rendition) -> String {
        let mut screen = String::new();
        for seen in &self.seen {
            if let Seen::Chat(event, rendition) = seen
                && event.run_id == run
                && *rendition == followed
                && let Some(text) = &event.delta_text
            {
                if event.replace == Some(true) {
                    screen.clear();
                }
                screen.push_str(text);
            }
        }
        screen
    }

    /// The numbers of a run's chat events as they went out.
    pub(crate) fn seqs(&self, run: &str) -> Vec<i64> {
        let seqs = self.seen.iter().filter_map(|seen| match seen {
            Seen::Chat(event, _) if event.run_id == run => Some(event.seq),
            Seen::Chat(..) | Seen::Agent(..) | Seen::Row(_) | Seen::Changed(_) | Seen::Aside(_) => None,
        });
        seqs.collect()
    }

    pub(crate) fn labels(&self) -> Vec<String> {
        self.seen.iter().map(Seen::label).collect()
    }

    /// How often the end of a run was said.
    pub(crate) fn ends(&self, run: &str) -> usize {
        self.seen
            .iter()
            .filter(|seen| seen.terminal().is_some_and(|(ended, _)| ended == run))
            .count()
    }

    /// Dies: begins nothing new. What runs stays as it is, until another engine takes it away.
    pub(crate) fn die(&mut self) {
        self.drain.start();
        self.rest();
    }
}

/// The running around an engine.
pub(crate) struct Bench {
    pub(crate) folder: TempDir,
    pub(crate) stores: Stores,
    /// What was asked of the stores.
    pub(crate) asked: Asked,
    pub(crate) calls: mpsc::Receiver<Call>,
    pub(crate) agent: Peer,
    pub(crate) drain: Drain,
    pub(crate) clock: Clock,
    /// The times of the engines.
    pub(crate) timing: Timing,
    credential: Secret,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let opened = store::open(&folder.path().join("session.db")).unwrap();
        let (stores, asked) = recorded(opened.stores);
        let (sender, calls) = mpsc::channel(64);
        let (drain, credential) = (Drain::new(), Secret::generate());
        let address = serve_agent(folder.path(), sender, &credential, &drain).await;
        let agent = Peer::lazy(&address, &credential);
        Self {
            folder,
            stores,
            asked,
            calls,
            agent,
            drain,
            clock: Clock::system(),
            timing: Timing {
                renew: Duration::from_millis(50),
                retry: Duration::from_millis(10),
                ..Timing::default()
            },
            credential,
        }
    }

    /// Where the files of agents are.
    pub(crate) fn workspaces(&self) -> std::path::PathBuf {
        self.folder.path().join("workspace")
    }

    /// A peer that nobody serves yet.
    pub(crate) fn peer(&self, name: &str) -> (Peer, Address) {
        let address = Address::Unix(self.folder.path().join(name));
        (Peer::lazy(&address, &self.credential), address)
    }

    /// Who is known to the fakes: the session service, by what the peers here show.
    pub(crate) fn callers(&self) -> Directory {
        Directory::of([(Identity::Session, &self.credential)])
    }

    pub(crate) fn run(&self, config: &str) -> Running {
        self.run_with(config, self.agent.clone())
    }

    pub(crate) fn run_with(&self, config: &str, agent: Peer) -> Running {
        self.run_timed(config, agent, PATIENCE * 60)
    }

    /// An engine whose runs may go on for so long when it is asked to end.
    pub(crate) fn run_timed(&self, config: &str, agent: Peer, grace: Duration) -> Running {
        let drain = Drain::new();
        let (publisher, events) = Publisher::for_tests();
        let policy = Policy::read(&serde_json::from_str(config).unwrap());
        let (policy, policies) = watch::channel(Some(Arc::new(policy)));
        let replies = Arc::new(Notify::new());
        let links = Links::new(Secret::generate(), self.clock.clone());
        let media = Media::new(
            self.folder.path().join("media"),
            Arc::clone(&self.stores.media),
            links,
            self.clock.clone(),
        );
        let engine = Engine::new(Parts {
            stores: self.stores.clone(),
            media,
            agent: agent.service(),
            publisher,
            policy: policies,
            clock: self.clock.clone(),
            timing: Timing {
                drain: Some(grace),
                ..self.timing
            },
            replies: Arc::clone(&replies),
            metrics: Metrics::default(),
            drain: drain.clone(),
            workspaces: Workspaces::new(self.workspaces()),
        });
        drain.spawn("turns", engine.clone().run());
        let recall = Recall::new(
            Arc::clone(&self.stores.deliveries),
            self.peer(BRIDGE).0.service(),
            self.clock.clone(),
            drain.clone(),
        );
        Running {
            engine,
            drain,
            recall,
            replies,
            events,
            seen: Vec::new(),
            seen_by: Vec::new(),
            sent_to: Vec::new(),
            tasks: Vec::new(),
            policy,
        }
    }

    pub(crate) async fn call(&mut self) -> Call {
        within("a call of the agent service", self.calls.recv())
            .await
            .expect("the fake agent is there")
    }
}

pub(crate) fn key(rest: &str) -> SessionKey {
    SessionKey::parse(&format!("agent:main:{rest}")).unwrap()
}

pub(crate) fn room(to: &str) -> Target {
    Target {
        channel: "irc".into(),
        account_id: "home".into(),
        to: to.into(),
        thread_id: None,
        reply_to_id: None,
    }
}

/// A message in the main session.
pub(crate) fn message(run: &str, text: &str) -> Admission {
    let now = Clock::system().now();
    Admission {
        key: key("main"),
        run: RunId::new(run),
        entry: NewEntry {
            id: EntryId::generate(),
            role: Role::User,
            content: plain(text),
            preview: text.to_owned(),
            timestamp: now,
            run: Some(RunId::new(run)),
            boundary: false,
            in_context: true,
            extra: EntryExtra::default(),
        },
        fingerprint: text.as_bytes().to_vec(),
        queue: QueueRule {
            mode: QueueMode::Followup,
            quiet_ms: 30,
            cap: 20,
            drop: DropPolicy::New,
        },
        reply: Reply::Clients,
        viewer: Viewer::Owner,
        seed: Seed::default(),
        expected_session: None,
        sender: None,
        inbound: None,
        model: None,
        thinking: None,
        timeout_ms: None,
        task: None,
        brought: Brought::default(),
        life: None,
        trace: gatehouse_core::trace::Context::new(),
        now,
    }
}

/// The same, joining the queue in another way.
pub(crate) fn queued_as(mode: QueueMode, message: Admission) -> Admission {
    Admission {
        queue: QueueRule {
            mode,
            ..message.queue
        },
        ..message
    }
}
