//! What the screens are told, as typed messages. Nothing here decides; the numbers of a run's events come from outside.

mod aside;

use gatehouse_core::Clock;
use gatehouse_core::publish::{Outgoing, Publisher};
use gatehouse_proto::agent::v1::ContextTrimmed;
use gatehouse_proto::broadcast::v1::Rendition;
use gatehouse_proto::session::v1 as proto;
use gatehouse_proto::session::v1::chat_event::State;
use serde_json::{Value, json};

use crate::agents::Agents;
use crate::id::RunId;
use crate::key::SessionKey;
use crate::media::Links;
use crate::rows::{self, Wanted};
use crate::store::{Entry, SessionRecord, SessionStatus};
use crate::turns::followers::Followers;
use crate::turns::pacing::Piece;
use crate::turns::taps::{self, Taps};

pub(super) use self::aside::Phase;

/// The topic of everything about sessions.
const SESSIONS: &str = "sessions";

/// The way to the screens.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    publisher: Publisher,
    links: Links,
    clock: Clock,
    /// Who is told more of a run than everybody.
    pub(super) followers: Followers,
    /// Programs that read an answer as it is written.
    pub(super) taps: Taps,
}

impl Events {
    /// Where the stream stands behind all that was published so far.
    pub(super) async fn reached(&self) -> Option<u64> {
        self.publisher.reached().await
    }

    pub(crate) fn new(publisher: Publisher, links: Links, clock: Clock) -> Self {
        Self {
            publisher,
            links,
            clock,
            followers: Followers::default(),
            taps: Taps::default(),
        }
    }

    pub(super) fn links(&self) -> &Links {
        &self.links
    }

    /// Events before the next one may never have gone out: screens read their state anew.
    pub(super) fn say_lost(&self) {
        self.publisher.say_lost();
    }

    /// A session changed. `None`: it was gone when it was looked at.
    pub(crate) fn changed(
        &self,
        key: &SessionKey,
        session: Option<&SessionRecord>,
        agents: Option<&Agents>,
        reason: &str,
        run: Option<&RunId>,
    ) {
        let event = proto::SessionsChangedEvent {
            run_id: run.map(ToString::to_string),
            session: session.map(|session| rows::session(session, agents, Wanted::ALL)),
            phase: phase(reason, session).map(str::to_owned),
            ..self.change_of(key, reason)
        };
        let event = Outgoing::new(&event).topic(SESSIONS);
        self.publisher.publish(Whose::of(session).audience(event));
    }

    /// A session is gone, which was this one.
    pub(super) fn gone(&self, session: &SessionRecord) {
        let event = Outgoing::new(&self.change_of(&session.key, "delete")).topic(SESSIONS);
        self.publisher.publish(Whose::of(Some(session)).audience(event));
    }

    fn change_of(&self, key: &SessionKey, reason: &str) -> proto::SessionsChangedEvent {
        proto::SessionsChangedEvent {
            session_key: key.to_string(),
            agent_id: Some(key.agent().to_string()),
            reason: reason.to_owned(),
            ts: self.clock.now_ms(),
            ..proto::SessionsChangedEvent::default()
        }
    }

    /// A row was added to a transcript.
    pub(crate) fn row(&self, entry: &Entry, session: &SessionRecord, agents: Option<&Agents>) {
        let event = proto::SessionMessageEvent {
            session_key: session.key.to_string(),
            agent_id: session.agent.to_string(),
            message: Some(rows::message(entry, &self.links)),
            message_id: entry.row.id.to_string(),
            message_seq: entry.seq,
            session: Some(rows::session(session, agents, Wanted::ALL)),
        };
        let event = Outgoing::new(&event)
            .topic(SESSIONS)
            .topic(session_topic(&session.key));
        self.publisher.publish(Whose::of(Some(session)).audience(event));
    }

    /// A run's own events.
    pub(super) fn of_run(&self, run: &RunId, key: &SessionKey, whose: Whose) -> RunEvents {
        RunEvents {
            events: self.clone(),
            whose,
            id: run.clone(),
            run: run.to_string(),
            key: key.to_string(),
            topic: session_topic(key),
            agent: key.agent().to_string(),
        }
    }
}

/// What a client listens to that follows one session.
fn session_topic(key: impl std::fmt::Display) -> String {
    format!("session/{key}")
}

/// What a run does when a session changes for this reason.
fn phase(reason: &str, session: Option<&SessionRecord>) -> Option<&'static str> {
    match (reason, session.and_then(|session| session.status)) {
        ("agent.run.started", _) => Some("start"),
        ("agent.input.settled", Some(SessionStatus::Failed | SessionStatus::Interrupted)) => Some("error"),
        ("agent.input.settled", _) => Some("end"),
        _ => None,
    }
}

/// A run's own events.
#[derive(Clone, Debug)]
pub(super) struct RunEvents {
    events: Events,
    whose: Whose,
    id: RunId,
    run: String,
    key: String,
    topic: String,
    agent: String,
}

/// Which of the two text streams of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Assistant,
    /// The thinking before it; only in the detailed events.
    Thinking,
}

impl Stream {
    fn word(self) -> &'static str {
        match self {
            Self::Assistant => "assistant",
            Self::Thinking => "thinking",
        }
    }
}

impl RunEvents {
    fn publish(&self, event: Outgoing) {
        self.events.publisher.publish(self.audience(event));
    }

    /// Whoever hears of the session, and of those who follow some sessions only, who follows this one.
    fn audience(&self, event: Outgoing) -> Outgoing {
        self.whose.audience(event).session_topic(&self.topic)
    }

    fn chat(&self, seq: i64, state: State) -> proto::ChatEvent {
        proto::ChatEvent {
            run_id: self.run.clone(),
            session_key: self.key.clone(),
            agent_id: Some(self.agent.clone()),
            seq,
            state: state.into(),
            ..proto::ChatEvent::default()
        }
    }

    fn agent(&self, seq: i64, stream: &str, data: &Value) -> proto::AgentEvent {
        proto::AgentEvent {
            run_id: self.run.clone(),
            seq,
            stream: stream.to_owned(),
            ts: self.events.clock.now_ms(),
            data: data.to_string(),
            session_key: Some(self.key.clone()),
            agent_id: Some(self.agent.clone()),
        }
    }

    /// Before the first word.
    pub(super) fn status(&self, seq: i64, phase: &str) {
        let event = proto::ChatEvent {
            phase: Some(phase.to_owned()),
            ..self.chat(seq, State::Status)
        };
        self.publish(Outgoing::new(&event));
    }

    /// Something about the run as a whole.
    pub(super) fn lifecycle(&self, seq: i64, data: &Value) {
        self.publish(Outgoing::new(&self.agent(seq, "lifecycle", data)));
    }

    /// The model is asked once more. In the words by which the Control UI shows why nothing comes.
    pub(super) fn retrying(&self, seq: i64, message: &str) {
        let data = json!({ "phase": "retrying", "message": message });
        self.publish(Outgoing::new(&self.agent(seq, "run_status", &data)));
    }

    /// The conversation is longer than the model's window: it reads less of it, and the transcript stays as it is. In the words by
    /// which clients know that something was done about the length of a conversation.
    pub(super) fn trimmed(&self, seq: i64, trimmed: &ContextTrimmed) {
        let ContextTrimmed {
            provider,
            model,
            messages_left_out,
            tokens_sent,
            tokens_before,
            context_window,
        } = trimmed;
        let data = json!({
            "phase": "end", "completed": true, "kind": "trimmed", "provider": provider, "model": model,
            "messagesLeftOut": messages_left_out, "tokensBefore": tokens_before, "tokensAfter": tokens_sent,
            "contextWindow": context_window,
        });
        self.publish(Outgoing::new(&self.agent(seq, "compaction", &data)));
    }

    /// A summary is made, or stands.
    pub(super) fn compaction(&self, seq: i64, data: &Value) {
        self.publish(Outgoing::new(&self.agent(seq, "compaction", data)));
    }

    /// What was said so far is a row now: the text that is shown begins anew, and is empty.
    pub(super) fn begin_message(&self, increment: i64, cumulative: i64) {
        let nothing = Piece {
            delta: String::new(),
            detail_whole: true,
        };
        self.events.taps.begin_message(&self.id);
        self.increment(Stream::Assistant, increment, "", true);
        self.cumulative(Stream::Assistant, cumulative, &nothing, "", true);
    }

    /// A run that showed something is run again: for programs that read it.
    pub(super) fn begin_anew(&self) {
        self.events.taps.begin_anew(&self.id);
    }

    /// For programs that read it.
    pub(super) fn tap(&self, piece: &taps::Piece) {
        self.events.taps.push(&self.id, piece);
    }

    /// New text, at once. With `replace` it is not more of the text but the beginning of another one: such an event has no
    /// merge key, so that nothing is merged past it.
    pub(super) fn increment(&self, stream: Stream, seq: i64, delta: &str, replace: bool) {
        match stream {
            Stream::Assistant if replace => self.events.taps.replace(&self.id, seq, delta),
            Stream::Assistant => self.tap(&taps::Piece::Text {
                seq,
                text: delta.to_owned(),
            }),
            Stream::Thinking => self.tap(&taps::Piece::Thinking(delta.to_owned())),
        }
        let detail =
            Outgoing::new(&self.agent(seq, stream.word(), &data(json!({ "delta": delta }), replace)))
                .rendition(Rendition::Increment);
        let detail = merged_unless(replace, detail, || format!("{}/{}", self.run, stream.word()));
        let text = (stream == Stream::Assistant).then(|| {
            let event = proto::ChatEvent {
                delta_text: Some(delta.to_owned()),
                replace: replace.then_some(true),
                ..self.chat(seq, State::Delta)
            };
            let text = Outgoing::new(&event).rendition(Rendition::Increment);
            merged_unless(replace, text, || format!("{}/i", self.run))
        });
        let audience = |event| self.audience(event);
        self.events
            .publisher
            .publish_together([detail].into_iter().chain(text).map(audience));
    }

    /// New text and all of it so far, paced. Clients draw from the chat event; the detailed one repeats the whole text only
    /// now and then, and at the end. With `replace` it begins another text.
    pub(super) fn cumulative(&self, stream: Stream, seq: i64, piece: &Piece, text: &str, replace: bool) {
        let Piece { delta, detail_whole } = piece;
        let detail = if *detail_whole {
            json!({ "text": text, "delta": delta })
        } else {
            json!({ "delta": delta })
        };
        let detail = Outgoing::new(&self.agent(seq, stream.word(), &data(detail, replace)))
            .rendition(Rendition::Cumulative);
        let text = (stream == Stream::Assistant).then(|| {
            let now = self.events.clock.now();
            let event = proto::ChatEvent {
                delta_text: Some(delta.clone()),
                message: Some(rows::chat_message(&rows::blocks(text), now)),
                replace: replace.then_some(true),
                ..self.chat(seq, State::Delta)
            };
            let text = Outgoing::new(&event).rendition(Rendition::Cumulative);
            merged_unless(replace, text, || format!("{}/c", self.run))
        });
        let audience = |event| self.audience(event);
        self.events
            .publisher
            .publish_together([detail].into_iter().chain(text).map(audience));
    }

    /// The end of the run. Only [`super::announce`] says it. With a connection, to that one alone.
    pub(super) fn terminal(&self, seq: i64, state: State, end: Terminal, connection: Option<&str>) {
        let Terminal {
            message,
            stop_reason,
            error_message,
            error_kind,
            usage,
        } = end;
        let event = proto::ChatEvent {
            message,
            stop_reason,
            error_message,
            error_kind,
            usage,
            ..self.chat(seq, state)
        };
        let event = Outgoing::new(&event).traced();
        self.publish(match connection {
            Some(connection) => event.connection(connection),
            None => event,
        });
    }
}

/// Which of the named users hear of a session; the gateway's owner and administrators always do.
#[derive(Clone, Debug)]
pub(super) enum Whose {
    /// It belongs to nobody in particular: all of them.
    Everybodys,
    User(String),
    /// It is gone, and with it whose it was: none of them.
    Unknown,
}

impl Whose {
    pub(super) fn of(session: Option<&SessionRecord>) -> Self {
        match session {
            Some(session) => session.user.clone().map_or(Self::Everybodys, Self::User),
            None => Self::Unknown,
        }
    }

    fn audience(&self, event: Outgoing) -> Outgoing {
        match self {
            Self::Everybodys => event,
            Self::User(user) => event.user(user),
            Self::Unknown => event.user(""), // nobody has an empty id
        }
    }
}

fn data(mut data: Value, replace: bool) -> Value {
    if replace && let Some(data) = data.as_object_mut() {
        data.insert("replace".to_owned(), Value::Bool(true));
    }
    data
}

fn merged_unless(replace: bool, event: Outgoing, key: impl FnOnce() -> String) -> Outgoing {
    if replace { event } else { event.merge_key(key()) }
}

/// What is said at the end of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Terminal {
    pub(super) message: Option<String>,
    pub(super) stop_reason: Option<String>,
    pub(super) error_message: Option<String>,
    pub(super) error_kind: Option<String>,
    pub(super) usage: Option<proto::Usage>,
}
