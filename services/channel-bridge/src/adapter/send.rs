//! One part of a message on its way to a platform, and what became of it.

use std::time::Duration;

use gatehouse_core::Timestamp;
use gatehouse_core::content::{Choice, Media};
use tokio::sync::oneshot;

use crate::id::{Address, DeliveryKey, MessageId};

/// One part of a message to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SendPart {
    /// The same for every attempt at this part: the idempotency key, where the platform has such a thing.
    pub(crate) key: String,
    /// The delivery it belongs to.
    pub(crate) delivery: DeliveryKey,
    /// Which part, counted from 0.
    pub(crate) index: u32,
    pub(crate) to: Address,
    /// Unset where the platform has no [`Capabilities::threads`](super::Capabilities::threads).
    pub(crate) thread_id: Option<String>,
    /// The message that is answered.
    pub(crate) reply_to_id: Option<MessageId>,
    /// Within [`Capabilities::text`](super::Capabilities::text). Empty where media are all that is said.
    pub(crate) text: String,
    /// The message of the platform that this part takes the place of: a preview of it. Doing that twice is no harm, so its outcome is
    /// never [`SendError::Unknown`].
    pub(crate) replaces: Option<String>,
    /// What goes with it. Empty where the platform has no [`Capabilities::media`](super::Capabilities::media).
    pub(crate) media: Vec<Media>,
    /// What whoever reads it may choose from. Never more than [`Capabilities::choices`](super::Capabilities::choices), and beside words only.
    pub(crate) choices: Vec<Choice>,
    /// When the message was made.
    pub(crate) created_at: Timestamp,
}

/// The platform took it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// The platform's id of the message, where it tells one.
    pub(crate) platform_id: Option<String>,
    /// The platform was given the message and is there, but never says whether it took anything.
    pub(crate) unconfirmed: bool,
    /// The platform refused the markup, and took the words without it.
    pub(crate) plain: bool,
}

impl Receipt {
    /// For a platform that is there and confirms nothing. Not sent again: that would say everything twice.
    #[must_use]
    pub(crate) fn unconfirmed() -> Self {
        Self {
            unconfirmed: true,
            ..Self::default()
        }
    }
}

/// Why a part was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SendError {
    /// The platform did not take it, and may later.
    #[error("{reason}")]
    Retry {
        /// The platform's own word on when to try again. Nothing is sent to the account earlier.
        after: Option<Duration>,
        reason: String,
    },
    /// The platform wants silence in this chat for so long. Others are not held up by it.
    #[error("{reason}")]
    ChatBusy {
        /// Nothing is sent into the chat earlier.
        after: Duration,
        reason: String,
    },
    /// The platform will never take it.
    #[error("{reason}")]
    Permanent { reason: String },
    /// The message that it was to take the place of is not there, or cannot be changed any more. Nothing was sent.
    #[error("{reason}")]
    PreviewGone { reason: String },
    /// Nobody knows whether the platform took it.
    #[error("{reason}")]
    Unknown { reason: String },
}

impl SendError {
    /// May work later.
    pub(crate) fn retry(reason: impl Into<String>) -> Self {
        Self::Retry {
            after: None,
            reason: reason.into(),
        }
    }

    /// Will never work.
    pub(crate) fn permanent(reason: impl Into<String>) -> Self {
        Self::Permanent {
            reason: reason.into(),
        }
    }

    /// Nobody knows.
    pub(crate) fn unknown(reason: impl Into<String>) -> Self {
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
pub(crate) struct SendRequest {
    part: SendPart,
    begun: bool,
    answer: Option<oneshot::Sender<Result<Receipt, SendError>>>,
}

impl SendRequest {
    /// A request and where its answer comes out.
    pub(crate) fn new(part: SendPart) -> (Self, oneshot::Receiver<Result<Receipt, SendError>>) {
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
    pub(crate) fn part(&self) -> &SendPart {
        &self.part
    }

    /// Whether nobody waits for the answer any more. Then it must not be begun: whoever asked asks again.
    pub(crate) fn abandoned(&self) -> bool {
        self.answer.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// What to send in its place: words for a file that cannot be sent.
    pub(crate) fn instead(&mut self, part: SendPart) {
        self.part = part;
    }

    /// From here on the platform may have it. Called before the first byte leaves.
    pub(crate) fn begin(&mut self) {
        self.begun = true;
    }

    pub(crate) fn answer(mut self, result: Result<Receipt, SendError>) {
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
