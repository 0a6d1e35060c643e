//! What the gateway tells: messages, commands, and what people do beside words.

use serde_json::Value;

use super::{
    buttons, commands,
    event::{Channel, Deleted, Interaction, Message, Reaction},
    gateway::Gateway,
    inbound::hear,
};
use crate::{
    adapter::Remark,
    platform::web::{nulls, take::commit, wording::Wording},
};

impl Gateway<'_> {
    pub(super) fn reaction(self, data: &Value, added: bool) {
        let Ok(reaction) = nulls::read::<Reaction>(data) else {
            return;
        };
        let Reaction {
            user_id,
            channel_id,
            message_id,
            message_author_id,
            emoji,
        } = reaction;
        if user_id == self.me {
            return;
        }
        if !added && self.reacted.knows(&message_id) {
            self.inbound
                .remark(&channel_id, &[&user_id], Remark::NotReacted(emoji.shown()));
        } else if added && message_author_id.as_deref() == Some(self.me) {
            // Whose it was is not told again when the reaction is taken back.
            self.reacted.learn(&message_id);
            self.inbound
                .remark(&channel_id, &[&user_id], Remark::Reacted(emoji.shown()));
        }
    }

    /// Messages of people that were taken back, by them or by somebody who may.
    pub(super) fn deleted(self, data: &Value) {
        let Ok(Deleted { id, ids, channel_id }) = nulls::read(data) else {
            return;
        };
        let ids = std::iter::once(id).chain(ids);
        for _ in ids.filter(|id| self.heard.forget(id)) {
            self.inbound.remark(&channel_id, &[], Remark::TakenBack);
        }
    }

    /// True: something was committed. Unset: it could not be taken, and has to be said again.
    pub(super) async fn message(self, data: &Value, edited: bool) -> Option<bool> {
        match nulls::read::<Message>(data) {
            Ok(message) => self.take(&message, edited).await,
            Err(error) => {
                tracing::warn!(%error, "a message of Discord is not understood and left out");
                Some(false)
            }
        }
    }

    /// The same of a command that was chosen behind the slash, or a button that was pressed.
    pub(super) async fn interaction(self, data: &Value) -> Option<bool> {
        let interaction = match nulls::read::<Interaction>(data) {
            Ok(interaction) => interaction,
            Err(error) => {
                tracing::warn!(%error, "an interaction of Discord is not understood and left out");
                return Some(false);
            }
        };
        let command = commands::typed(&interaction, self.me);
        let command = command.map(|typed| (commands::taken(&typed.content), typed));
        let button = || Some((buttons::taken(), buttons::typed(&interaction, self.me)?));
        let Some((taken, typed)) = command.or_else(button) else {
            return Some(false);
        };
        let kept = self.take(&typed, false).await?;
        if kept {
            commands::answer(self.api, &interaction, &taken).await;
        }
        Some(kept)
    }

    async fn take(self, message: &Message, edited: bool) -> Option<bool> {
        // A pin is a change of the message as well, and so is a preview.
        let wording = Wording::of(&message.content, "");
        if edited && self.wordings.of(&message.id) == Some(wording) {
            return Some(false);
        }
        let channel = if message.guild_id.is_some() && message.author.is_some() {
            self.channels.get(self.api, &message.channel_id).await.ok()?
        } else {
            Channel::default()
        };
        let Some(said) = hear(message, &channel, self.me, edited, self.clock.now_ms()) else {
            return Some(false);
        };
        commit(self.inbound, said).await;
        self.heard.learn(&message.id);
        self.wordings.learn(&message.id, wording);
        Some(true)
    }
}
