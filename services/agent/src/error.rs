//! What can go wrong in the agent service itself. What goes wrong in a turn is an event of the turn.

use gatehouse_core::{Failure, Kind, server::ServerError, settings::SettingsError};

/// An error of the agent service.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Too many turns run.
    #[error("all {max} places for turns are taken")]
    Full {
        /// The bound.
        max: usize,
    },
    /// The configuration has not arrived yet.
    #[error("the configuration has not arrived yet")]
    Starting,
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
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made")]
    Http(#[from] reqwest::Error),
    /// The server failed.
    #[error(transparent)]
    Server(#[from] ServerError),
}

impl Error {
    /// What it means to a caller.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Full { .. } => Kind::Exhausted,
            Self::Starting => Kind::Unavailable,
            Self::Settings(_) | Self::Credential(_) | Self::Bind { .. } | Self::Http(_) | Self::Server(_) => {
                Kind::Internal
            }
        }
    }

    pub(crate) fn into_failure(self) -> Failure {
        match self.kind() {
            Kind::Internal => Failure::internal(&self),
            kind => Failure::new(kind, self.to_string()),
        }
    }
}
