//! Sessions, and how they are asked for and changed.

use crate::agents::ModelName;
use crate::deliveries::Target;
use crate::id::{RunId, SessionId};
use crate::key::{AgentId, SessionKey};
use crate::routing::PeerKind;
use crate::turns::queue::QueueMode;

/// Who takes part in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionKind {
    Direct,
    Group,
}

impl SessionKind {
    /// The word in rows and in the contract.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Group => "group",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Direct, Self::Group]
            .into_iter()
            .find(|kind| kind.word() == word)
    }
}

impl From<Option<PeerKind>> for SessionKind {
    fn from(chat: Option<PeerKind>) -> Self {
        match chat {
            Some(PeerKind::Group | PeerKind::Channel) => Self::Group,
            Some(PeerKind::Direct) | None => Self::Direct,
        }
    }
}

/// How the newest turn of a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SessionStatus {
    Queued,
    /// It is being answered.
    Running,
    Done,
    /// It could not be answered.
    Failed,
    Killed,
    Interrupted,
}

impl SessionStatus {
    const ALL: [Self; 6] = [
        Self::Queued,
        Self::Running,
        Self::Done,
        Self::Failed,
        Self::Killed,
        Self::Interrupted,
    ];

    /// The word in rows and in the contract.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Killed => "killed",
            Self::Interrupted => "interrupted",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }
}

/// One session, as lists show it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SessionRecord {
    pub(crate) key: SessionKey,
    pub(crate) session_id: SessionId,
    pub(crate) agent: AgentId,
    /// Who takes part; unset when it is not known.
    pub(crate) kind: Option<SessionKind>,
    /// Changes with each reset.
    pub(crate) lifecycle_revision: String,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) last_interaction_at: Option<i64>,
    pub(crate) label: Option<String>,
    pub(crate) display_name: Option<String>,
    /// A title taken from the first message.
    pub(crate) derived_title: Option<String>,
    /// The start of the newest message.
    pub(crate) preview: Option<String>,
    /// The channel it belongs to.
    pub(crate) channel: Option<String>,
    /// What kind of chat it belongs to.
    pub(crate) chat_type: Option<PeerKind>,
    /// The chat that spoke here last.
    pub(crate) target: Option<Target>,
    /// How the newest turn stands.
    pub(crate) status: Option<SessionStatus>,
    /// The turn that is leased or running.
    pub(crate) active_run: Option<RunId>,
    pub(crate) last_run: Option<RunId>,
    /// When the newest run began.
    pub(crate) started_at: Option<i64>,
    /// When the newest run ended.
    pub(crate) ended_at: Option<i64>,
    /// Whether it was aborted.
    pub(crate) aborted_last_run: bool,
    /// The model chosen for the session.
    pub(crate) model_override: Option<String>,
    /// The provider and model that answered last.
    pub(crate) answered_by: Option<(String, String)>,
    /// How hard the model thinks, chosen for the session.
    pub(crate) thinking_level: Option<String>,
    /// The queue mode chosen for the session.
    pub(crate) queue_mode: Option<QueueMode>,
    /// Tokens read so far.
    pub(crate) input_tokens: i64,
    /// Tokens written so far.
    pub(crate) output_tokens: i64,
    pub(crate) archived: bool,
    /// Kept at the top.
    pub(crate) pinned: bool,
    pub(crate) unread: bool,
    /// The row the current transcript begins with.
    pub(crate) first_seq: i64,
    /// The newest row; one less than `first_seq` when there is none.
    pub(crate) last_seq: i64,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct SessionFilter {
    pub(crate) agent: Option<AgentId>,
    pub(crate) since: Option<i64>,
    /// Whose key, label or title contains this.
    pub(crate) search: Option<String>,
    pub(crate) label: Option<String>,
    /// Archived ones only, others only, or both.
    pub(crate) archived: Option<bool>,
    /// Rows on the page.
    pub(crate) limit: u32,
    pub(crate) offset: u32,
}

/// A page of sessions.
#[derive(Clone, Debug)]
pub(crate) struct SessionPage {
    pub(crate) sessions: Vec<SessionRecord>,
    /// Rows on all pages.
    pub(crate) total: i64,
}

/// What keeps a request from being done twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Once {
    /// The client's idempotency key.
    pub(crate) key: String,
    /// What makes two requests the same.
    pub(crate) fingerprint: Vec<u8>,
}

/// A change of one field: unset stays, `Some(None)` goes back to the default.
pub(crate) type Change<T> = Option<Option<T>>;

/// What to change about a session.
#[derive(Clone, Debug, Default)]
pub(crate) struct SessionPatch {
    pub(crate) label: Change<String>,
    pub(crate) display_name: Change<String>,
    pub(crate) model: Change<ModelName>,
    /// How hard it thinks.
    pub(crate) thinking_level: Change<String>,
    pub(crate) queue_mode: Change<QueueMode>,
    pub(crate) archived: Option<bool>,
    /// Keep at the top.
    pub(crate) pinned: Option<bool>,
    pub(crate) unread: Option<bool>,
}
