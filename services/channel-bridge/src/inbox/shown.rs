//! That a message was taken, shown where it was said.

use std::time::Duration;

use tokio::time;

use super::Inbox;
use crate::{account::Entry, adapter::InboundMessage};

/// What is only shown holds up the next message of its chat for no longer.
const REACT_WITHIN: Duration = Duration::from_secs(3);

impl Inbox {
    /// Shows the sender that the message was taken, if somebody wants that.
    pub(super) async fn acknowledge(&self, message: &InboundMessage, entry: &Entry) {
        let (Some(emoji), Some(adapter)) = (&entry.config.ack_reaction, &entry.adapter) else {
            return;
        };
        if !adapter.capabilities().reactions {
            return;
        }
        let thread = message.thread_id.as_deref();
        let reacted = adapter.react(&message.reply_to, thread, &message.message_id, emoji);
        match time::timeout(REACT_WITHIN, reacted).await {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => {
                tracing::debug!(message.id = %message.message_id, reason, "a reaction was not shown")
            }
            Err(_) => tracing::debug!(message.id = %message.message_id, "a reaction was not shown in time"),
        }
    }
}
