//! What can go wrong in broadcast.

use gatehouse_core::{Failure, Kind, server::ServerError, settings::SettingsError};

/// An error of broadcast.
#[derive(Debug, thiserror::Error)]
pub enum Error {
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
    /// The settings cannot be read.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The credentials cannot be read.
    #[error(transparent)]
    Credential(#[from] gatehouse_core::credential::CredentialError),
    /// An address cannot be bound.
    #[error("{address} cannot be bound")]
    Bind {
        /// The address.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The server failed.
    #[error(transparent)]
    Server(#[from] ServerError),
}

impl Error {
    /// What it means to a caller.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::UnknownEvent(_) | Self::MissingService => Kind::Invalid,
            Self::NotItsEvent { .. } => Kind::Forbidden,
            Self::Full(_) => Kind::Exhausted,
            Self::Settings(_) | Self::Credential(_) | Self::Bind { .. } | Self::Server(_) => Kind::Internal,
        }
    }

    pub(crate) fn into_failure(self) -> Failure {
        match self.kind() {
            Kind::Internal => Failure::internal(&self),
            kind => Failure::new(kind, self.to_string()),
        }
    }
}
