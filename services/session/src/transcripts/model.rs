//! The rows of transcripts.

use gatehouse_core::{Content, Timestamp};
use serde::{Deserialize, Serialize};

use crate::id::{EntryId, RunId, SessionId};
use crate::rows::plain;
use crate::sessions::SessionRecord;
use crate::stop::StopReason;

/// Who wrote a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    User,
    Assistant,
    /// A tool that the agent called: one result.
    Tool,
    System,
}

impl Role {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "toolResult", // the word of v4's transcripts
            Self::System => "system",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::User, Self::Assistant, Self::Tool, Self::System]
            .into_iter()
            .find(|role| role.word() == word)
    }
}

/// What few rows have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct EntryExtra {
    /// The provider that wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) provider: Option<String>,
    /// The model that wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    /// Why it ends here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stop_reason: Option<StopReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error_message: Option<String>,
    /// Tokens read and written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<Tokens>,
    /// Who cut it short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) abort_origin: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sender_label: Option<String>,
    /// The named user who said it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// Whose model wrote the words of a row that the gateway ended, and under whose name it does not stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wrote: Option<String>,
    /// Set on a row in the middle of a turn: its number in its attempt, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) step: Option<u32>,
    /// Set on the summary that stands for all rows before this number: models read from there on, and the summary first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) compacts: Option<i64>,
}

/// What an answer cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tokens {
    pub(crate) input: i64,
    pub(crate) output: i64,
}

impl Tokens {
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            input: self.input + other.input,
            output: self.output + other.output,
        }
    }
}

/// A row to add.
#[derive(Clone, Debug)]
pub(crate) struct NewEntry {
    pub(crate) id: EntryId,
    pub(crate) role: Role,
    /// JSON: text, or a list of content blocks. Never written anew from what was read of it.
    pub(crate) content: String,
    /// What lists show of it. Empty: nothing.
    pub(crate) preview: String,
    pub(crate) timestamp: Timestamp,
    /// The run it belongs to.
    pub(crate) run: Option<RunId>,
    /// True for the row where a transcript begins after a reset.
    pub(crate) boundary: bool,
    /// Whether a model reads it later.
    pub(crate) in_context: bool,
    pub(crate) extra: EntryExtra,
}

impl NewEntry {
    /// What a person said.
    pub(crate) fn of_person(content: &Content, run: &RunId, sender: Option<String>, now: Timestamp) -> Self {
        Self {
            id: EntryId::generate(),
            role: Role::User,
            content: content.to_json(),
            preview: content.clone().into_words(),
            timestamp: now,
            run: Some(run.clone()),
            boundary: false,
            in_context: true,
            extra: EntryExtra {
                sender_label: sender,
                ..EntryExtra::default()
            },
        }
    }

    /// The row with which a transcript begins behind another one.
    pub(crate) fn boundary(words: &str, now: Timestamp) -> Self {
        Self {
            id: EntryId::generate(),
            role: Role::System,
            content: plain(words),
            preview: String::new(),
            timestamp: now,
            run: None,
            boundary: true,
            in_context: false,
            extra: EntryExtra::default(),
        }
    }

    /// The same row, saying something else.
    pub(crate) fn saying(self, content: &Content) -> Self {
        Self {
            content: content.to_json(),
            preview: content.clone().into_words(),
            ..self
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Its number in the session.
    pub(crate) seq: i64,
    pub(crate) row: NewEntry,
}

/// A row as the model's context needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContextRow {
    /// Its number in the session.
    pub(crate) seq: i64,
    pub(crate) role: Role,
    /// JSON: text, or a list of content blocks.
    pub(crate) content: String,
    /// The run it belongs to.
    pub(crate) run: Option<RunId>,
    /// The run that answers it: another one when it was merged.
    pub(crate) answered_in: Option<RunId>,
    /// Whether its turn still waits.
    pub(crate) waiting: bool,
    /// The provider whose model wrote it.
    pub(crate) provider: Option<String>,
    /// Of a message that steered the run which answers it: the row behind which it is read.
    pub(crate) read_after: Option<i64>,
}

/// Which part of a transcript.
#[derive(Clone, Debug)]
pub(crate) struct HistoryQuery {
    /// Rows on the page.
    pub(crate) limit: u32,
    /// Rows to skip from the newest.
    pub(crate) offset: u32,
    /// Only what came after this row, all of it, if the transcript is still this one.
    pub(crate) after: Option<(SessionId, i64)>,
    /// The most bytes of rows; the newest rows win. At least one row is answered.
    pub(crate) bytes_max: usize,
}

/// A page of a transcript.
#[derive(Clone, Debug)]
pub(crate) struct HistoryPage {
    /// The session; unset when there is none.
    pub(crate) session: Option<SessionRecord>,
    /// The rows, oldest first.
    pub(crate) entries: Vec<Entry>,
    /// Whether there are older rows.
    pub(crate) has_more: bool,
    /// False: what came after the row that was named cannot be said within the bounds, or not at all.
    pub(crate) joins: bool,
}
