//! Why a model did not answer.

use gatehouse_proto::agent::v1::FailureKind;

/// Why there is no answer, or only a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unanswered {
    pub(crate) kind: FailureKind,
    /// For the user: what is wrong and what to do next. Never holds a secret.
    pub(crate) message: String,
    /// What the provider asked for.
    pub(crate) retry_after: Option<std::time::Duration>,
    /// Where it was asked: scheme, host and port, and nothing that could be a secret.
    pub(crate) origin: Option<String>,
    /// The status of the HTTP answer that refused.
    pub(crate) status: Option<u16>,
}

impl Unanswered {
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry_after: None,
            origin: None,
            status: None,
        }
    }
}
