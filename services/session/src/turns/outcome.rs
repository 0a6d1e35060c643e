//! How a run of this process ended, for the step of its trace.

use std::sync::OnceLock;

use super::TurnState;

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
