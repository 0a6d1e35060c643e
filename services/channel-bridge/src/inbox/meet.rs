//! Whether somebody is answered who and we only answer each other.

use super::{Inbox, store::InboxRow};
use crate::{
    adapter::ChatKind,
    notice,
    pace::{Met, Pace, store::Heard},
    store::StoreError,
};

impl Inbox {
    /// Counts a message that is to be answered: for its sender, and in a room for all who are there. The operator is told
    /// when a pause begins, and so is the chat.
    pub(super) async fn meet(&self, row: &InboxRow, pace: Pace) -> Result<Met, StoreError> {
        let message = &row.message;
        let heard = Heard {
            seq: row.seq,
            account: row.account.clone(),
            chat: message.chat_id.clone(),
            sender: Some(message.sender_id.clone()),
            to: message.reply_to.clone(),
            at: row.received_at,
            pace,
        };
        let mut met = self.paces.hear(heard.clone()).await?;
        if met == Met::Welcome && message.chat_kind != ChatKind::Direct {
            let room = Heard {
                sender: None,
                pace: pace.of_room(),
                ..heard
            };
            met = self.paces.hear(room).await?;
        }
        if met == (Met::Paused { first: true }) {
            tracing::warn!(
                account.id = %row.account,
                chat.id = %message.chat_id,
                sender.id = %message.sender_id,
                message.id = %message.message_id,
                "somebody and the assistant only answer each other: they are not answered for a while \
                 (loopGuard of the channel; channels.status shows until when)"
            );
            self.tell_once(row, "loop", notice::PAUSED).await?;
        }
        Ok(met)
    }
}
