//! The rows of transcripts.

use serde::{Deserialize, Serialize};

use crate::id::{EntryId, RunId, SessionId};
use crate::sessions::SessionRecord;

/// Who wrote a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A person.
    User,
    /// The agent.
    Assistant,
    /// A tool that the agent called: one result.
    Tool,
    /// The house.
    System,
}

impl Role {
    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "toolResult", // the word of v4's transcripts
            Self::System => "system",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::User, Self::Assistant, Self::Tool, Self::System]
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
    /// Set on a row in the middle of a turn: its number in its attempt, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
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
    /// JSON: text, or a list of content blocks. Never written anew from what was read of it.
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
