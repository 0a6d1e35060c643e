//! What every store is to its service, whatever it is made of.

use std::error::Error as StdError;

use crate::error::Kind;

/// What keeps a store from doing anything, for those who ask it for something. The text names no file: the health of the process
/// does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No room is left.
    #[error(
        "the gateway's disk is full, and nothing new is kept: free some space on it, then send this again"
    )]
    DiskFull,
    /// Nothing that was asked of it has ended for a while.
    #[error(
        "the gateway's disk does not answer, and nothing new is kept: look after the disk, then send this again"
    )]
    DiskHung,
    /// It is read-only, or fails.
    #[error(
        "the gateway's disk takes no writes, and nothing new is kept: `gatehouse status` says which file"
    )]
    DiskFails,
    /// What is stored cannot be read.
    #[error("a database of the gateway is damaged: `gatehouse status` says which one and what to do")]
    Damaged,
    /// A file has lost its name or its content.
    #[error(
        "a database of the gateway is not where it was: `gatehouse status` says which one and what to do"
    )]
    Detached,
}

impl Trouble {
    /// The stable word for programs.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::DiskFull => "DISK_FULL",
            Self::DiskHung => "DISK_HUNG",
            Self::DiskFails => "DISK_FAILS",
            Self::Damaged => "STORE_DAMAGED",
            Self::Detached => "STORE_DETACHED",
        }
    }
}

/// A store that failed: what that means to a caller, and the cause in the words of whatever the store is made of.
#[derive(Debug, thiserror::Error)]
#[error("the store failed")]
pub struct Error {
    kind: Kind,
    trouble: Option<Trouble>,
    #[source]
    source: Box<dyn StdError + Send + Sync>,
}

impl Error {
    /// A failure with its cause.
    pub fn new(kind: Kind, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            kind,
            trouble: None,
            source: source.into(),
        }
    }

    /// With what a caller can be told of the cause.
    #[must_use]
    pub fn with_trouble(self, trouble: Option<Trouble>) -> Self {
        Self { trouble, ..self }
    }

    /// What a caller can be told of the cause. Whoever keeps the store's health has said it in the log already, once.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        self.trouble
    }

    /// What it means to a caller.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }
}
