//! What a store answers when it cannot do what it was asked, whatever it is made of.

use std::error::Error as StdError;

use crate::error::Kind;

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
