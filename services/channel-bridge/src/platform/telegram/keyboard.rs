//! Buttons below a message. Whoever presses one says what it stands for; Telegram is told once that is committed.

use std::time::Duration;

use gatehouse_core::{
    Content, Timestamp,
    content::{Choice, choices::CHOICES_MAX},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    api::Api,
    inbound::Ear,
    update::{Kind, Message, User},
};
use crate::{
    adapter::{ChatKind, InboundMessage},
    id::MessageId,
};

/// Telegram takes a hundred; no message of ours has so many.
pub(super) const BUTTONS_MAX: usize = CHOICES_MAX;
/// Buttons that stand beside each other, where all of them are short.
const ROW: usize = 3;
/// A label that has room beside two others on a phone, in characters.
const SHORT_CHARS: usize = 12;
/// Telegram turns a wheel on the button until it is answered; what is read behind it waits for that no longer than this.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Somebody pressed a button.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Press {
    pub(super) id: String,
    pub(super) from: User,
    /// What the button stands below. Unset where that is too old.
    pub(super) message: Option<Message>,
    pub(super) data: Option<String>,
}

/// The buttons of a message. `None`: it has none.
pub(super) fn keyboard(choices: &[Choice]) -> Option<Value> {
    if choices.is_empty() {
        return None;
    }
    let is_short = |choice: &Choice| choice.label.chars().count() <= SHORT_CHARS;
    let row = if choices.iter().all(is_short) { ROW } else { 1 };
    let button = |choice: &Choice| json!({"text": choice.label, "callback_data": choice.value});
    let rows = choices.chunks(row);
    let rows: Vec<Vec<Value>> = rows.map(|row| row.iter().map(button).collect()).collect();
    Some(json!({"inline_keyboard": rows}))
}

impl Ear<'_> {
    /// What whoever pressed a button says.
    pub(super) fn press(&self, press: &Press, now: Timestamp) -> Option<InboundMessage> {
        let below = press.message.as_ref()?;
        let value = press.data.as_deref().filter(|value| !value.trim().is_empty())?;
        let kind = match below.chat.kind {
            Kind::Private => ChatKind::Direct,
            Kind::Group | Kind::Supergroup => ChatKind::Group,
            Kind::Channel | Kind::Other => return None,
        };
        let said = Message {
            from: Some(press.from.clone()),
            sender_chat: None,
            ..below.clone()
        };
        let heard = self.message(&said, kind, Content::text(value), false);
        let id = MessageId::try_from(format!("{}/press/{}", below.chat.id, press.id));
        let heard = heard.and_then(|heard| {
            Ok(InboundMessage {
                message_id: id?,
                mentioned: true,
                sent_at: now,
                ..heard
            })
        });
        heard
            .inspect_err(|problem| tracing::warn!(%problem, "a pressed button was left out"))
            .ok()
    }
}

/// Tells Telegram that it was heard.
pub(super) async fn answer(api: &Api, press: &Press) {
    let answer = json!({"callback_query_id": press.id});
    let told = api
        .call::<Value>("answerCallbackQuery", &answer, ANSWER_WITHIN)
        .await;
    if let Err(error) = told {
        tracing::debug!(%error, "Telegram was not told that a button was pressed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_labels_stand_beside_each_other_and_long_ones_below() {
        let rows = |labels: &[&str]| {
            let labels = labels.iter().map(|label| ((*label).to_owned(), String::new()));
            let keyboard = keyboard(&Choice::read(labels).unwrap());
            keyboard.map(|keyboard| keyboard["inline_keyboard"].as_array().unwrap().len())
        };

        assert_eq!(rows(&["1", "2", "3", "4"]), Some(2));
        assert_eq!(rows(&["Yes", "No, and not tomorrow either"]), Some(2));
        assert_eq!(rows(&[]), None);
    }
}
