//! The beginning of an answer that is still being written, where a platform can show it: a message that is changed until the answer
//! takes its place, or a draft that vanishes by itself. A preview is not the answer: nothing is kept back for it, and one that cannot be
//! shown is left out.

use std::time::Duration;

use super::SendError;
use crate::id::{Address, MessageId};

/// When a platform wants a pause and does not say how long.
const PAUSE: Duration = Duration::from_secs(5);

/// How previews go on a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Previews {
    /// Between two changes in a chat of two.
    pub(crate) every: Duration,
    /// The same where several people are.
    pub(crate) every_shared: Duration,
    /// Whether those in chats of two may vanish by themselves, so that nothing has to be taken back.
    pub(crate) vanish: bool,
}

/// What is to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Preview {
    /// The run that writes it: previews of one run are one to the platform as well.
    pub(crate) run: String,
    pub(crate) to: Address,
    /// Unset where the platform has no [`Capabilities::threads`](super::Capabilities::threads).
    pub(crate) thread_id: Option<String>,
    /// The message that is answered.
    pub(crate) reply_to_id: Option<MessageId>,
    /// The message that is to be changed. Unset: there is none yet.
    pub(crate) shown: Option<String>,
    /// Within [`Capabilities::text`](super::Capabilities::text).
    pub(crate) text: String,
    /// Whether it may be a message that stays. If not, it vanishes by itself or is not shown.
    pub(crate) may_last: bool,
}

/// It is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The platform's id of the message, by which it is changed and taken back. Unset: it vanishes by itself.
    pub(crate) id: Option<String>,
}

/// Why it is not shown, or not taken back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PreviewError {
    /// Later, perhaps.
    #[error("{reason}")]
    Busy { after: Duration, reason: String },
    /// It can only be shown as a message that stays.
    #[error("previews do not vanish by themselves here")]
    MustLast,
    /// The message is not there any more, or nothing is shown here.
    #[error("{0}")]
    Never(String),
    /// Nobody knows: a change may still come.
    #[error("{0}")]
    Unknown(String),
}

/// What kept a message from being sent keeps a preview from being shown.
impl From<SendError> for PreviewError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Retry { after, reason } => Self::Busy {
                after: after.unwrap_or(PAUSE),
                reason,
            },
            SendError::ChatBusy { after, reason } => Self::Busy { after, reason },
            SendError::Permanent { reason } | SendError::PreviewGone { reason } => Self::Never(reason),
            SendError::Unknown { reason } => Self::Unknown(reason),
        }
    }
}
