//! What every store is to its service, whatever it is made of.

use std::{error::Error as StdError, fmt::Debug};

use crate::{backup::Gate, error::Kind, service::Life};

/// What is missing beside the store, in the words of the service, or nothing.
pub type Ready = Box<dyn Fn() -> Result<(), String> + Send>;

/// What a store does for the process that has it open, beside keeping things.
pub trait Attach: Debug + Send + Sync {
    /// Measures itself on the page of metrics, keeps the health of the process true (the store answers, and `ready` names nothing
    /// that is missing), and offers copies of itself for a backup, taken while `gate` is closed.
    fn attach(&self, life: &mut Life, gate: Gate, ready: Ready);
}

/// A store that failed: what that means to a caller, and the cause in the words of whatever the store is made of.
#[derive(Debug, thiserror::Error)]
#[error("the store failed")]
pub struct Error {
    kind: Kind,
    #[source]
    source: Box<dyn StdError + Send + Sync>,
}

impl Error {
    /// A failure with its cause.
    pub fn new(kind: Kind, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            kind,
            source: source.into(),
        }
    }

    /// What it means to a caller.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl From<crate::sqlite::Error> for Error {
    fn from(error: crate::sqlite::Error) -> Self {
        Self::new(error.kind(), error)
    }
}
