//! Sessions, and how they are asked for and changed.

mod kind;

pub(crate) use self::kind::*;
use super::settings::{SettingChanges, Settings};
use crate::agents::ModelName;
use crate::deliveries::Target;
use crate::id::{EntryId, RunId, SessionId};
use crate::key::{AgentId, SessionKey};
use crate::routing::PeerKind;
use crate::thinking::Level;
use crate::transcripts::Entry;
use crate::turns::queue::QueueMode;
use crate::viewer::Viewer;
use gatehouse_core::Timestamp;

/// One session, as lists show it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SessionRecord {
    pub(crate) key: SessionKey,
    pub(crate) session_id: SessionId,
    pub(crate) agent: AgentId,
    /// The named user whose it is. Unset: nobody's in particular.
    pub(crate) user: Option<String>,
    /// Who takes part; unset when it is not known.
    pub(crate) kind: Option<SessionKind>,
    /// Changes with each reset.
    pub(crate) lifecycle_revision: String,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) last_interaction_at: Option<Timestamp>,
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
    pub(crate) started_at: Option<Timestamp>,
    /// When the newest run ended.
    pub(crate) ended_at: Option<Timestamp>,
    /// Whether it was aborted.
    pub(crate) aborted_last_run: bool,
    /// The model chosen for the session.
    pub(crate) model_override: Option<ModelName>,
    /// The provider and model that answered last.
    pub(crate) answered_by: Option<(String, String)>,
    /// How hard the model thinks, chosen for the session.
    pub(crate) thinking_level: Option<Level>,
    /// The queue mode chosen for the session.
    pub(crate) queue_mode: Option<QueueMode>,
    /// Tokens read so far.
    pub(crate) input_tokens: i64,
    /// Tokens written so far.
    pub(crate) output_tokens: i64,
    /// Since when it is put away.
    pub(crate) archived_at: Option<Timestamp>,
    /// Since when it is kept at the top.
    pub(crate) pinned_at: Option<Timestamp>,
    /// When somebody marked it unread.
    pub(crate) marked_unread_at: Option<Timestamp>,
    /// When somebody read it last.
    pub(crate) last_read_at: Option<Timestamp>,
    /// When the agent answered last.
    pub(crate) last_activity_at: Option<Timestamp>,
    /// The group that it is put into.
    pub(crate) category: Option<String>,
    /// The session that it was begun from.
    pub(crate) parent: Option<SessionKey>,
    /// What else its owner set.
    pub(crate) settings: Settings,
    /// The row the current transcript begins with.
    pub(crate) first_seq: i64,
    /// The newest row; one less than `first_seq` when there is none.
    pub(crate) last_seq: i64,
}

impl SessionRecord {
    /// Whether something was said since somebody read it, or somebody marked it unread.
    pub(crate) fn is_unread(&self) -> bool {
        let newest = self.last_interaction_at.max(self.last_activity_at);
        let read = self.last_read_at.unwrap_or(self.created_at);
        self.marked_unread_at.is_some() || newest.is_some_and(|newest| newest > read)
    }

    /// Its title for people: one that somebody gave it, or else that of its first message.
    pub(crate) fn title(&self) -> Option<&str> {
        let given = self.label.as_ref().or(self.display_name.as_ref());
        given.or(self.derived_title.as_ref()).map(String::as_str)
    }
}

/// What comes first in a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SortBy {
    /// The newest change.
    #[default]
    Change,
    /// The newest words.
    Interaction,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct SessionFilter {
    /// Who asks.
    pub(crate) viewer: Viewer,
    pub(crate) agent: Option<AgentId>,
    pub(crate) since: Option<Timestamp>,
    /// Whose key, label or title contains this.
    pub(crate) search: Option<String>,
    pub(crate) label: Option<String>,
    /// Archived ones only, others only, or both.
    pub(crate) archived: Option<bool>,
    pub(crate) kind: Option<ShownKind>,
    pub(crate) channel: Option<String>,
    /// Begun from this one.
    pub(crate) parent: Option<SessionKey>,
    /// Kinds that are left out.
    pub(crate) without: Vec<ShownKind>,
    /// Of these agents.
    pub(crate) agents: Option<Vec<AgentId>>,
    /// In which something was said.
    pub(crate) interaction: bool,
    /// Kept at the top, or not.
    pub(crate) pinned: Option<bool>,
    /// Put into this group; an empty name is none.
    pub(crate) group: Option<String>,
    /// In which a run is under way or waits.
    pub(crate) active: bool,
    /// Without those that jobs made for themselves.
    pub(crate) without_jobs: bool,
    pub(crate) sort: SortBy,
    /// Rows on the page.
    pub(crate) limit: u32,
    pub(crate) offset: u32,
}

/// A page of sessions.
#[derive(Clone, Debug, Default)]
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

/// What became of a request for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    /// There was none.
    New,
    /// There was one.
    Found,
    /// The same request was answered before.
    Again,
}

/// A change of one field: unset stays, `Some(None)` goes back to the default.
pub(crate) type Change<T> = Option<Option<T>>;

/// What to change about a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SessionPatch {
    pub(crate) label: Change<String>,
    pub(crate) display_name: Change<String>,
    pub(crate) model: Change<ModelName>,
    /// How hard it thinks.
    pub(crate) thinking_level: Change<Level>,
    pub(crate) queue_mode: Change<QueueMode>,
    pub(crate) archived: Option<bool>,
    /// Keep at the top.
    pub(crate) pinned: Option<bool>,
    pub(crate) unread: Option<bool>,
    pub(crate) category: Change<String>,
    /// Where it was begun from: of a new session only.
    pub(crate) parent: Option<SessionKey>,
    /// Whose it is: of a new session only.
    pub(crate) user: Option<String>,
    pub(crate) settings: SettingChanges,
    /// What must hold, or nothing is changed.
    pub(crate) expected: Expected,
}

/// What a client saw that wants a session to be changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) session_id: Option<SessionId>,
    pub(crate) lifecycle_revision: Option<String>,
    /// When it was marked unread; `Some(None)`: that it was not. Another mark than this one is left alone.
    pub(crate) marked_unread_at: Change<Timestamp>,
}

impl Expected {
    /// Whether the client looked at this transcript of the session.
    pub(crate) fn is_of(&self, session: &SessionRecord) -> bool {
        let same =
            |expected: &Option<String>, is: &str| expected.as_ref().is_none_or(|expected| expected == is);
        self.session_id
            .as_ref()
            .is_none_or(|id| *id == session.session_id)
            && same(&self.lifecycle_revision, &session.lifecycle_revision)
    }
}

/// Sessions that are looked for by something else than their key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lookup {
    /// The transcript's id.
    Id(SessionId),
    /// Hexadecimal digits with which the UUID at the end of the key begins.
    ShortId(String),
    /// All whose key ends with a UUID, the newest first.
    EndsWithUuid,
}

/// How much of a transcript a fork begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ForkFrom {
    /// Up to this row. One of a person is left out: it is written anew.
    Row(EntryId),
    /// All of it.
    End,
    /// What came before the first thing that still runs or waits.
    LastCompleted,
}

/// A session that began with another one's rows.
#[derive(Clone, Debug)]
pub(crate) struct Forked {
    pub(crate) session: SessionRecord,
    /// The row that was named and is left out.
    pub(crate) left_out: Option<Entry>,
}

/// Which sessions are kept. What is unset bounds nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Those in which something happened since.
    pub(crate) since: Option<Timestamp>,
    /// So many of them.
    pub(crate) sessions_max: Option<u32>,
    /// As many as the store has room for, in bytes.
    pub(crate) bytes_max: Option<i64>,
}
