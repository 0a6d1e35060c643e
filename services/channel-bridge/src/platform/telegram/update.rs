//! What Telegram says, as far as it is read. Fields that are not listed are not looked at.

use serde::Deserialize;

use crate::adapter::Remark;

/// A person or a bot.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct User {
    pub(super) id: i64,
    pub(super) is_bot: bool,
    pub(super) first_name: String,
    pub(super) last_name: Option<String>,
    pub(super) username: Option<String>,
    /// Of ourselves: private chats have topics.
    pub(super) has_topics_enabled: bool,
}

impl User {
    /// The name for people.
    pub(super) fn name(&self) -> String {
        match &self.last_name {
            Some(last) => format!("{} {last}", self.first_name),
            None => self.first_name.clone(),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Private,
    Group,
    Supergroup,
    Channel,
    /// A kind of a newer Telegram.
    #[default]
    #[serde(other)]
    Other,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Chat {
    pub(super) id: i64,
    #[serde(rename = "type")]
    pub(super) kind: Kind,
    pub(super) title: Option<String>,
}

/// What a part of a text is. Places are counted in UTF-16 units.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Entity {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) offset: usize,
    pub(super) length: usize,
    pub(super) user: Option<User>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message {
    pub(super) message_id: i64,
    pub(super) message_thread_id: Option<i64>,
    /// Only then is the thread a topic; replies in other groups have a thread as well.
    pub(super) is_topic_message: bool,
    pub(super) from: Option<User>,
    /// In whose name it is said: a channel, or a group of which the sender is a hidden administrator.
    pub(super) sender_chat: Option<Chat>,
    pub(super) chat: Chat,
    /// Seconds since 1970.
    pub(super) date: i64,
    pub(super) edit_date: Option<i64>,
    pub(super) text: Option<String>,
    pub(super) caption: Option<String>,
    pub(super) entities: Vec<Entity>,
    pub(super) caption_entities: Vec<Entity>,
    pub(super) reply_to_message: Option<Box<Message>>,
    /// What is answered and stands in another chat, or in another topic.
    pub(super) external_reply: Option<Box<Message>>,
    pub(super) quote: Option<Quote>,
    /// Messages with the same one are an album: sent together, and told one by one.
    pub(super) media_group_id: Option<String>,
    /// A post of the channel that a group belongs to.
    pub(super) is_automatic_forward: bool,
    pub(super) migrate_to_chat_id: Option<i64>,
    pub(super) migrate_from_chat_id: Option<i64>,
    pub(super) photo: Vec<File>,
    pub(super) voice: Option<File>,
    pub(super) audio: Option<File>,
    pub(super) video: Option<File>,
    pub(super) video_note: Option<File>,
    pub(super) animation: Option<File>,
    pub(super) document: Option<File>,
    pub(super) sticker: Option<Sticker>,
    pub(super) venue: Option<Venue>,
    pub(super) location: Option<Location>,
    pub(super) contact: Option<Contact>,
    pub(super) poll: Option<Poll>,
    pub(super) checklist: Option<Checklist>,
    pub(super) dice: Option<Dice>,
}

/// How somebody reacted to a message, before and now.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reactions {
    pub(super) chat: Chat,
    pub(super) message_id: i64,
    /// Who did it, unless they are hidden behind a chat.
    pub(super) user: Option<User>,
    pub(super) actor_chat: Option<Chat>,
    pub(super) old_reaction: Vec<Reaction>,
    pub(super) new_reaction: Vec<Reaction>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Reaction {
    /// Unset: an emoji of somebody's own.
    pub(super) emoji: Option<String>,
}

impl Reactions {
    /// What changed.
    pub(super) fn remarks(&self) -> Vec<Remark> {
        let gone = |old: &&Reaction| !self.new_reaction.contains(old);
        let new = |new: &&Reaction| !self.old_reaction.contains(new);
        let gone = self.old_reaction.iter().filter(gone);
        let gone = gone.filter_map(|old| old.emoji.clone().map(Remark::NotReacted));
        let new = self.new_reaction.iter().filter(new);
        gone.chain(new.filter_map(|new| new.emoji.clone().map(Remark::Reacted)))
            .collect()
    }
}

/// The part of a message that a reply quotes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Quote {
    pub(super) text: String,
}

/// Bytes that Telegram keeps.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct File {
    pub(super) file_id: String,
    /// The same whenever it is told of.
    pub(super) file_unique_id: String,
    pub(super) file_size: Option<i64>,
    pub(super) mime_type: Option<String>,
    pub(super) file_name: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sticker {
    pub(super) emoji: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Location {
    pub(super) latitude: f64,
    pub(super) longitude: f64,
    /// It moves: said again and again.
    pub(super) live_period: Option<i64>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Venue {
    pub(super) title: String,
    pub(super) address: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Contact {
    pub(super) phone_number: String,
    pub(super) first_name: String,
    pub(super) last_name: Option<String>,
}

/// What somebody lets others vote on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Poll {
    pub(super) question: String,
    pub(super) options: Vec<Line>,
}

/// Something that is to be done, or several things.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Checklist {
    pub(super) title: String,
    pub(super) tasks: Vec<Line>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Line {
    pub(super) text: String,
}

/// An emoji that fell somehow.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Dice {
    pub(super) emoji: String,
    pub(super) value: i64,
}
