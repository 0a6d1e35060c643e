//! What Meta posts, as far as it is read. Fields that are not listed are not looked at.

use serde::Deserialize;

use super::api::Problem;

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct Post {
    pub(super) object: String,
    pub(super) entry: Vec<Entry>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct Entry {
    pub(super) changes: Vec<Change>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct Change {
    pub(super) field: String,
    /// Read when the field is one that says messages.
    pub(super) value: serde_json::Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Value {
    pub(super) metadata: Metadata,
    /// Each read by itself, as what follows: one that is not understood holds up no other.
    pub(super) contacts: Vec<serde_json::Value>,
    pub(super) messages: Vec<serde_json::Value>,
    pub(super) statuses: Vec<serde_json::Value>,
}

/// Which of the business's numbers it is about.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Metadata {
    pub(super) phone_number_id: String,
}

/// Who wrote.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Contact {
    pub(super) profile: Profile,
    /// The phone number, unless the person hides it.
    pub(super) wa_id: Option<String>,
    /// The id of the person for this business.
    pub(super) user_id: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Profile {
    pub(super) name: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message {
    pub(super) id: String,
    /// The phone number, unless the person hides it.
    pub(super) from: Option<String>,
    /// The id of the person for this business.
    pub(super) from_user_id: Option<String>,
    /// Seconds since 1970, as a text.
    pub(super) timestamp: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) text: Option<Text>,
    pub(super) image: Option<File>,
    pub(super) audio: Option<File>,
    pub(super) video: Option<File>,
    pub(super) document: Option<File>,
    pub(super) sticker: Option<File>,
    pub(super) location: Option<Location>,
    pub(super) contacts: Vec<Card>,
    pub(super) button: Option<Button>,
    pub(super) interactive: Option<Interactive>,
    pub(super) reaction: Option<Reaction>,
}

/// How somebody reacted to a message. Without an emoji it is taken back.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reaction {
    pub(super) emoji: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Text {
    pub(super) body: String,
}

/// Bytes that Meta keeps.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct File {
    pub(super) id: String,
    pub(super) mime_type: Option<String>,
    pub(super) filename: Option<String>,
    pub(super) caption: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Location {
    pub(super) latitude: f64,
    pub(super) longitude: f64,
    pub(super) name: Option<String>,
    pub(super) address: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Card {
    pub(super) name: CardName,
    pub(super) phones: Vec<Phone>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CardName {
    pub(super) formatted_name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Phone {
    pub(super) phone: Option<String>,
}

/// What was pressed below a template.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Button {
    pub(super) text: String,
}

/// What was chosen of buttons or a list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Interactive {
    pub(super) button_reply: Option<Choice>,
    pub(super) list_reply: Option<Choice>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Choice {
    /// What it stands for.
    pub(super) id: String,
    pub(super) title: String,
}

/// What became of a message of ours.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) errors: Vec<Problem>,
}
