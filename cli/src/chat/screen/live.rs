//! What a screen remembers of the runs on it.

use tokio::time::Instant;

use crate::term::Style;

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::chat) enum End {
    /// With an answer.
    Answered,
    /// With the beginning of one, and why it goes no further.
    Cut(&'static str),
    /// It was stopped.
    Stopped,
    /// It failed, and why.
    Failed(String),
}

impl End {
    /// Of an answer that the model ended for this reason.
    pub(in crate::chat) fn of(stop_reason: Option<&str>) -> Self {
        match stop_reason {
            Some("length") => Self::Cut("cut off: the model may write no more at once"),
            Some("content_filter") => Self::Cut("cut off by the provider's filter"),
            Some(_) | None => Self::Answered,
        }
    }

    /// Whether there is an answer.
    pub(in crate::chat) fn is_answer(&self) -> bool {
        matches!(self, Self::Answered | Self::Cut(_))
    }
}

/// How it is drawn.
#[derive(Clone, Copy, Debug)]
pub(in crate::chat) struct Look {
    /// Colours, or none.
    pub(in crate::chat) style: Style,
    /// False: the answer alone, for a pipe.
    pub(in crate::chat) is_dressed: bool,
    /// Whether thoughts are shown.
    pub(in crate::chat) shows_thoughts: bool,
    /// Whether tokens and time stand below each answer.
    pub(in crate::chat) is_verbose: bool,
}

/// A run that this person started.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) run: String,
    pub(super) since: Instant,
    pub(super) end: Option<End>,
}

/// A run that is being printed.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) run: String,
    /// The text as the gateway has it. Behind what is printed while an answer that broke off is given anew.
    pub(super) text: String,
    pub(super) printed: String,
    pub(super) seq: i64,
    /// When this person asked, or when it was first seen.
    pub(super) since: Instant,
    /// When its first word came.
    pub(super) spoke: Option<Instant>,
    pub(super) thoughts: Thoughts,
    /// Whether it stands there who speaks.
    pub(super) is_labelled: bool,
}

/// What a model thought before it spoke.
#[derive(Debug, Default)]
pub(super) struct Thoughts {
    pub(super) since: Option<Instant>,
    pub(super) seq: i64,
    pub(super) are_shown: bool,
}

/// What a person waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chat) struct Activity {
    /// Since when.
    pub(in crate::chat) since: Instant,
    /// What is done.
    pub(in crate::chat) doing: Doing,
    /// Messages of this person that wait behind it.
    pub(in crate::chat) waiting: usize,
}

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chat) enum Doing {
    /// Nothing was heard of it yet.
    Waiting,
    /// It thinks.
    Thinking,
    /// It writes.
    Writing,
}
