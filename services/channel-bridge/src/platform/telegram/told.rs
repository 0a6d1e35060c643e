//! Updates, as Telegram brings them either way.

use serde_json::Value;

use super::{
    keyboard::Press,
    own::Own,
    update::{Kind, Message, Reactions},
};
use crate::{adapter::InboundSink, platform::web::nulls};

/// One update, as far as it is read.
#[derive(Debug)]
pub(super) struct Update {
    pub(super) id: i64,
    /// Unset: nothing that is read, or nothing that is understood.
    pub(super) message: Option<Message>,
    pub(super) edited: bool,
    /// Somebody pressed a button.
    pub(super) press: Option<Press>,
    reactions: Option<Reactions>,
}

impl Update {
    pub(super) fn read(update: &Value) -> Option<Self> {
        let id = update.get("update_id").and_then(Value::as_i64)?;
        let edited = update.get("message").is_none();
        let message = update.get("message").or_else(|| update.get("edited_message"));
        let message = message.and_then(|message| {
            nulls::read::<Message>(message)
                .inspect_err(|error| tracing::warn!(%error, "an update is not understood and left out"))
                .ok()
        });
        let reactions = update.get("message_reaction");
        let reactions = reactions.and_then(|reactions| nulls::read::<Reactions>(reactions).ok());
        let press = update.get("callback_query");
        let press = press.and_then(|press| {
            nulls::read::<Press>(press)
                .inspect_err(
                    |error| tracing::warn!(%error, "a pressed button is not understood and left out"),
                )
                .ok()
        });
        Some(Self {
            id,
            message,
            edited,
            press,
            reactions,
        })
    }

    /// Tells what happened beside words.
    pub(super) fn remark(&self, inbound: &InboundSink, own: &Own) {
        let Some(reactions) = &self.reactions else { return };
        let chat = &reactions.chat;
        // In a chat of two it is about us as a rule; elsewhere it has to be a message of ours.
        let chat = match chat.kind {
            Kind::Private => Some(chat.id.to_string()),
            _ => own.address(chat.id, reactions.message_id),
        };
        let Some(chat) = chat else { return };
        let who = reactions.user.as_ref().map(|user| user.id);
        let who = who.or(reactions.actor_chat.as_ref().map(|chat| chat.id));
        let who = who.map(|id| id.to_string());
        let by: Vec<&str> = who.as_deref().into_iter().collect();
        for remark in reactions.remarks() {
            inbound.remark(&chat, &by, remark);
        }
    }

    /// The album that it belongs to, and its chat.
    pub(super) fn album(&self) -> Option<(i64, &str)> {
        let message = self.message.as_ref().filter(|_| !self.edited)?;
        Some((message.chat.id, message.media_group_id.as_deref()?))
    }
}
