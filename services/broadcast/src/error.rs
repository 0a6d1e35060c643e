//! What broadcast refuses.

use gatehouse_core::{Chain, Failure, Kind, bus};
use tonic::Status;

/// A refusal of broadcast.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// An event of a family that no contract declares.
    #[error("`{0}` is not declared as an event")]
    UnknownEvent(String),
    /// An event that another service makes.
    #[error("{publisher} may not publish `{event}` events")]
    NotItsEvent {
        /// Who tried.
        publisher: &'static str,
        /// The event's name.
        event: String,
    },
    /// A report without its subject.
    #[error("the report names no service")]
    MissingService,
    /// A bound is reached.
    #[error("too many {0} report")]
    Full(&'static str),
    /// Nothing can be published or followed now.
    #[error(transparent)]
    Bus(#[from] bus::Error),
}

impl Error {
    const fn kind(&self) -> Kind {
        match self {
            Self::UnknownEvent(_) | Self::MissingService => Kind::Invalid,
            Self::NotItsEvent { .. } => Kind::Forbidden,
            Self::Full(_) => Kind::Exhausted,
            Self::Bus(_) => Kind::Unavailable,
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        if matches!(error, Error::Bus(_)) {
            tracing::error!(error = %Chain(&error), "the event bus failed");
        }
        Failure::new(error.kind(), error.to_string()).into()
    }
}
