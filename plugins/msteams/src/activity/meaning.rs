//! What an activity means to a gateway.

use serde_json::Value;

use super::{
    mention::spoken,
    wire::{Activity, Attachment},
};

/// Files of one message. Teams lets people attach ten.
const FILES_MAX: usize = 20;
/// The most of a quoting attachment that is looked through.
const QUOTE_BYTES_MAX: usize = 64 * 1024;
/// Longest id of anything, in bytes: what the gateway takes.
pub(crate) const ID_BYTES_MAX: usize = 512;
/// How a file that somebody attached in a chat of two is called.
const DOWNLOAD: &str = "application/vnd.microsoft.teams.file.download.info";

/// What kind of place people talk in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceKind {
    /// A chat of two.
    Personal,
    /// A chat of several people.
    Group,
    /// A channel of a team.
    Channel,
}

impl PlaceKind {
    /// The word of Teams for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Personal => "personal",
            Self::Group => "groupChat",
            Self::Channel => "channel",
        }
    }

    /// From the word of Teams.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "personal" => Some(Self::Personal),
            "groupChat" => Some(Self::Group),
            "channel" => Some(Self::Channel),
            _ => None,
        }
    }
}

/// Where something was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The conversation, without a thread.
    pub conversation: String,
    /// What kind it is.
    pub kind: PlaceKind,
    /// The root of the thread, in a channel.
    pub thread: Option<String>,
    /// The organisation.
    pub tenant: Option<String>,
    /// The team's id in Teams.
    pub team: Option<String>,
    /// The team's id in the organisation, which is another one.
    pub team_group: Option<String>,
    /// What the conversation is called.
    pub name: Option<String>,
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// What Teams vouches for: the id in the organisation, or towards this bot where there is none.
    pub id: String,
    /// The other one of the two.
    pub alias: Option<String>,
    /// What people call them. They choose it: for reading, never for deciding.
    pub name: Option<String>,
    /// Whether it is a program.
    pub is_bot: bool,
}

/// A file that somebody sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where it is. Not looked at before it is fetched.
    pub url: String,
    /// What it is called.
    pub name: Option<String>,
    /// Its media type, as Teams says. Unset: Teams does not say.
    pub mime_type: Option<String>,
}

/// Something that somebody said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id within the conversation.
    pub id: String,
    /// Where.
    pub place: Place,
    /// Who.
    pub sender: Sender,
    /// The words.
    pub text: String,
    /// Whether the bot was spoken to.
    pub mentioned: bool,
    /// What came with it.
    pub files: Vec<File>,
    /// The message that it quotes.
    pub quotes: Option<String>,
    /// When, as Teams writes it.
    pub sent_at: Option<String>,
}

/// Somebody reacted to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaction {
    /// Where.
    pub place: Place,
    /// Who.
    pub sender: Sender,
    /// To which message.
    pub message: String,
    /// What came.
    pub added: Vec<String>,
    /// What went.
    pub removed: Vec<String>,
}

/// Teams waits for an answer in the same response.
#[derive(Clone, Debug, PartialEq)]
pub struct Invoke {
    /// Its id.
    pub id: String,
    /// What it is called, for example `adaptiveCard/action`.
    pub name: String,
    /// Where.
    pub place: Place,
    /// Who.
    pub sender: Sender,
    /// The message with the card.
    pub message: Option<String>,
    /// What it brings.
    pub value: Value,
    /// When, as Teams writes it.
    pub sent_at: Option<String>,
}

/// What an activity means.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// Something was said.
    Said(Box<Message>),
    /// A message was changed.
    Edited(Box<Message>),
    /// A message was taken back.
    Deleted {
        /// Where.
        place: Place,
        /// Its id.
        message: String,
    },
    /// Somebody reacted.
    Reacted(Reaction),
    /// A button was pressed, or the like.
    Invoked(Box<Invoke>),
    /// The bot is in a conversation from now on.
    Joined(Place),
    /// The bot is not in a conversation any more.
    Left(Place),
    /// Nothing that anybody has to know.
    Nothing(&'static str),
}

/// What an activity means.
///
/// # Errors
/// When it is not one of Teams: an id is missing or is longer than one.
pub fn understand(activity: &Activity) -> Result<Incoming, &'static str> {
    if activity.channel_id != crate::auth::CHANNEL {
        return Err("it is not of the channel `msteams`");
    }
    let place = place(activity)?;
    match activity.kind.as_str() {
        "message" => Ok(Incoming::Said(Box::new(message(activity, place)?))),
        "messageUpdate" if activity.channel_data.event_type.as_deref() != Some("editMessage") => {
            Ok(Incoming::Nothing("a message was brought back"))
        }
        "messageUpdate" => Ok(Incoming::Edited(Box::new(message(activity, place)?))),
        "messageDelete" => Ok(Incoming::Deleted {
            message: id(activity.id.as_deref(), "the message has no id")?,
            place,
        }),
        "messageReaction" => Ok(Incoming::Reacted(Reaction {
            message: id(activity.reply_to_id.as_deref(), "the reaction is to no message")?,
            sender: sender(activity)?,
            added: kinds(&activity.reactions_added),
            removed: kinds(&activity.reactions_removed),
            place,
        })),
        "invoke" => Ok(Incoming::Invoked(Box::new(Invoke {
            id: id(activity.id.as_deref(), "the invoke has no id")?,
            name: id(activity.name.as_deref(), "the invoke has no name")?,
            sender: sender(activity)?,
            message: activity.reply_to_id.clone().filter(|id| id.len() <= ID_BYTES_MAX),
            value: activity.value.clone().unwrap_or_default(),
            sent_at: activity.timestamp.clone(),
            place,
        }))),
        "conversationUpdate" => Ok(membership(activity, place)),
        "installationUpdate" => Ok(match activity.action.as_deref() {
            Some("add" | "add-upgrade") => Incoming::Joined(place),
            Some("remove" | "remove-upgrade") => Incoming::Left(place),
            _ => Incoming::Nothing("an installation changed"),
        }),
        "typing" => Ok(Incoming::Nothing("somebody writes")),
        _ => Ok(Incoming::Nothing("it is of a kind that is not known")),
    }
}

fn membership(activity: &Activity, place: Place) -> Incoming {
    let is_bot = |account: &super::wire::Account| account.id == activity.recipient.id;
    if activity.members_added.iter().any(is_bot) {
        Incoming::Joined(place)
    } else if activity.members_removed.iter().any(is_bot) {
        Incoming::Left(place)
    } else {
        Incoming::Nothing("a conversation changed")
    }
}

fn message(activity: &Activity, place: Place) -> Result<Message, &'static str> {
    let (text, mentioned) = spoken(activity);
    let text = match (&*text, &activity.value) {
        // A button of a card that says something: `Action.Submit`.
        ("", Some(value)) => crate::card::said(value),
        _ => text,
    };
    Ok(Message {
        id: id(activity.id.as_deref(), "the message has no id")?,
        sender: sender(activity)?,
        text,
        // What is said in a chat of two is said to the bot.
        mentioned: mentioned || place.kind == PlaceKind::Personal,
        files: activity
            .attachments
            .iter()
            .filter_map(file)
            .take(FILES_MAX)
            .collect(),
        quotes: activity.attachments.iter().find_map(quoted),
        sent_at: activity.timestamp.clone(),
        place,
    })
}

fn place(activity: &Activity) -> Result<Place, &'static str> {
    let conversation = &activity.conversation;
    let (base, thread) = match conversation.id.split_once(";messageid=") {
        Some((base, root)) => (base, Some(root)),
        None => (&*conversation.id, None),
    };
    let data = &activity.channel_data;
    let kind = match conversation.conversation_type.as_deref() {
        Some(word) => PlaceKind::from_word(word).ok_or("its kind of conversation is not known")?,
        None if data.team.id.is_some() => PlaceKind::Channel,
        // The Playground and events without people leave it out.
        None => PlaceKind::Personal,
    };
    // A message that begins a thread is its root.
    let begins = matches!(kind, PlaceKind::Channel if activity.kind == "message");
    let thread = thread.or(activity.id.as_deref().filter(|_| begins));
    let tenant = conversation.tenant_id.as_ref().or(data.tenant.id.as_ref());
    Ok(Place {
        conversation: id(Some(base), "the conversation has no id")?,
        kind,
        thread: thread
            .filter(|_| kind == PlaceKind::Channel)
            .map(|root| id(Some(root), "the thread has no id"))
            .transpose()?,
        tenant: bounded(tenant),
        team: bounded(data.team.id.as_ref()),
        team_group: bounded(data.team.aad_group_id.as_ref()),
        name: bounded(
            data.channel
                .name
                .as_ref()
                .or(conversation.name.as_ref())
                .or(data.team.name.as_ref()),
        ),
    })
}

fn sender(activity: &Activity) -> Result<Sender, &'static str> {
    let from = &activity.from;
    let of_bot = id(Some(&from.id), "nobody said it")?;
    let of_tenant = bounded(from.aad_object_id.as_ref()).filter(|id| !id.is_empty());
    let (id, alias) = match of_tenant {
        Some(of_tenant) => (of_tenant, Some(of_bot)),
        None => (of_bot, None),
    };
    Ok(Sender {
        id,
        alias,
        name: bounded(from.name.as_ref()),
        is_bot: from.role.as_deref() == Some("bot") || from.id.starts_with("28:"),
    })
}

fn file(attachment: &Attachment) -> Option<File> {
    let name = bounded(attachment.name.as_ref());
    if attachment.content_type == DOWNLOAD {
        let url = attachment.content.as_ref()?.get("downloadUrl")?.as_str()?;
        return Some(File {
            url: url.to_owned(),
            name,
            mime_type: None,
        });
    }
    let kind = attachment.content_type.split('/').next().unwrap_or_default();
    matches!(kind, "image" | "audio" | "video").then_some(())?;
    Some(File {
        url: attachment.content_url.clone()?,
        name,
        // `image/*` says nothing that its bytes do not say better.
        mime_type: Some(attachment.content_type.clone()).filter(|mime| !mime.ends_with('*')),
    })
}

/// The message that an HTML copy of the text quotes.
fn quoted(attachment: &Attachment) -> Option<String> {
    if attachment.content_type != "text/html" {
        return None;
    }
    let html = attachment.content.as_ref()?.as_str()?;
    let html = html.get(..QUOTE_BYTES_MAX).unwrap_or(html);
    let (_, quote) = html.split_once("http://schema.skype.com/Reply\"")?;
    let (_, id) = quote.split_once("itemid=\"")?;
    let (id, _) = id.split_once('"')?;
    (!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) && id.len() <= ID_BYTES_MAX)
        .then(|| id.to_owned())
}

fn kinds(reactions: &[super::wire::ReactionKind]) -> Vec<String> {
    let kinds = reactions.iter().map(|reaction| reaction.kind.clone());
    kinds.filter(|kind| kind.len() <= ID_BYTES_MAX).take(8).collect()
}

fn id(text: Option<&str>, missing: &'static str) -> Result<String, &'static str> {
    match text {
        Some(text) if !text.is_empty() && text.len() <= ID_BYTES_MAX => Ok(text.to_owned()),
        _ => Err(missing),
    }
}

fn bounded(text: Option<&String>) -> Option<String> {
    text.filter(|text| text.len() <= ID_BYTES_MAX).cloned()
}

#[cfg(test)]
mod tests;
