//! Which turns are asked for, and what is answered.

use crate::key::{AgentId, SessionKey};
use crate::turns::model::{Turn, TurnState};
use crate::viewer::Viewer;
use gatehouse_core::Timestamp;

/// Which turns.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskFilter {
    /// In one of these states. Unset: in any.
    pub(crate) states: Option<Vec<TurnState>>,
    pub(crate) agent: Option<AgentId>,
    /// Who asks.
    pub(crate) viewer: Viewer,
    pub(crate) key: Option<SessionKey>,
    /// Behind this one, in the order of their ends. Unset: from the beginning, which are those that have not ended.
    pub(crate) after: Option<Place>,
    pub(crate) limit: u32,
}

/// A place in the order of ended turns: when it ended, and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) ended_at: Timestamp,
    pub(crate) id: i64,
}

impl Place {
    /// Before all that has ended.
    pub(crate) const FIRST: Self = Self {
        ended_at: Timestamp::MAX,
        id: i64::MAX,
    };

    /// Reads what a client was told before.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (ended_at, id) = text.split_once('.')?;
        Some(Self {
            ended_at: Timestamp::from_ms(ended_at.parse().ok()?),
            id: id.parse().ok()?,
        })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}.{}", self.ended_at, self.id)
    }
}

/// A turn, and the title of its session.
#[derive(Clone, Debug)]
pub(crate) struct ListedTurn {
    pub(crate) turn: Turn,
    pub(crate) title: Option<String>,
}

/// Turns in order: those that have not ended, the newest first; then the others, the one that ended last first.
#[derive(Clone, Debug, Default)]
pub(crate) struct TaskPage {
    pub(crate) tasks: Vec<ListedTurn>,
    /// Where the next page begins. Unset: there is none.
    pub(crate) next: Option<Place>,
}
