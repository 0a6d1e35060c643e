//! What Discord says, as far as it is read. Fields that are not listed are not looked at.

use serde::Deserialize;
use serde_json::Value;

/// A frame of the gateway.
#[derive(Debug, Deserialize)]
pub(super) struct Payload {
    pub(super) op: u8,
    /// The place of an event in its session.
    #[serde(default)]
    pub(super) s: Option<u64>,
    /// What kind of event.
    #[serde(default)]
    pub(super) t: Option<String>,
    #[serde(default)]
    pub(super) d: Value,
}

/// A person or a bot.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) username: String,
    pub(super) global_name: Option<String>,
    pub(super) bot: bool,
}

/// What a person is in a server.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Member {
    /// Unset where it stands beside who said something.
    pub(super) user: Option<User>,
    pub(super) nick: Option<String>,
    pub(super) roles: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) channel_id: String,
    pub(super) guild_id: Option<String>,
    /// Unset in a change that is none of words.
    pub(super) author: Option<User>,
    pub(super) member: Option<Member>,
    pub(super) content: String,
    pub(super) edited_timestamp: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: u8,
    pub(super) mentions: Vec<User>,
    pub(super) attachments: Vec<Attachment>,
    pub(super) sticker_items: Vec<Sticker>,
    pub(super) referenced_message: Option<Box<Message>>,
    pub(super) webhook_id: Option<String>,
    /// What it hands on, as it read then.
    pub(super) message_snapshots: Vec<Snapshot>,
    pub(super) poll: Option<Poll>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Snapshot {
    pub(super) message: Box<Message>,
}

/// What somebody lets others vote on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Poll {
    pub(super) question: PollText,
    pub(super) answers: Vec<PollAnswer>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PollAnswer {
    pub(super) poll_media: PollText,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PollText {
    pub(super) text: String,
}

/// What somebody does with what the bot offers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Interaction {
    pub(super) id: String,
    /// Shown with what is answered, for a quarter of an hour.
    pub(super) token: String,
    #[serde(rename = "type")]
    pub(super) kind: u8,
    pub(super) data: Option<Chosen>,
    pub(super) guild_id: Option<String>,
    pub(super) channel_id: String,
    /// Who it is, in a server.
    pub(super) member: Option<Member>,
    /// Who it is, elsewhere.
    pub(super) user: Option<User>,
}

/// A command, and what stands behind it; or a button.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Chosen {
    pub(super) name: String,
    pub(super) options: Vec<ChosenOption>,
    /// What the button is called.
    pub(super) custom_id: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ChosenOption {
    pub(super) value: Value,
}

/// A message that is not there any more, or several.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Deleted {
    pub(super) id: String,
    pub(super) ids: Vec<String>,
    pub(super) channel_id: String,
}

/// How somebody reacted to a message.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reaction {
    pub(super) user_id: String,
    pub(super) channel_id: String,
    pub(super) message_id: String,
    /// Who said the message. Unset where a reaction is taken back.
    pub(super) message_author_id: Option<String>,
    pub(super) emoji: Emoji,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Emoji {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
}

impl Emoji {
    /// How it is told: an emoji, or the name of a server's own.
    pub(super) fn shown(&self) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        match self.id {
            Some(_) => format!(":{name}:"),
            None => name.to_owned(),
        }
    }
}

/// Bytes that Discord keeps.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Attachment {
    pub(super) filename: String,
    pub(super) content_type: Option<String>,
    pub(super) size: Option<i64>,
    pub(super) url: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sticker {
    pub(super) name: String,
}

/// A channel or a thread, which is one as well.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Channel {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: u8,
    pub(super) parent_id: Option<String>,
}

impl Channel {
    /// What a thread hangs under. The parent of any other channel is a heading.
    pub(super) fn parent(&self) -> Option<&str> {
        const THREADS: [u8; 3] = [10, 11, 12];
        self.parent_id.as_deref().filter(|_| THREADS.contains(&self.kind))
    }
}

/// The application that a bot belongs to.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Application {
    pub(super) id: String,
    pub(super) flags: u64,
}

impl Application {
    /// Whether the bot may read what does not name it: for all servers, or for fewer than a hundred.
    pub(super) fn reads_content(&self) -> bool {
        const MESSAGE_CONTENT: u64 = 1 << 18;
        const MESSAGE_CONTENT_LIMITED: u64 = 1 << 19;
        self.flags & (MESSAGE_CONTENT | MESSAGE_CONTENT_LIMITED) != 0
    }
}

/// Where the gateway is, and how often it may be logged in to.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Gateway {
    pub(super) url: String,
    #[serde(default)]
    pub(super) session_start_limit: Option<StartLimit>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct StartLimit {
    pub(super) remaining: u32,
    /// Milliseconds.
    #[serde(default)]
    pub(super) reset_after: u64,
}

/// The first event of a session.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Ready {
    pub(super) session_id: String,
    pub(super) resume_gateway_url: String,
}
