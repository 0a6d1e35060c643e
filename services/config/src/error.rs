//! Why a request fails.

use std::time::Duration;

use gatehouse_core::{Chain, Failure, Kind};

mod roster;

pub use self::roster::RosterError;
use crate::{issue::Issue, refusal::ConfigError, store::WriteError};

/// Why the config service refuses or fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A change without the hash it was made against.
    #[error(
        "baseHash is required: read the configuration with config.get, and send its hash with the change"
    )]
    BaseHashMissing,
    /// Somebody else changed the document first.
    #[error("config changed since last load: read it again with config.get and make the change anew")]
    Changed {
        /// The revision that runs.
        hash: String,
    },
    /// The change is not JSON5, or not an object.
    #[error("the change cannot be read: {0}")]
    Unreadable(String),
    /// The document would have mistakes.
    #[error("{}", summary(.0))]
    Invalid(Vec<Issue>),
    /// The change names what a method may not, or sends a credential somewhere else.
    #[error("{}", list("this cannot be changed through a method", .0))]
    Forbidden(Vec<Issue>),
    /// The change is about what stands in another file.
    #[error("{}", list("this is not in the configuration file itself", .0))]
    Included(Vec<Issue>),
    /// The change opens or locks something, and was not made with `force`.
    #[error("{}; to do it nevertheless, send the change with `force: true` (`--force` on the command line)", list("this change wants force", .0))]
    ForceRequired(Vec<Issue>),
    /// Lists would lose entries, and nobody said that this is meant.
    #[error(
        "config.patch would remove entries from lists: {}; pass these paths in replacePaths when that is meant, or send the whole \
         document with config.apply", .0.join(", ")
    )]
    EntriesLost(Vec<String>),
    /// Entries of a list cannot be told apart.
    #[error(
        "several entries of {path} have the id {id:?}: pass {path} in replacePaths to replace the whole list"
    )]
    IdTwice {
        /// The id.
        id: String,
        /// The list.
        path: String,
    },
    /// The gateway token is not ours to change.
    #[error(
        "gateway.auth.token is a reference: change the token where it is kept and start the config service again, or \
         remove the key to let Gatehouse keep the token"
    )]
    TokenReferred,
    /// A client changes too often.
    #[error("rate limit exceeded for {method}; retry after {}s", .wait.as_secs_f64().ceil())]
    TooOften {
        /// What it called.
        method: &'static str,
        /// When it may again.
        wait: Duration,
    },
    /// No such key.
    #[error("config schema path not found: the document has no key {0:?}; config.schema has all of them")]
    NoSuchKey(String),
    /// The token is not what is asked for.
    #[error(
        "gateway.auth.mode is \"password\": there is no token to replace; change gateway.auth.password where it stands"
    )]
    PasswordInstead,
    /// No such service.
    #[error("there is no service of this name that reads the configuration")]
    NoSuchService,
    /// No former text of this revision.
    #[error("no text of this revision is kept: config.revisions lists those that are")]
    NoSuchRevision,
    /// Several former texts begin with these digits.
    #[error("several revisions begin so: give more digits")]
    AmbiguousRevision,
    /// The former texts cannot be read.
    #[error("the former texts cannot be read")]
    History(#[source] std::io::Error),
    /// The agents stay as they are.
    #[error(transparent)]
    Roster(#[from] RosterError),
    /// Too many changes wait.
    #[error("too many changes at once")]
    Busy,
    /// The process is ending.
    #[error("the config service is ending")]
    Ending,
    /// The token file cannot be used.
    #[error("the gateway token cannot be read or kept")]
    Token(#[source] ConfigError),
    /// The disk failed, or does not let us.
    #[error("nothing was changed: {0}")]
    Store(#[source] WriteError),
}

impl Error {
    /// What it is from the caller's side.
    pub fn kind(&self) -> Kind {
        match self {
            Self::BaseHashMissing
            | Self::Changed { .. }
            | Self::TokenReferred
            | Self::PasswordInstead
            | Self::Store(_) => Kind::Precondition,
            Self::Unreadable(_)
            | Self::Invalid(_)
            | Self::EntriesLost(_)
            | Self::IdTwice { .. }
            | Self::NoSuchKey(_)
            | Self::NoSuchService
            | Self::AmbiguousRevision => Kind::Invalid,
            Self::NoSuchRevision => Kind::NotFound,
            Self::Roster(error) => match error {
                RosterError::Nameless | RosterError::Field { .. } => Kind::Invalid,
                RosterError::Exists(_) => Kind::Conflict,
                RosterError::Unknown(_) => Kind::NotFound,
                RosterError::Only(_) | RosterError::Default(_) => Kind::Precondition,
            },
            Self::Forbidden(_) => Kind::Forbidden,
            Self::ForceRequired(_) | Self::Included(_) => Kind::Precondition,
            Self::Busy | Self::TooOften { .. } => Kind::Exhausted,
            Self::Ending => Kind::Unavailable,
            Self::Token(_) | Self::History(_) => Kind::Internal,
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::BaseHashMissing => "BASE_HASH_REQUIRED",
            Self::Changed { .. } => "CONFIG_CHANGED",
            Self::Unreadable(_) | Self::Invalid(_) => "CONFIG_INVALID",
            Self::Forbidden(_) => "CONFIG_BY_HAND_ONLY",
            Self::Included(_) => "CONFIG_INCLUDED",
            Self::ForceRequired(_) => "FORCE_REQUIRED",
            Self::EntriesLost(_) => "LIST_ENTRIES_LOST",
            Self::IdTwice { .. } => "LIST_IDS_AMBIGUOUS",
            Self::TokenReferred => "TOKEN_BY_REFERENCE",
            Self::PasswordInstead => "PASSWORD_INSTEAD",
            Self::NoSuchService => "NO_SUCH_SERVICE",
            Self::Roster(error) => match error {
                RosterError::Nameless | RosterError::Field { .. } => "INVALID",
                RosterError::Exists(_) => "AGENT_EXISTS",
                RosterError::Unknown(_) => "NO_SUCH_AGENT",
                RosterError::Only(_) | RosterError::Default(_) => "AGENT_NEEDED",
            },
            Self::Busy => "BUSY",
            Self::TooOften { .. } => "TOO_MANY_CHANGES",
            Self::NoSuchKey(_) => "NO_SUCH_KEY",
            Self::Ending => "ENDING",
            Self::Store(error) if error.is_full() => "DISK_FULL",
            Self::Store(_) => "CONFIG_NOT_WRITABLE",
            Self::NoSuchRevision => "NO_SUCH_REVISION",
            Self::AmbiguousRevision => "REVISION_AMBIGUOUS",
            Self::Token(_) | Self::History(_) => "INTERNAL",
        }
    }
}

/// The mistakes in one line: all of them while they are few.
fn summary(issues: &[Issue]) -> String {
    let errors: Vec<Issue> = issues.iter().filter(|issue| issue.is_error()).cloned().collect();
    list("the configuration would have mistakes", &errors)
}

fn list(what: &str, issues: &[Issue]) -> String {
    const SHOWN_MAX: usize = 5;
    let shown: Vec<String> = issues.iter().take(SHOWN_MAX).map(ToString::to_string).collect();
    let shown = shown.join("; ");
    match issues.len().saturating_sub(SHOWN_MAX) {
        0 => format!("{what}: {shown}"),
        more => format!("{what}: {shown}; and {more} more"),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if error.kind() == Kind::Internal {
            return Failure::internal(&error);
        }
        if let Error::Store(cause) = &error {
            tracing::error!(error = %Chain(cause), "the configuration cannot be written");
        }
        let failure = Failure::new(error.kind(), error.to_string()).reason(error.reason());
        match error {
            Error::Changed { hash } => failure.path("/baseHash").detail("hash", hash),
            Error::BaseHashMissing => failure.path("/baseHash"),
            Error::Unreadable(_) => failure.path("/raw"),
            Error::EntriesLost(paths) => failure
                .path("/replacePaths")
                .detail("configPath", paths.first().cloned().unwrap_or_default()),
            Error::IdTwice { path, .. } => failure.path("/raw").detail("configPath", path),
            Error::NoSuchKey(_) => failure.path("/path"),
            Error::Roster(RosterError::Field { path, .. }) => failure.path(path),
            Error::Roster(RosterError::Nameless) => failure.path("/name"),
            Error::Roster(RosterError::Unknown(_)) => failure.path("/agentId"),
            Error::TooOften { wait, .. } => failure.retry_after(wait),
            Error::NoSuchRevision | Error::AmbiguousRevision => failure.path("/revision"),
            Error::Invalid(issues) => at_first(failure, issues.iter().find(|issue| issue.is_error())),
            Error::Forbidden(issues) | Error::Included(issues) => at_first(failure, issues.first()),
            Error::ForceRequired(issues) => at_first(failure, issues.first()).path("/force"),
            _ => failure,
        }
    }
}

fn at_first(failure: Failure, issue: Option<&Issue>) -> Failure {
    let path = issue.map(|issue| issue.path.clone());
    failure
        .path("/raw")
        .detail("configPath", path.unwrap_or_default())
}
