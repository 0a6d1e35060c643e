//! What the store keeps, as plain types.

use gatehouse_proto::session::v1 as proto;
use serde::{Deserialize, Serialize};

use crate::id::{EntryId, Owner, RunId, SessionId};
use crate::key::{AgentId, SessionKey};
use crate::queue::{QueueMode, QueueRule};

/// Where a reply goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The channel.
    pub channel: String,
    /// The account of it.
    pub account_id: String,
    /// The conversation on the platform.
    pub to: String,
    /// The thread in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<String>,
    /// The message to answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to_id: Option<String>,
}

impl Target {
    /// Whether both are the same chat, whichever message is answered in it.
    pub fn same_chat(&self, other: &Self) -> bool {
        let Self {
            channel,
            account_id,
            to,
            thread_id,
            reply_to_id: _,
        } = self;
        *channel == other.channel
            && *account_id == other.account_id
            && *to == other.to
            && *thread_id == other.thread_id
    }
}

impl From<proto::Target> for Target {
    fn from(target: proto::Target) -> Self {
        let proto::Target {
            channel,
            account_id,
            to,
            thread_id,
            reply_to_id,
        } = target;
        Self {
            channel,
            account_id,
            to,
            thread_id,
            reply_to_id,
        }
    }
}

impl From<Target> for proto::Target {
    fn from(target: Target) -> Self {
        let Target {
            channel,
            account_id,
            to,
            thread_id,
            reply_to_id,
        } = target;
        Self {
            channel,
            account_id,
            to,
            thread_id,
            reply_to_id,
        }
    }
}

/// One session, as lists show it.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionRecord {
    /// Its key.
    pub key: SessionKey,
    /// The current transcript.
    pub session_id: SessionId,
    /// The agent.
    pub agent: AgentId,
    /// `direct`, `group` or `unknown`.
    pub kind: String,
    /// Changes with each reset.
    pub lifecycle_revision: String,
    /// First use.
    pub created_at: i64,
    /// Last change.
    pub updated_at: i64,
    /// Last message.
    pub last_interaction_at: Option<i64>,
    /// A unique name.
    pub label: Option<String>,
    /// A title.
    pub display_name: Option<String>,
    /// A title taken from the first message.
    pub derived_title: Option<String>,
    /// The start of the newest message.
    pub preview: Option<String>,
    /// The channel it belongs to.
    pub channel: Option<String>,
    /// `direct`, `group` or `channel`.
    pub chat_type: Option<String>,
    /// The chat that spoke here last.
    pub target: Option<Target>,
    /// The newest turn's state, in the words of the contract.
    pub status: Option<String>,
    /// The turn that is leased or running.
    pub active_run: Option<RunId>,
    /// The newest run.
    pub last_run: Option<RunId>,
    /// When the newest run began.
    pub started_at: Option<i64>,
    /// When the newest run ended.
    pub ended_at: Option<i64>,
    /// Whether it was aborted.
    pub aborted_last_run: bool,
    /// The model chosen for the session.
    pub model_override: Option<String>,
    /// The provider and model that answered last.
    pub answered_by: Option<(String, String)>,
    /// How hard the model thinks, chosen for the session.
    pub thinking_level: Option<String>,
    /// The queue mode chosen for the session.
    pub queue_mode: Option<String>,
    /// Tokens read so far.
    pub input_tokens: i64,
    /// Tokens written so far.
    pub output_tokens: i64,
    /// Put away.
    pub archived: bool,
    /// Kept at the top.
    pub pinned: bool,
    /// Marked unread.
    pub unread: bool,
    /// The row the current transcript begins with.
    pub first_seq: i64,
    /// The newest row; one less than `first_seq` when there is none.
    pub last_seq: i64,
}

/// Which sessions.
#[derive(Clone, Debug, Default)]
pub struct SessionFilter {
    /// Of this agent.
    pub agent: Option<AgentId>,
    /// Changed since.
    pub since: Option<i64>,
    /// Whose key, label or title contains this.
    pub search: Option<String>,
    /// With this label.
    pub label: Option<String>,
    /// Archived ones only, others only, or both.
    pub archived: Option<bool>,
    /// Rows on the page.
    pub limit: u32,
    /// Rows to skip.
    pub offset: u32,
}

/// A page of sessions.
#[derive(Clone, Debug)]
pub struct SessionPage {
    /// The rows.
    pub sessions: Vec<SessionRecord>,
    /// Rows on all pages.
    pub total: i64,
}

/// A change of one field: unset stays, `Some(None)` goes back to the default.
pub type Change<T> = Option<Option<T>>;

/// What to change about a session.
#[derive(Clone, Debug, Default)]
pub struct SessionPatch {
    /// The unique name.
    pub label: Change<String>,
    /// The title.
    pub display_name: Change<String>,
    /// The model.
    pub model: Change<String>,
    /// How hard it thinks.
    pub thinking_level: Change<String>,
    /// The queue mode.
    pub queue_mode: Change<String>,
    /// Put away.
    pub archived: Option<bool>,
    /// Keep at the top.
    pub pinned: Option<bool>,
    /// Mark as unread.
    pub unread: Option<bool>,
}

/// Who wrote a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A person.
    User,
    /// The agent.
    Assistant,
    /// The house.
    System,
}

impl Role {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::System => "system",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::User, Self::Assistant, Self::System]
            .into_iter()
            .find(|role| role.word() == word)
    }
}

/// What few rows have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct EntryExtra {
    /// The provider that wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The model that wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Why it ends here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// Tokens read and written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Tokens>,
    /// Who cut it short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abort_origin: Option<String>,
    /// Who sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_label: Option<String>,
}

/// What an answer cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Read.
    pub input: i64,
    /// Written.
    pub output: i64,
}

/// A row to add.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// Its id.
    pub id: EntryId,
    /// Who wrote it.
    pub role: Role,
    /// JSON: text, or a list of content blocks.
    pub content: String,
    /// What lists show of it. Empty: nothing.
    pub preview: String,
    /// When.
    pub timestamp: i64,
    /// The run it belongs to.
    pub run: Option<RunId>,
    /// True for the row where a transcript begins after a reset.
    pub boundary: bool,
    /// Whether a model reads it later.
    pub in_context: bool,
    /// The rest.
    pub extra: EntryExtra,
}

/// A row.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its number in the session.
    pub seq: i64,
    /// The row itself.
    pub row: NewEntry,
}

/// A row as the model's context needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextRow {
    /// Who wrote it.
    pub role: Role,
    /// JSON: text, or a list of content blocks.
    pub content: String,
    /// The run it belongs to.
    pub run: Option<RunId>,
    /// The run that answers it: another one when it was merged.
    pub answered_in: Option<RunId>,
    /// Whether its turn still waits.
    pub waiting: bool,
}

/// Which part of a transcript.
#[derive(Clone, Debug)]
pub struct HistoryQuery {
    /// Rows on the page.
    pub limit: u32,
    /// Rows to skip from the newest.
    pub offset: u32,
    /// Only what came after this row, if the transcript is still this one.
    pub after: Option<(SessionId, i64)>,
    /// The most bytes of rows; the newest rows win. At least one row is answered.
    pub bytes_max: usize,
}

/// A page of a transcript.
#[derive(Clone, Debug)]
pub struct HistoryPage {
    /// The session; unset when there is none.
    pub session: Option<SessionRecord>,
    /// The rows, oldest first.
    pub entries: Vec<Entry>,
    /// Whether there are older rows.
    pub has_more: bool,
}

/// The state of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnState {
    /// Waits.
    Queued,
    /// Somebody is about to run it.
    Leased,
    /// Runs.
    Running,
    /// Answered.
    Done,
    /// Could not be answered.
    Failed,
    /// Stopped by somebody.
    Aborted,
    /// Cut off by the end of its process.
    Interrupted,
}

impl TurnState {
    const ALL: [Self; 7] = [
        Self::Queued,
        Self::Leased,
        Self::Running,
        Self::Done,
        Self::Failed,
        Self::Aborted,
        Self::Interrupted,
    ];

    /// The word in the store.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Leased => "leased",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::Interrupted => "interrupted",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// The word in a session's row.
    pub fn session_status(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Leased | Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Aborted => "killed",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether nothing follows.
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Queued | Self::Leased | Self::Running => false,
            Self::Done | Self::Failed | Self::Aborted | Self::Interrupted => true,
        }
    }
}

/// Who stopped a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Somebody asked for it.
    Rpc,
    /// A newer message.
    Interrupt,
    /// A restart.
    Restart,
}

impl Origin {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rpc => "rpc",
            Self::Interrupt => "interrupt",
            Self::Restart => "restart",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Rpc, Self::Interrupt, Self::Restart]
            .into_iter()
            .find(|origin| origin.word() == word)
    }
}

/// One turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Its run.
    pub run: RunId,
    /// The session.
    pub key: SessionKey,
    /// The transcript it belongs to.
    pub session_id: SessionId,
    /// Where it stands.
    pub state: TurnState,
    /// Who holds it.
    pub owner: Option<Owner>,
    /// Until when.
    pub lease_until: Option<i64>,
    /// Whether anything of it was seen.
    pub visible: bool,
    /// How often it was taken up before.
    pub attempt: u32,
    /// How it joined the queue.
    pub mode: QueueMode,
    /// Where the reply goes.
    pub target: Option<Target>,
    /// What was asked, as a digest.
    pub fingerprint: Vec<u8>,
    /// The model chosen for it.
    pub model: Option<String>,
    /// How hard to think.
    pub thinking: Option<String>,
    /// The longest it may take, in milliseconds.
    pub timeout_ms: Option<i64>,
    /// When it was taken.
    pub queued_at: i64,
    /// When it began.
    pub started_at: Option<i64>,
    /// When it ended.
    pub ended_at: Option<i64>,
    /// Why it stopped.
    pub stop_reason: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
    /// Who asked it to stop.
    pub abort: Option<Origin>,
    /// The run that answers it, when it was merged.
    pub merged_into: Option<RunId>,
    /// The row of its answer.
    pub answer_seq: Option<i64>,
    /// The trace it belongs to.
    pub traceparent: Option<String>,
}

/// A platform's message: the key against doubles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboundKey {
    /// The channel.
    pub channel: String,
    /// The account.
    pub account: String,
    /// The platform's id.
    pub message: String,
}

/// Where the reply of a new turn goes.
#[derive(Clone, Debug, Default)]
pub enum Reply {
    /// To the screens alone.
    #[default]
    Screens,
    /// To the chat that asked.
    To(Target),
    /// To the chat of the session as it is at this moment.
    SessionChat,
}

/// What a session that does not exist yet begins with.
#[derive(Clone, Debug, Default)]
pub struct Seed {
    /// The channel it belongs to.
    pub channel: Option<String>,
    /// `direct`, `group` or `channel`.
    pub chat_type: Option<String>,
}

/// A message to take.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The session.
    pub key: SessionKey,
    /// The run.
    pub run: RunId,
    /// Its row.
    pub entry: NewEntry,
    /// What is asked, as a digest.
    pub fingerprint: Vec<u8>,
    /// How it joins the queue.
    pub queue: QueueRule,
    /// Where the reply goes.
    pub reply: Reply,
    /// For a new session.
    pub seed: Seed,
    /// The transcript the client looks at.
    pub expected_session: Option<SessionId>,
    /// For a message of a channel.
    pub inbound: Option<InboundKey>,
    /// The model chosen for it.
    pub model: Option<String>,
    /// How hard to think.
    pub thinking: Option<String>,
    /// The longest it may take, in milliseconds.
    pub timeout_ms: Option<i64>,
    /// The trace it belongs to.
    pub traceparent: Option<String>,
    /// Now.
    pub now: i64,
}

/// What became of a message.
#[derive(Clone, Debug)]
pub enum Admitted {
    /// Taken.
    New(Box<NewTurn>),
    /// Known already, with the same content.
    Known(Box<Turn>),
}

/// A message that was taken.
#[derive(Clone, Debug)]
pub struct NewTurn {
    /// Its turn.
    pub turn: Turn,
    /// Its row.
    pub entry: Entry,
    /// The session after it.
    pub session: SessionRecord,
    /// What had to give way.
    pub gave_way: Aborted,
}

/// A turn that was leased, and what was merged into it.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The turn.
    pub turn: Turn,
    /// The turns that ended because this one answers them.
    pub merged: Vec<Ended>,
}

/// What a lease says when it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Still ours.
    Held,
    /// Ours, and somebody wants it to stop.
    Stop(Origin),
    /// Not ours any more: whatever happens to it is somebody else's to say.
    Lost,
}

/// How a turn ends.
#[derive(Clone, Debug)]
pub struct Finish {
    /// The run.
    pub run: RunId,
    /// Who holds it.
    pub owner: Owner,
    /// Done, failed, aborted or interrupted.
    pub state: TurnState,
    /// The row to add.
    pub entry: Option<NewEntry>,
    /// What the chat reads, when the turn has one.
    pub reply: Option<String>,
    /// Why it stopped.
    pub stop_reason: Option<String>,
    /// What went wrong.
    pub error: Option<String>,
    /// What it cost.
    pub usage: Option<Tokens>,
    /// Who answered.
    pub answered_by: Option<(String, String)>,
    /// Now.
    pub now: i64,
}

/// A turn that ended, and what ended with it.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The turn after it.
    pub turn: Turn,
    /// The row that was added.
    pub entry: Option<Entry>,
    /// The session after it; unset when it is gone.
    pub session: Option<SessionRecord>,
}

/// What an abort did.
#[derive(Clone, Debug, Default)]
pub struct Aborted {
    /// Turns that waited and have ended.
    pub ended: Vec<Ended>,
    /// Turns whose owner was asked to stop.
    pub asked: Vec<RunId>,
}

/// Which turns to take, and what to say about those that cannot be run again.
#[derive(Clone, Debug)]
pub struct Reclaim {
    /// Who takes them.
    pub owner: Owner,
    /// True: every other owner is dead. False: only leases that have ended.
    pub others_are_dead: bool,
    /// The text for the transcript and the chat.
    pub notice: String,
    /// How often a turn may be taken up in all.
    pub attempts_max: u32,
    /// Now.
    pub now: i64,
}

/// What was taken.
#[derive(Clone, Debug, Default)]
pub struct Reclaimed {
    /// Turns that wait again.
    pub queued: Vec<RunId>,
    /// Turns that have ended.
    pub ended: Vec<Ended>,
}

/// A reply on its way to a chat.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// Its number.
    pub id: i64,
    /// Its key against doubles.
    pub key: String,
    /// The run.
    pub run: RunId,
    /// The session.
    pub session: SessionKey,
    /// Where.
    pub target: Target,
    /// The text.
    pub text: String,
    /// When the run ended.
    pub created_at: i64,
    /// How often it was offered.
    pub attempts: u32,
}

/// What became of a delivery.
#[derive(Clone, Debug)]
pub enum DeliveryOutcome {
    /// The bridge has it.
    Taken {
        /// When.
        now: i64,
    },
    /// Again, not before this time.
    Later {
        /// When.
        not_before: i64,
    },
    /// The bridge will never take it.
    Refused {
        /// Why.
        error: String,
        /// When.
        now: i64,
    },
}
