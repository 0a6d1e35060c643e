//! Who can be asked: the embedded echo, and any OpenAI-compatible endpoint.

pub(crate) mod echo;
pub(crate) mod failure;
pub(crate) mod openai;
mod redaction;
pub(crate) mod sse;

use gatehouse_proto::agent::v1::{FailureKind, TurnMessage, Usage};
use tokio::sync::mpsc;

/// What to ask.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) system_prompt: Option<String>,
    pub(crate) messages: Vec<TurnMessage>,
    pub(crate) agent_name: String,
    /// Whether the answer goes to a chat.
    pub(crate) in_chat: bool,
}

/// A piece of an answer, as it comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Thinking(String),
}

impl Piece {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Text(words) | Self::Thinking(words) => words.is_empty(),
        }
    }
}

/// The end of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answered {
    pub(crate) stop_reason: String,
    pub(crate) usage: Option<Usage>,
}

/// Why there is no answer, or only a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unanswered {
    pub(crate) kind: FailureKind,
    /// For the user: what is wrong and what to do next. Never holds a secret.
    pub(crate) message: String,
    /// What the provider asked for.
    pub(crate) retry_after: Option<std::time::Duration>,
}

impl Unanswered {
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry_after: None,
        }
    }
}

/// Where the pieces go. When nobody takes them any more, the turn was cancelled.
pub(crate) type Pieces = mpsc::Sender<Piece>;
