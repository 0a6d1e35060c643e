//! Why a turn is not begun. What goes wrong in a turn is an event of the turn.

use gatehouse_core::{Failure, Kind};
use tonic::Status;

/// A refusal of the agent service.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Too many turns run.
    #[error("all {max} places for turns are taken")]
    Full {
        /// The bound.
        max: usize,
    },
    /// Too many models are tested.
    #[error("{max} models are being tested already: ask again when a test is over")]
    Testing {
        /// The bound.
        max: usize,
    },
    /// Too many ask for vectors.
    #[error("{max} requests for vectors are under way: ask again in a moment")]
    Embedding {
        /// The bound.
        max: usize,
    },
    /// The configuration has not arrived yet.
    #[error("the configuration has not arrived yet")]
    Starting,
}

impl Error {
    const fn kind(&self) -> Kind {
        match self {
            Self::Full { .. } | Self::Testing { .. } | Self::Embedding { .. } => Kind::Exhausted,
            Self::Starting => Kind::Unavailable,
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        Failure::new(error.kind(), error.to_string()).into()
    }
}
