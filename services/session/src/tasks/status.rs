//! The states of tasks in the words of clients.

use crate::turns::model::TurnState;

/// How a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Queued,
    Running,
    Completed,
    Failed,
    Cancelled,
    /// No turn is in it: one that took too long has failed.
    TimedOut,
}

impl Status {
    const ALL: [Self; 6] = [
        Self::Queued,
        Self::Running,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::TimedOut,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
        }
    }

    /// Reads one word of a client.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }

    pub(crate) fn of(state: TurnState) -> Self {
        match state {
            TurnState::Queued => Self::Queued,
            TurnState::Leased | TurnState::Running => Self::Running,
            TurnState::Done => Self::Completed,
            TurnState::Failed | TurnState::Interrupted => Self::Failed,
            TurnState::Aborted => Self::Cancelled,
        }
    }

    /// The states of turns that are shown so.
    pub(crate) fn states(self) -> Vec<TurnState> {
        let all = TurnState::ALL.into_iter();
        all.filter(|state| Self::of(*state) == self).collect()
    }
}
