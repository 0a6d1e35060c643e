//! Who can be asked: the embedded echo, and any OpenAI-compatible endpoint.

pub(crate) mod echo;
pub(crate) mod failure;
pub(crate) mod openai;
mod redaction;
pub(crate) mod sse;

use gatehouse_proto::agent::v1::{FailureKind, Usage};

/// The end of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answered {
    pub(crate) stop_reason: StopReason,
    pub(crate) usage: Option<Usage>,
}

/// Why a model stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// It had said everything.
    Stop,
    /// It reached a bound, its own or the gateway's.
    Length,
    /// In its provider's word.
    Other(String),
}

impl StopReason {
    /// Reads a provider's word. `None`: it does not say.
    pub(crate) fn read(word: String) -> Option<Self> {
        match word.as_str() {
            "" => None,
            "stop" => Some(Self::Stop),
            "length" => Some(Self::Length),
            _ => Some(Self::Other(word)),
        }
    }

    /// The word that clients are told.
    pub(crate) fn into_word(self) -> String {
        match self {
            Self::Stop => "stop".to_owned(),
            Self::Length => "length".to_owned(),
            Self::Other(word) => word,
        }
    }
}

impl Answered {
    /// The end of an answer that became too long.
    pub(crate) fn cut_off() -> Self {
        Self {
            stop_reason: StopReason::Length,
            usage: None,
        }
    }
}

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
}

impl Unanswered {
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry_after: None,
            origin: None,
        }
    }
}
