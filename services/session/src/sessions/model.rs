//! Sessions, and how they are asked for and changed.

use crate::deliveries::Target;
use crate::id::{RunId, SessionId};
use crate::key::{AgentId, SessionKey};

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

/// What keeps a request from being done twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// The client's idempotency key.
    pub key: String,
    /// What makes two requests the same.
    pub fingerprint: Vec<u8>,
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
