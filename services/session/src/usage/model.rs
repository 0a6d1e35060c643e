//! What is counted.

use crate::key::{AgentId, SessionKey};
use crate::sessions::SessionRecord;
use crate::transcripts::Tokens;
use crate::viewer::Viewer;
use gatehouse_core::Timestamp;

/// Which rows.
#[derive(Clone, Debug)]
pub(crate) struct UsageQuery {
    /// When each day begins, ascending, and when the last one ends.
    pub(crate) starts: Vec<Timestamp>,
    pub(crate) agent: Option<AgentId>,
    pub(crate) key: Option<SessionKey>,
    /// Who asks.
    pub(crate) viewer: Viewer,
}

impl UsageQuery {
    /// When the first day begins.
    pub(crate) fn begin(&self) -> Timestamp {
        self.starts.first().copied().unwrap_or_default()
    }

    /// When the last day ends.
    pub(crate) fn end(&self) -> Timestamp {
        self.starts.last().copied().unwrap_or_default()
    }

    /// The day of a time, counted from 0.
    pub(crate) fn day(&self, time: Timestamp) -> Option<usize> {
        let begun = self.starts.partition_point(|start| *start <= time);
        (begun > 0 && begun < self.starts.len()).then(|| begun - 1)
    }
}

/// A model, and whose it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ModelOf {
    pub(crate) provider: Option<String>,
    pub(crate) model: Option<String>,
}

/// Rows of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Tokens read and written.
    pub(crate) input: i64,
    pub(crate) output: i64,
    /// Answers of a model that said what they cost.
    pub(crate) metered: i64,
    /// Rows of people, of models, and of tools.
    pub(crate) user: i64,
    pub(crate) assistant: i64,
    pub(crate) tool: i64,
    /// Answers that ended with an error.
    pub(crate) errors: i64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.input += other.input;
        self.output += other.output;
        self.metered += other.metered;
        self.user += other.user;
        self.assistant += other.assistant;
        self.tool += other.tool;
        self.errors += other.errors;
    }
}

/// What one model, or nobody's, did in one session on one day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) day: usize,
    pub(crate) model: ModelOf,
    pub(crate) counts: Counts,
}

/// One session that was changed in these days.
#[derive(Clone, Debug)]
pub(crate) struct SessionCells {
    pub(crate) session: SessionRecord,
    /// When its first and its last row of these days were written. Unset: there are none.
    pub(crate) between: Option<(Timestamp, Timestamp)>,
    pub(crate) cells: Vec<Cell>,
}

/// One answer that was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Metered {
    /// When it was written.
    pub(crate) timestamp: Timestamp,
    pub(crate) model: ModelOf,
    pub(crate) tokens: Tokens,
}

impl Metered {
    /// The same as counts.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            input: self.tokens.input,
            output: self.tokens.output,
            metered: 1,
            assistant: 1,
            ..Counts::default()
        }
    }
}
