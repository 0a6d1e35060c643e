//! What the tests of this crate share: a store in a temporary folder, an agent service that a test plays itself over a
//! real socket, and the events as they go out.

mod recorded;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::client::Peer;
use gatehouse_core::credential::Directory;
use gatehouse_core::publish::{Published, Publisher};
use gatehouse_core::server::Server;
use gatehouse_core::{Address, Clock, Content, Drain, Health, Identity, Listener, Secret};
use gatehouse_proto::agent::v1 as agent;
use gatehouse_proto::agent::v1::agent_service_server::{AgentService, AgentServiceServer};
use gatehouse_proto::agent::v1::run_turn_response::Event as TurnEvent;
use gatehouse_proto::agent::v1::turn_message::Role as Speaker;
use gatehouse_proto::broadcast::v1::{Event, Rendition};
use gatehouse_proto::session::v1 as proto;
use prost::{Message, Name};
use tempfile::TempDir;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use crate::id::{EntryId, RunId};
use crate::key::SessionKey;
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::rows::plain;
use crate::store::{self, Admission, EntryExtra, NewEntry, Reply, Role, Seed, Stores, Target};
use crate::turns::queue::{DropPolicy, QueueMode, QueueRule};
use crate::turns::{Engine, Parts, Timing};

use self::recorded::{Asked, recorded};

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

/// A call that the agent service received; the test answers it.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) request: agent::RunTurnRequest,
    answer: mpsc::Sender<Result<agent::RunTurnResponse, Status>>,
}

impl Call {
    pub(crate) async fn event(&self, event: TurnEvent) {
        let _cancelled = self
            .answer
            .send(Ok(agent::RunTurnResponse { event: Some(event) }))
            .await;
    }

    pub(crate) async fn text(&self, text: &str) {
        self.event(TurnEvent::TextDelta(agent::TextDelta {
            text: text.to_owned(),
        }))
        .await;
    }

    /// A message is finished, and the turn goes on.
    pub(crate) async fn entry(&self, role: Speaker, json: &str) {
        let content = Content::from_json(json).unwrap();
        self.event(TurnEvent::Entry(agent::TurnEntry {
            role: role.into(),
            content: Some(content.into()),
        }))
        .await;
    }

    /// Ends it well.
    pub(crate) async fn done(self) {
        self.done_with(None).await;
    }

    /// Ends it well, with a last message that is more than its text.
    pub(crate) async fn done_with(self, json: Option<&str>) {
        self.event(TurnEvent::Completed(agent::Completed {
            stop_reason: "stop".to_owned(),
            usage: Some(agent::Usage {
                input: 1,
                output: 2,
                total_tokens: 3,
            }),
            provider: "p".to_owned(),
            model: "m".to_owned(),
            content: json.map(|json| Content::from_json(json).unwrap().into()),
        }))
        .await;
    }

    pub(crate) async fn fail(self, kind: agent::FailureKind, message: &str) {
        let message = message.to_owned();
        self.event(TurnEvent::Failed(agent::Failed {
            kind: kind.into(),
            message,
            provider: None,
            model: None,
        }))
        .await;
    }

    /// Breaks off, as a dying process does.
    pub(crate) async fn break_off(self) {
        let _cancelled = self.answer.send(Err(Status::unavailable("gone"))).await;
    }

    /// Waits until the caller hung up.
    pub(crate) async fn cancelled(&self) {
        within("the cancellation of a call", self.answer.closed()).await;
    }

    /// What was said, oldest first.
    pub(crate) fn texts(&self) -> Vec<&str> {
        self.request
            .messages
            .iter()
            .map(|message| message.text.as_str())
            .collect()
    }
}

struct FakeAgent(mpsc::Sender<Call>);

#[tonic::async_trait]
impl AgentService for FakeAgent {
    type RunTurnStream = ReceiverStream<Result<agent::RunTurnResponse, Status>>;

    async fn list_models(
        &self,
        _: Request<agent::ListModelsRequest>,
    ) -> Result<Response<agent::ListModelsResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn run_turn(
        &self,
        request: Request<agent::RunTurnRequest>,
    ) -> Result<Response<Self::RunTurnStream>, Status> {
        let (answer, events) = mpsc::channel(64);
        let call = Call {
            request: request.into_inner(),
            answer,
        };
        self.0
            .send(call)
            .await
            .map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(ReceiverStream::new(events)))
    }
}

/// Something that went out.
#[derive(Clone, Debug)]
pub(crate) enum Seen {
    Chat(Box<proto::ChatEvent>, Rendition),
    Agent(Box<proto::AgentEvent>, Rendition),
    Row(Box<proto::SessionMessageEvent>),
    Changed(Box<proto::SessionsChangedEvent>),
}

impl Seen {
    fn read(event: &Event) -> Self {
        let rendition = event.rendition();
        let bytes = event.payload.clone();
        let name = event.r#type.as_str();
        if name == proto::ChatEvent::full_name() {
            Self::Chat(Box::new(proto::ChatEvent::decode(bytes).unwrap()), rendition)
        } else if name == proto::AgentEvent::full_name() {
            Self::Agent(Box::new(proto::AgentEvent::decode(bytes).unwrap()), rendition)
        } else if name == proto::SessionMessageEvent::full_name() {
            Self::Row(Box::new(proto::SessionMessageEvent::decode(bytes).unwrap()))
        } else {
            Self::Changed(Box::new(proto::SessionsChangedEvent::decode(bytes).unwrap()))
        }
    }

    /// A few words, for comparisons.
    pub(crate) fn label(&self) -> String {
        let mark = |rendition: &Rendition| match rendition {
            Rendition::Unspecified => "",
            Rendition::Increment => " +",
            Rendition::Cumulative => " =",
        };
        match self {
            Self::Chat(event, rendition) => format!(
                "chat {}{}{}",
                event
                    .state()
                    .as_str_name()
                    .trim_start_matches("STATE_")
                    .to_lowercase(),
                event
                    .delta_text
                    .as_ref()
                    .map(|text| format!(" '{text}'"))
                    .unwrap_or_default(),
                mark(rendition)
            ),
            Self::Agent(event, rendition) => {
                let data: serde_json::Value = serde_json::from_str(&event.data).unwrap();
                let phase = data
                    .get("phase")
                    .and_then(|phase| phase.as_str())
                    .unwrap_or_default();
                format!("agent {} {phase}{}", event.stream, mark(rendition)).replace("  ", " ")
            }
            Self::Row(event) => format!("row {}", event.message.as_ref().unwrap().role),
            Self::Changed(event) => format!("changed {}", event.reason),
        }
    }

    /// The run and the state, when it is the end of a run.
    pub(crate) fn terminal(&self) -> Option<(&str, proto::chat_event::State)> {
        use proto::chat_event::State;
        match self {
            Self::Chat(event, _) => match event.state() {
                state @ (State::Final | State::Aborted | State::Error) => Some((&event.run_id, state)),
                State::Unspecified | State::Status | State::Delta => None,
            },
            Self::Agent(..) | Self::Row(_) | Self::Changed(_) => None,
        }
    }
}

/// An engine and what it says.
pub(crate) struct Running {
    pub(crate) engine: Engine,
    pub(crate) drain: Drain,
    pub(crate) replies: Arc<Notify>,
    events: Published,
    pub(crate) seen: Vec<Seen>,
    pub(crate) policy: watch::Sender<Option<Arc<Policy>>>,
}

impl Running {
    /// Reads events up to the first that is wanted, and answers it.
    pub(crate) async fn see(&mut self, what: &str, wanted: impl Fn(&Seen) -> bool) -> Seen {
        loop {
            let event = within(what, self.events.recv())
                .await
                .expect("the engine is there");
            let seen = Seen::read(&event);
            self.seen.push(seen.clone());
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
            Seen::Agent(..) | Seen::Row(_) | Seen::Changed(_) => unreachable!(),
        }
    }

    /// Reads whatever is there by now.
    pub(crate) fn rest(&mut self) {
        while let Some(event) = self.events.try_recv() {
            self.seen.push(Seen::read(&event));
        }
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
            Seen::Chat(..) | Seen::Agent(..) | Seen::Row(_) | Seen::Changed(_) => None,
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

/// The house around an engine.
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
        let engine = Engine::new(Parts {
            stores: self.stores.clone(),
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
        });
        drain.spawn("turns", engine.clone().run());
        Running {
            engine,
            drain,
            replies,
            events,
            seen: Vec::new(),
            policy,
        }
    }

    pub(crate) async fn call(&mut self) -> Call {
        within("a call of the agent service", self.calls.recv())
            .await
            .expect("the fake agent is there")
    }
}

/// Serves the fake agent; answers where.
pub(crate) async fn serve_agent(
    folder: &Path,
    calls: mpsc::Sender<Call>,
    secret: &Secret,
    drain: &Drain,
) -> Address {
    let address = Address::Unix(folder.join("agent.sock"));
    let listener = Listener::bind(&address).await.unwrap();
    let callers = Directory::of([(Identity::Session, secret)]);
    let server = Server::new(listener, callers, Health::new()).add(AgentServiceServer::new(FakeAgent(calls)));
    let end = drain.clone();
    drain.spawn("fake agent", async move { server.run(end).await.unwrap() });
    address
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
    let now = Clock::system().now_ms();
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
        reply: Reply::Screens,
        seed: Seed::default(),
        expected_session: None,
        inbound: None,
        model: None,
        thinking: None,
        timeout_ms: None,
        traceparent: None,
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
