//! How a run of this process ended, for the step of its trace.

use std::sync::OnceLock;

use gatehouse_core::ForPeople;

use super::{Turn, TurnState};

/// What the user reads when a process ended in the middle of an answer.
pub(super) const INTERRUPTED: ForPeople =
    ForPeople::new("The answer was cut short by a restart. Please ask again if you still need it.");

/// How a run stands, as clients are told: `timeout` while it goes on, because that is what ended whoever asks.
pub(super) fn status(turn: &Turn) -> &'static str {
    match turn.state {
        TurnState::Queued | TurnState::Leased | TurnState::Running => "timeout",
        TurnState::Done => "ok",
        TurnState::Failed => "error",
        TurnState::Aborted => "aborted",
        TurnState::Interrupted => "interrupted",
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) state: TurnState,
    /// What failed, as one of few words.
    pub(super) kind: Option<String>,
}

/// The end of a run, once it is stored.
#[derive(Debug, Default)]
pub(super) struct Ended(OnceLock<Outcome>);

impl Ended {
    /// Its end was stored. The first word counts.
    pub(super) fn set(&self, state: TurnState, kind: Option<&str>) {
        let kind = kind.map(str::to_owned);
        self.0.get_or_init(|| Outcome { state, kind });
    }

    /// How it ended. `None`: it was given back, or goes on.
    pub(super) fn get(&self) -> Option<&Outcome> {
        self.0.get()
    }
}
