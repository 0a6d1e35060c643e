//! What can go wrong in the bridge, and what it means to a caller.

use gatehouse_core::{Failure, Kind};

use crate::{adapter::AccountKey, store::StoreError};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{}", refusal_or_step(.0))]
    Store(#[from] StoreError),
    /// No such channel is set up.
    #[error("channel {0} is not set up")]
    NoChannel(String),
    /// None was named, and there is none.
    #[error("no channel is set up: `gatehouse channels add` sets one up")]
    NoneSetUp,
    /// No such account is set up.
    #[error("account {0} is not set up")]
    NoAccount(AccountKey),
    /// More than one channel is meant.
    #[error("several channels are set up: name one of {}", .0.join(", "))]
    WhichChannel(Vec<String>),
    /// No such request waits.
    #[error("no such pairing request waits; it may have ended")]
    NoRequest,
    /// The bridge has not read its configuration yet.
    #[error("the configuration is not there yet")]
    NotReady,
    #[error("the bridge is shutting down")]
    Ending,
    /// An account was asked to end and did not in time.
    #[error("account {0} has not ended yet; it will not be connected anew before it has")]
    StillEnding(AccountKey),
    /// A file was not kept, so the message that names it is not sent.
    #[error("a file of the message was not kept: {}", .0.message)]
    NotKept(Failure),
    /// What is wrong with the value at this path.
    #[error("{1}")]
    Invalid(&'static str, String),
}

/// What a caller did wrong is said to it; what failed inside is the cause of this step, for the log.
fn refusal_or_step(error: &StoreError) -> String {
    match error {
        StoreError::Full(_) | StoreError::Conflict { .. } | StoreError::NotHeld(_) | StoreError::Over => {
            error.to_string()
        }
        StoreError::Failed(_) | StoreError::Row(_) => "the bridge's store failed".to_owned(),
    }
}

impl Error {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::WhichChannel(_) | Self::Invalid(..) => Kind::Invalid,
            Self::Store(error) => error.kind(),
            Self::NoChannel(_) | Self::NoneSetUp | Self::NoAccount(_) | Self::NoRequest => Kind::NotFound,
            Self::NotReady | Self::Ending => Kind::Unavailable,
            Self::StillEnding(_) => Kind::Timeout,
            Self::NotKept(failure) => failure.kind,
        }
    }

    fn path(&self) -> Option<&'static str> {
        match self {
            Self::NoChannel(_) | Self::NoneSetUp | Self::WhichChannel(_) => Some("/channel"),
            Self::NoAccount(_) => Some("/accountId"),
            Self::NoRequest => Some("/requestId"),
            Self::Invalid(path, _) => Some(path),
            Self::Store(_) | Self::NotReady | Self::StillEnding(_) | Self::NotKept(_) | Self::Ending => None,
        }
    }

    fn reason(&self) -> Option<&'static str> {
        match self {
            Self::NoChannel(_) | Self::NoneSetUp => Some("CHANNEL_NOT_CONFIGURED"),
            Self::NoAccount(_) => Some("ACCOUNT_NOT_CONFIGURED"),
            Self::WhichChannel(_) => Some("CHANNEL_SELECTION_REQUIRED"),
            Self::NoRequest => Some("PAIRING_REQUEST_NOT_FOUND"),
            Self::Store(StoreError::Full(_)) => Some("QUEUE_FULL"),
            // The word that `chat.send` says it with, so that clients know it.
            Self::Store(StoreError::Conflict { .. }) => Some("chat-request-conflict"),
            Self::Store(_)
            | Self::NotReady
            | Self::StillEnding(_)
            | Self::NotKept(_)
            | Self::Invalid(..)
            | Self::Ending => None,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        // The session service said why, where and what to do.
        if let Error::NotKept(failure) = error {
            return failure;
        }
        let kind = error.kind();
        if kind == Kind::Internal {
            return Self::internal(&error);
        }
        if let Error::Store(StoreError::Failed(cause)) = &error
            && let Some(trouble) = cause.trouble()
        {
            return Self::new(kind, trouble.to_string()).reason(trouble.reason());
        }
        let message = match &error {
            Error::Store(StoreError::Full(what)) => (*what).to_owned(),
            other => other.to_string(),
        };
        let mut failure = Self::new(kind, message);
        if let Some(reason) = error.reason() {
            failure = failure.reason(reason);
        }
        match error.path() {
            Some(path) => failure.path(path),
            None => failure,
        }
    }
}
