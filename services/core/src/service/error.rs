//! Why a process cannot start or go on: the same for every service.

use std::{error::Error as StdError, io};

use crate::{address::Address, credential::CredentialError, server::ServerError, settings::SettingsError};

/// Why a process ends by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The environment holds mistakes.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// There is no credential.
    #[error("the credential cannot be read")]
    Credential(#[from] CredentialError),
    /// The address of the gRPC server cannot be bound.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was tried.
        address: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The operator's listener for metrics cannot be bound.
    #[error(
        "cannot listen on {address} for metrics; set GATEHOUSE_METRICS_LISTEN to another one or to `off`"
    )]
    Metrics {
        /// The address that was tried.
        address: Address,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The configuration cannot run: starting again does not help.
    #[error(transparent)]
    Configuration(Box<dyn StdError + Send + Sync>),
    /// What this service alone keeps cannot be opened.
    #[error(transparent)]
    Open(Box<dyn StdError + Send + Sync>),
    /// The gRPC server failed.
    #[error(transparent)]
    Serve(ServerError),
    /// A task that the process cannot do without.
    #[error("task `{0}` panicked; the lines above say why")]
    Panicked(&'static str),
}

impl Error {
    /// What this service alone keeps cannot be opened.
    pub fn open(cause: impl StdError + Send + Sync + 'static) -> Self {
        Self::Open(Box::new(cause))
    }

    /// Whether a person has to change something before another start can help.
    #[must_use]
    pub const fn is_configuration(&self) -> bool {
        match self {
            Self::Settings(_) | Self::Configuration(_) => true,
            Self::Credential(_)
            | Self::Listen { .. }
            | Self::Metrics { .. }
            | Self::Open(_)
            | Self::Serve(_)
            | Self::Panicked(_) => false,
        }
    }
}
