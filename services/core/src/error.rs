//! What can go wrong, from the caller's side, and the one table of how each transport says it.
//!
//! A service has its own error enum and one exhaustive `kind()`; from there on everything is decided here.

use std::{borrow::Cow, collections::BTreeMap, error::Error, fmt, time::Duration};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// Names the gateway in the `domain` of `google.rpc.ErrorInfo`.
const DOMAIN: &str = "gatehouse";

/// Begins the key of a detail whose value is JSON. Details travel as texts; whoever shows them to a client reads these.
pub const JSON_DETAIL: &str = "json:";

/// Among the details on the wire: asking again is of no use, whatever the kind says.
const FINAL_DETAIL: &str = "final";

/// What went wrong, from the caller's side. Fewer than the gRPC codes: add one when some caller would act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request is wrong in itself; the same request will never succeed.
    Invalid,
    /// The caller did not say who it is, or not truthfully.
    Unauthenticated,
    /// The caller is known and may not do this.
    Forbidden,
    /// What was asked for does not exist.
    NotFound,
    /// Something else has this key or name already.
    Conflict,
    /// The state changed under the caller: read it anew and decide again.
    Precondition,
    /// A bound is reached; later there may be room.
    Exhausted,
    /// Something that is needed is away; it may come back.
    Unavailable,
    /// No answer in time; it may or may not have happened.
    Timeout,
    /// A fault of ours. The cause is in the log.
    Internal,
}

impl Kind {
    /// The gRPC code.
    #[must_use]
    pub const fn grpc(self) -> Code {
        match self {
            Self::Invalid => Code::InvalidArgument,
            Self::Unauthenticated => Code::Unauthenticated,
            Self::Forbidden => Code::PermissionDenied,
            Self::NotFound => Code::NotFound,
            Self::Conflict => Code::AlreadyExists,
            Self::Precondition => Code::FailedPrecondition,
            Self::Exhausted => Code::ResourceExhausted,
            Self::Unavailable => Code::Unavailable,
            Self::Timeout => Code::DeadlineExceeded,
            Self::Internal => Code::Internal,
        }
    }

    /// The kind that a peer's code means to us.
    #[must_use]
    pub const fn from_grpc(code: Code) -> Self {
        match code {
            Code::InvalidArgument | Code::OutOfRange | Code::Unimplemented => Self::Invalid,
            Code::Unauthenticated => Self::Unauthenticated,
            Code::PermissionDenied => Self::Forbidden,
            Code::NotFound => Self::NotFound,
            Code::AlreadyExists => Self::Conflict,
            Code::FailedPrecondition | Code::Aborted => Self::Precondition,
            Code::ResourceExhausted => Self::Exhausted,
            Code::Unavailable | Code::Cancelled => Self::Unavailable,
            Code::DeadlineExceeded => Self::Timeout,
            Code::Internal | Code::Ok | Code::Unknown | Code::DataLoss => Self::Internal,
        }
    }

    /// The code in a WebSocket frame (protocol v4 knows few; the reason in the details tells more).
    #[must_use]
    pub const fn protocol_code(self) -> &'static str {
        match self {
            Self::Invalid | Self::NotFound | Self::Conflict | Self::Precondition => "INVALID_REQUEST",
            Self::Unauthenticated | Self::Forbidden => "FORBIDDEN",
            Self::Exhausted | Self::Unavailable | Self::Timeout | Self::Internal => "UNAVAILABLE",
        }
    }

    /// The HTTP status.
    #[must_use]
    pub const fn http(self) -> u16 {
        match self {
            Self::Invalid => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Precondition => 412,
            Self::Exhausted => 429,
            Self::Unavailable => 503,
            Self::Timeout => 504,
            Self::Internal => 500,
        }
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn retryable(self) -> bool {
        match self {
            Self::Exhausted | Self::Unavailable | Self::Timeout => true,
            Self::Invalid
            | Self::Unauthenticated
            | Self::Forbidden
            | Self::NotFound
            | Self::Conflict
            | Self::Precondition
            | Self::Internal => false,
        }
    }
}

/// A refusal as it leaves a service: a kind, words for a person, and details for a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong.
    pub kind: Kind,
    /// For a person: lower case, without a full stop. Never holds a secret.
    pub message: String,
    /// Stable, for a program, for example `CONFIG_CHANGED`.
    pub reason: Option<Cow<'static, str>>,
    /// The field it is about, for example `/limit`.
    pub path: Option<Box<str>>,
    /// How long to wait before trying again.
    pub retry_after: Option<Duration>,
    /// More for a program.
    pub details: BTreeMap<String, String>,
    /// Whether asking again is of no use, whatever the kind says.
    is_final: bool,
    /// The chain of a fault of ours: for the log, where the failure leaves. It does not leave with it.
    cause: Option<Box<Cause>>,
}

/// A chain of errors, written out.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cause(String);

impl Failure {
    /// A failure without details.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            reason: None,
            path: None,
            retry_after: None,
            details: BTreeMap::new(),
            is_final: false,
            cause: None,
        }
    }

    /// A fault of ours. Its cause does not leave: it is logged with its chain when the failure becomes an answer, once, and not
    /// when it is made, because whoever made it may get over it.
    #[must_use]
    pub fn internal(error: &(dyn Error + 'static)) -> Self {
        Self {
            cause: Some(Box::new(Cause(Chain(error).to_string()))),
            ..Self::new(Kind::Internal, "internal failure")
        }
    }

    /// With a stable reason.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// With the path of the field it is about.
    #[must_use]
    pub fn path(mut self, path: impl Into<Box<str>>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// With the time to wait before trying again.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Not to be tried again: what was asked for was refused by somebody who was there, where the kind would say that he is away.
    #[must_use]
    pub fn for_good(mut self) -> Self {
        self.is_final = true;
        self
    }

    /// Whether the same request may succeed later: what its kind says, unless whoever made it knew better.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        self.kind.retryable() && !self.is_final
    }

    /// With one more detail.
    #[must_use]
    pub fn detail(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.details.insert(key.into(), value.into());
        self
    }

    /// With one more detail that is no text for a program: a list, a number, an object.
    #[must_use]
    pub fn json_detail(self, key: &str, value: &impl fmt::Display) -> Self {
        self.detail(format!("{JSON_DETAIL}{key}"), value.to_string())
    }

    /// Reads what a peer answered.
    #[must_use]
    pub fn from_status(status: &Status) -> Self {
        // Only a status that was made here has a source: the peer is away, or went away during the call.
        if status.source().is_some()
            && !matches!(status.code(), Code::DeadlineExceeded | Code::ResourceExhausted)
        {
            tracing::debug!(error = %Chain(status), "a service does not answer");
            return Self::new(Kind::Unavailable, "a service of the gateway does not answer")
                .reason("SERVICE_AWAY");
        }
        let rich = status.get_error_details();
        let info = rich.error_info().filter(|info| info.domain == DOMAIN);
        let mut failure = Self::new(Kind::from_grpc(status.code()), status.message());
        if let Some(info) = info {
            failure.reason = Some(info.reason.clone())
                .filter(|reason| !reason.is_empty())
                .map(Cow::Owned);
            failure.details = info.metadata.clone().into_iter().collect();
            failure.is_final = failure.details.remove(FINAL_DETAIL).is_some();
        }
        failure.path = rich
            .bad_request()
            .and_then(|bad| bad.field_violations.first())
            .map(|first| first.field.as_str().into());
        failure.retry_after = rich.retry_info().and_then(|info| info.retry_delay);
        failure
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl Error for Failure {}

impl From<Failure> for Status {
    fn from(mut failure: Failure) -> Self {
        if failure.is_final {
            failure.details.insert(FINAL_DETAIL.to_owned(), String::new());
        }
        if let Some(cause) = failure.cause {
            tracing::error!(error = cause.0, "internal failure");
        }
        let mut rich = ErrorDetails::new();
        if failure.reason.is_some() || !failure.details.is_empty() {
            let reason = failure.reason.as_deref().unwrap_or_default();
            rich.set_error_info(
                reason,
                DOMAIN,
                failure
                    .details
                    .into_iter()
                    .collect::<std::collections::HashMap<_, _>>(),
            );
        }
        if let Some(path) = failure.path {
            rich.add_bad_request_violation(path, failure.message.clone());
        }
        if failure.retry_after.is_some() {
            rich.set_retry_info(failure.retry_after);
        }
        Status::with_error_details(failure.kind.grpc(), failure.message, rich)
    }
}

/// Prints an error and its causes: `a: b: c`.
#[derive(Clone, Copy, Debug)]
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(out, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
