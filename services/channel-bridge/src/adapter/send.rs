//! One part of a message on its way to a platform, and what became of it.

use std::time::Duration;

use tokio::sync::oneshot;

/// One part of a message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendPart {
    /// The same for every attempt at this part: the idempotency key, where the platform has such a thing.
    pub key: String,
    /// The delivery it belongs to.
    pub delivery: String,
    /// Which part, counted from 0.
    pub index: u32,
    /// Where to.
    pub to: String,
    /// The thread.
    pub thread_id: Option<String>,
    /// The platform's id of the message that is answered.
    pub reply_to_id: Option<String>,
    /// The text, within [`Limits`](super::Limits).
    pub text: String,
    /// When the message was made, milliseconds since 1970.
    pub created_at: i64,
}

/// The platform took it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The platform's id of the message, where it tells one.
    pub platform_id: Option<String>,
    /// The platform was given the message and is there, but never says whether it took anything.
    pub unconfirmed: bool,
}

impl Receipt {
    /// For a platform that is there and confirms nothing. Not sent again: that would say everything twice.
    #[must_use]
    pub fn unconfirmed() -> Self {
        Self {
            platform_id: None,
            unconfirmed: true,
        }
    }
}

/// Why a part was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The platform did not take it, and may later.
    #[error("{reason}")]
    Retry {
        /// The platform's own word on when to try again. Nothing is sent to the account earlier.
        after: Option<Duration>,
        /// Why.
        reason: String,
    },
    /// The platform will never take it.
    #[error("{reason}")]
    Permanent {
        /// Why.
        reason: String,
    },
    /// Nobody knows whether the platform took it.
    #[error("{reason}")]
    Unknown {
        /// Why.
        reason: String,
    },
}

impl SendError {
    /// May work later.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry {
            after: None,
            reason: reason.into(),
        }
    }

    /// Will never work.
    pub fn permanent(reason: impl Into<String>) -> Self {
        Self::Permanent {
            reason: reason.into(),
        }
    }

    /// Nobody knows.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown {
            reason: reason.into(),
        }
    }
}

/// A part on its way to the adapter.
///
/// Dropped without an answer it answers itself: *not sent, try again* as long as [`SendRequest::begin`] was not called,
/// *outcome unknown* afterwards. So a connection that dies in any place leaves a truthful answer.
#[derive(Debug)]
pub struct SendRequest {
    part: SendPart,
    begun: bool,
    answer: Option<oneshot::Sender<Result<Receipt, SendError>>>,
}

impl SendRequest {
    /// A request and where its answer comes out.
    pub fn new(part: SendPart) -> (Self, oneshot::Receiver<Result<Receipt, SendError>>) {
        let (answer, answered) = oneshot::channel();
        (
            Self {
                part,
                begun: false,
                answer: Some(answer),
            },
            answered,
        )
    }

    /// What to send.
    pub fn part(&self) -> &SendPart {
        &self.part
    }

    /// Whether nobody waits for the answer any more. Then it must not be begun: whoever asked asks again.
    pub fn abandoned(&self) -> bool {
        self.answer.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// From here on the platform may have it. Called before the first byte leaves.
    pub fn begin(&mut self) {
        self.begun = true;
    }

    /// Answers.
    pub fn answer(mut self, result: Result<Receipt, SendError>) {
        if let Some(answer) = self.answer.take() {
            // The asker may have gone: then the row says `sending`, which its successor settles.
            let _ = answer.send(result);
        }
    }
}

impl Drop for SendRequest {
    fn drop(&mut self) {
        if let Some(answer) = self.answer.take() {
            let error = if self.begun {
                SendError::unknown("the connection ended before the platform answered")
            } else {
                SendError::retry("the connection ended")
            };
            let _ = answer.send(Err(error));
        }
    }
}
