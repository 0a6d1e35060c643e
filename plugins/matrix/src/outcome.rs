//! What a failure of the server or of the encryption means to the bridge.

use std::time::{Duration, SystemTime};

use gatehouse_plugin_sdk::{PartOutcome, PreviewOutcome, retry, words};
use matrix_sdk::{
    Error, HttpError,
    ruma::api::error::{ErrorKind, RetryAfter},
};

use crate::content::TooLarge;

/// How long the bridge is told to wait where the server says nothing of it.
const LATER: Duration = Duration::from_secs(5);

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// The server wants silence for so long.
    #[error("the server wants fewer messages")]
    Busy(Option<Duration>),
    /// It was not done, and may be later.
    #[error("{0}")]
    Later(String),
    /// It will never be done.
    #[error("{0}")]
    Never(String),
    /// Nobody knows whether it was done. Doing it again under the same id is no harm.
    #[error("{0}")]
    Unknown(String),
    /// The server does not know the session any more. `true`: the device is still there.
    #[error("the server has ended the session")]
    LoggedOut(bool),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error {
            Error::Http(error) => Self::from(*error),
            Error::WrongRoomState(_) => Self::Never("the account is not in this room (any more)".into()),
            Error::OlmError(error) => Self::Later(format!("it could not be encrypted: {error}")),
            Error::MegolmError(error) => Self::Later(format!("it could not be encrypted: {error}")),
            Error::NoOlmMachine => Self::Later("the account's keys are not open".into()),
            error => Self::Later(error.to_string()),
        }
    }
}

impl From<HttpError> for Trouble {
    fn from(error: HttpError) -> Self {
        let Some(said) = error.as_client_api_error() else {
            return match &error {
                HttpError::Reqwest(error) if error.is_connect() => {
                    Self::Later("the homeserver cannot be reached".into())
                }
                HttpError::Reqwest(error) if error.is_timeout() => {
                    Self::Unknown("the homeserver did not answer in time".into())
                }
                HttpError::Reqwest(_) => Self::Unknown("the connection to the homeserver broke".into()),
                error => Self::Later(error.to_string()),
            };
        };
        let status = said.status_code.as_u16();
        match error.client_api_error_kind() {
            Some(ErrorKind::LimitExceeded(limit)) => {
                Self::Busy(limit.retry_after.as_ref().map(|after| match after {
                    RetryAfter::Delay(delay) => *delay,
                    RetryAfter::DateTime(at) => at.duration_since(SystemTime::now()).unwrap_or_default(),
                }))
            }
            Some(ErrorKind::UnknownToken(token)) => Self::LoggedOut(token.soft_logout),
            Some(ErrorKind::MissingToken) => Self::LoggedOut(false),
            _ if status == 429 => Self::Busy(None),
            _ if status >= 500 => Self::Later(said.to_string()),
            _ => Self::Never(said.to_string()),
        }
    }
}

impl From<TooLarge> for Trouble {
    fn from(error: TooLarge) -> Self {
        Self::Never(error.to_string())
    }
}

impl Trouble {
    /// Of a part.
    pub(crate) fn part(self) -> PartOutcome {
        let reason = self.to_string();
        match self {
            Self::Busy(after) => PartOutcome::ChatBusy(retry(&reason, Some(after.unwrap_or(LATER)))),
            Self::Later(_) | Self::LoggedOut(_) => PartOutcome::ChatBusy(retry(&reason, Some(LATER))),
            Self::Never(_) => PartOutcome::Failed(words(&reason)),
            Self::Unknown(_) => PartOutcome::Unknown(words(&reason)),
        }
    }

    /// Of a preview.
    pub(crate) fn preview(self) -> PreviewOutcome {
        let reason = self.to_string();
        match self {
            Self::Busy(after) => PreviewOutcome::Busy(retry(&reason, Some(after.unwrap_or(LATER)))),
            Self::Later(_) | Self::LoggedOut(_) => PreviewOutcome::Busy(retry(&reason, Some(LATER))),
            Self::Never(_) => PreviewOutcome::Never(words(&reason)),
            Self::Unknown(_) => PreviewOutcome::Unknown(words(&reason)),
        }
    }

    /// Of a file.
    pub(crate) fn status(self) -> tonic::Status {
        let reason = self.to_string();
        match self {
            Self::Never(_) => tonic::Status::failed_precondition(reason),
            _ => tonic::Status::unavailable(reason),
        }
    }
}
