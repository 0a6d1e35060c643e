//! What signal-cli tells, as far as it is read. Fields that are not listed are not looked at.

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    pub(super) account: Option<String>,
    pub(super) envelope: Envelope,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Envelope {
    pub(super) source_number: Option<String>,
    pub(super) source_uuid: Option<String>,
    pub(super) source_name: Option<String>,
    pub(super) data_message: Option<Message>,
    pub(super) edit_message: Option<Edit>,
}

/// What was said before, in other words.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Edit {
    pub(super) target_sent_timestamp: i64,
    pub(super) data_message: Message,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Message {
    /// Milliseconds since 1970; with who said it the id of the message.
    pub(super) timestamp: i64,
    pub(super) message: Option<String>,
    pub(super) group_info: Option<Group>,
    pub(super) quote: Option<Quote>,
    pub(super) attachments: Vec<Attachment>,
    pub(super) mentions: Vec<Mention>,
    pub(super) sticker: Option<serde_json::Value>,
    pub(super) contacts: Vec<Card>,
    pub(super) reaction: Option<Reaction>,
    pub(super) poll_create: Option<Poll>,
    /// A message of theirs is gone.
    pub(super) remote_delete: Option<serde_json::Value>,
}

/// Somebody whom a message hands on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Card {
    pub(super) name: CardName,
    pub(super) phone: Vec<Phone>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CardName {
    pub(super) display: Option<String>,
    pub(super) given: Option<String>,
    pub(super) family: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Phone {
    pub(super) value: Option<String>,
}

impl Card {
    /// In words.
    pub(super) fn words(&self) -> String {
        let parts = [&self.name.given, &self.name.family].into_iter().flatten();
        let parts: Vec<&str> = parts.map(String::as_str).collect();
        let name = self.name.display.clone().unwrap_or_else(|| parts.join(" "));
        let phone = self.phone.iter().find_map(|phone| phone.value.as_deref());
        format!("[contact: {name}, {}]", phone.unwrap_or("no number"))
    }
}

/// How somebody reacted to a message.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Reaction {
    pub(super) emoji: String,
    pub(super) target_author_uuid: Option<String>,
    pub(super) target_author_number: Option<String>,
    pub(super) is_remove: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Group {
    pub(super) group_id: String,
}

/// The message that is answered.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Quote {
    pub(super) author_number: Option<String>,
    pub(super) author_uuid: Option<String>,
    pub(super) text: Option<String>,
    pub(super) attachments: Vec<QuotedFile>,
}

/// A file of the message that is answered.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct QuotedFile {
    pub(super) content_type: Option<String>,
    pub(super) filename: Option<String>,
}

/// What somebody lets others vote on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Poll {
    pub(super) question: String,
    pub(super) options: Vec<String>,
}

/// Bytes that signal-cli keeps.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Attachment {
    pub(super) id: String,
    pub(super) content_type: Option<String>,
    pub(super) filename: Option<String>,
    pub(super) size: Option<i64>,
}

/// Somebody who is named. In the text stands one letter instead, counted in UTF-16.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Mention {
    pub(super) name: Option<String>,
    pub(super) number: Option<String>,
    pub(super) uuid: Option<String>,
    pub(super) start: usize,
    pub(super) length: usize,
}

/// Who we are.
#[derive(Clone, Debug, Default)]
pub(super) struct Me {
    pub(super) number: String,
    pub(super) uuid: Option<String>,
}

impl Me {
    /// Whether one of these names is ours.
    pub(super) fn is(&self, uuid: Option<&str>, number: Option<&str>) -> bool {
        let same = uuid.is_some() && uuid == self.uuid.as_deref();
        same || number == Some(self.number.as_str())
    }
}

/// What signal-cli knows of a number (`getUserStatus`).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Known {
    pub(super) uuid: Option<String>,
}
