//! An activity as it is written. All of it is a stranger's: what is missing is empty, what is of another type makes it none.

use serde::Deserialize;
use serde_json::Value;

/// An activity of the Bot Framework, as far as Teams uses it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Activity {
    /// What happened: `message`, `conversationUpdate`, `invoke` and others.
    #[serde(rename = "type")]
    pub kind: String,
    /// The message's id within its conversation.
    pub id: Option<String>,
    /// When, in UTC.
    pub timestamp: Option<String>,
    /// Where answers go.
    pub service_url: String,
    /// Whose: `msteams`.
    pub channel_id: String,
    /// Who did it.
    pub from: Account,
    /// The bot.
    pub recipient: Account,
    /// Where.
    pub conversation: Conversation,
    /// What was said.
    pub text: Option<String>,
    /// How the text is written.
    pub text_format: Option<String>,
    /// The message that this is about.
    pub reply_to_id: Option<String>,
    /// What an invoke is called.
    pub name: Option<String>,
    /// What an invoke, or a button of a card, brings.
    pub value: Option<Value>,
    /// Mentions and other things in the text.
    pub entities: Vec<Entity>,
    /// Files and cards.
    pub attachments: Vec<Attachment>,
    /// What Teams adds.
    pub channel_data: ChannelData,
    /// Who came.
    pub members_added: Vec<Account>,
    /// Who went.
    pub members_removed: Vec<Account>,
    /// Which reactions came.
    pub reactions_added: Vec<ReactionKind>,
    /// Which reactions went.
    pub reactions_removed: Vec<ReactionKind>,
    /// `add` or `remove`, of an installation.
    pub action: Option<String>,
}

impl Activity {
    /// Reads one. Null is the same as nothing.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let mut whole: Value = serde_json::from_slice(bytes)?;
        without_nulls(&mut whole);
        serde_json::from_value(whole)
    }
}

/// Takes nulls out, except from what only its writer understands.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            for (key, value) in map.iter_mut() {
                if key != "value" && key != "content" {
                    without_nulls(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// A person or a bot.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Account {
    /// Its id towards this bot.
    pub id: String,
    /// What it is called. People choose it.
    pub name: Option<String>,
    /// The person's id in their organisation.
    pub aad_object_id: Option<String>,
    /// `bot` or `user`.
    pub role: Option<String>,
}

/// A conversation.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Conversation {
    /// Its id; of a channel with `;messageid=` and the root of the thread.
    pub id: String,
    /// `personal`, `groupChat` or `channel`.
    pub conversation_type: Option<String>,
    /// The organisation.
    pub tenant_id: Option<String>,
    /// What it is called.
    pub name: Option<String>,
}

/// Something in the text.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Entity {
    /// What it is: `mention` and others.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who is mentioned.
    pub mentioned: Account,
    /// How the text says it.
    pub text: Option<String>,
}

/// A file or a card.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Attachment {
    /// What it is.
    pub content_type: String,
    /// Where it is.
    pub content_url: Option<String>,
    /// What it holds.
    pub content: Option<Value>,
    /// What it is called.
    pub name: Option<String>,
}

/// What Teams adds to an activity.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ChannelData {
    /// The organisation.
    pub tenant: Named,
    /// The team of a channel.
    pub team: Team,
    /// The channel.
    pub channel: Named,
    /// What happened exactly, for example `channelCreated`.
    pub event_type: Option<String>,
}

/// Something with an id and a name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Named {
    /// Its id.
    pub id: Option<String>,
    /// What it is called.
    pub name: Option<String>,
}

/// A team.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Team {
    /// Its id in Teams.
    pub id: Option<String>,
    /// Its id in the organisation, which is another one.
    pub aad_group_id: Option<String>,
    /// What it is called.
    pub name: Option<String>,
}

/// A reaction.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReactionKind {
    /// `like`, `heart` and others.
    #[serde(rename = "type")]
    pub kind: String,
}
