//! Who can be asked: the embedded echo, and any OpenAI-compatible endpoint.

mod charset;
pub(crate) mod echo;
pub(crate) mod failure;
mod inflate;
mod json;
pub(crate) mod openai;
mod redaction;
pub(crate) mod retry_after;
pub(crate) mod sse;
mod think;

use gatehouse_proto::agent::v1::Usage;

pub(crate) use crate::unanswered::Unanswered;

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
    /// Somebody decided that it must not be said, or not go on.
    Filtered,
    /// Something broke, in its provider's word.
    Fault(String),
    /// In its provider's word.
    Other(String),
}

impl StopReason {
    /// Reads a provider's word. `None`: it does not say.
    pub(crate) fn read(word: String) -> Option<Self> {
        let lower = word.to_ascii_lowercase();
        // As the names of enumerations are written out: `FinishReason.STOP`, `FINISH_REASON_STOP`.
        let name = ["finishreason.", "finish_reason_"]
            .iter()
            .find_map(|enumeration| lower.strip_prefix(enumeration));
        match name.unwrap_or(&lower) {
            "" | "null" | "none" | "unspecified" => None,
            "stop" | "eos" | "eos_token" | "end_turn" | "stop_sequence" | "completed" => Some(Self::Stop),
            "length"
            | "max_tokens"
            | "max_length"
            | "max_output_tokens"
            | "model_length"
            | "model_context_window_exceeded" => Some(Self::Length),
            "content_filter" | "content-filter" | "safety" | "sensitive" | "recitation" | "blocklist"
            | "prohibited_content" | "spii" | "image_safety" | "refusal" => Some(Self::Filtered),
            // Gemini's `OTHER` is a reason that it does not know itself.
            "error"
            | "abort"
            | "aborted"
            | "cancelled"
            | "canceled"
            | "engine_overloaded"
            | "exception"
            | "failed"
            | "failure"
            | "insufficient_system_resource"
            | "internal_error"
            | "network_error"
            | "other"
            | "overloaded"
            | "server_error"
            | "timed_out"
            | "timeout" => Some(Self::Fault(word)),
            _ => Some(Self::Other(word)),
        }
    }

    /// The word that clients are told.
    pub(crate) fn into_word(self) -> String {
        match self {
            Self::Stop => "stop".to_owned(),
            Self::Length => "length".to_owned(),
            Self::Filtered => "content_filter".to_owned(),
            Self::Fault(word) | Self::Other(word) => word,
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
