//! A message from a screen or a program, as it was read.

use super::bring::Bringing;
use super::queue::QueueMode;
use crate::agents::ModelName;
use crate::error::Error;
use crate::id::{RunId, SessionId};
use crate::media::Attachments;
use crate::sessions::SessionRef;
use crate::thinking::Level;

/// Where a message was written that comes from no chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Surface {
    Chat,
    Agent,
    Program,
}

/// A message from a screen or a program.
pub(super) struct Message {
    pub(super) surface: Surface,
    pub(super) session: SessionRef,
    pub(super) text: String,
    pub(super) attachments: Attachments,
    /// Whether nothing in it is a command.
    pub(super) literal: bool,
    pub(super) run: RunId,
    pub(super) expected_session: Option<SessionId>,
    pub(super) mode: Option<QueueMode>,
    pub(super) deliver: bool,
    pub(super) model: Option<ModelName>,
    pub(super) thinking: Option<Level>,
    pub(super) timeout_ms: Option<i64>,
    /// What a program brings with it.
    pub(super) bringing: Option<Box<Bringing>>,
}

pub(super) fn not_blank(text: String, attachments: &Attachments) -> Result<String, Error> {
    if text.trim().is_empty() && attachments.is_empty() {
        return Err(Error::Field {
            path: "/message",
            problem: "is empty",
        });
    }
    if text.contains('\0') {
        return Err(Error::Field {
            path: "/message",
            problem: "must not contain null bytes",
        });
    }
    Ok(text)
}
