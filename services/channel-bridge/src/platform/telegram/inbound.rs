//! A message of an update, as something that somebody said. What no person said to us now is none: joins, pins, our own words.

use gatehouse_core::{
    Content, Timestamp,
    content::{Block, Media, MediaSource},
};

use super::{
    chats::{self, Moves},
    files,
    update::{Entity, File, Kind, Line, Message, User},
};
use crate::{
    adapter::{Case, ChatKind, InboundMessage, Origin, ParentChat},
    id::{Address, ChatId, IdError, MessageId, SenderId},
    inbox::is_word,
    platform::web::{
        wording::{Wording, Wordings},
        words as told,
    },
};

/// The longest name of a file that is kept, in characters.
const NAME_CHARS_MAX: usize = 200;
/// A change that comes later mends an old message, and asks nothing.
const EDITED_WITHIN_SECONDS: i64 = 600;

/// What a message is read with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ear<'a> {
    pub(super) me: &'a User,
    pub(super) moves: &'a Moves,
    pub(super) wordings: &'a Wordings,
}

impl Ear<'_> {
    /// What was heard of a message is committed.
    pub(super) fn learn(&self, message: &Message) {
        self.wordings.learn(&known_as(message), wording(message));
    }

    /// What a message says. `edited`: it was said before in other words.
    pub(super) fn hear(&self, message: &Message, edited: bool) -> Option<InboundMessage> {
        if message.is_automatic_forward || message.from.as_ref().is_some_and(|from| from.id == self.me.id) {
            return None;
        }
        let kind = match message.chat.kind {
            Kind::Private => ChatKind::Direct,
            Kind::Group | Kind::Supergroup => ChatKind::Group,
            Kind::Channel | Kind::Other => return None,
        };
        let mut with_file = !edited;
        if edited {
            let (before, now) = (self.wordings.of(&known_as(message)), wording(message));
            // Telegram tells of changes that nobody sees as well.
            if !is_news(message) || before == Some(now) {
                return None;
            }
            with_file = before.is_some_and(|before| now.has_other_file(&before));
        }
        let said = self.said(message, edited, with_file)?;
        let heard = self.message(message, kind, said, edited);
        heard
            .inspect_err(|problem| tracing::warn!(%problem, "a message was left out"))
            .ok()
    }

    /// What an album says: one message, with all of its pictures.
    pub(super) fn hear_album(&self, messages: &[Message]) -> Option<InboundMessage> {
        let (first, rest) = messages.split_first()?;
        let mut heard = self.hear(first, false)?;
        for message in rest {
            heard.mentioned |= self.is_meant(message);
            let more = self.said(message, false, true).map(Content::into_blocks);
            more.into_iter()
                .flatten()
                .for_each(|block| heard.content.push(block));
        }
        Some(heard)
    }

    pub(super) fn message(
        &self,
        message: &Message,
        kind: ChatKind,
        said: Content,
        edited: bool,
    ) -> Result<InboundMessage, IdError> {
        let chat = &message.chat;
        let first = self.moves.first(chat.id);
        let thread = message.message_thread_id.filter(|_| message.is_topic_message);
        let topic = thread.filter(|_| kind == ChatKind::Group);
        let chat_id = chats::address(first, topic);
        // A rule for the group holds in its topics, and one for its new number as for its old.
        let mut aliases = vec![
            first.to_string(),
            chats::address(chat.id, topic),
            chat.id.to_string(),
        ];
        aliases.retain(|alias| *alias != chat_id);
        aliases.dedup();
        let parent = match (topic, first == chat.id) {
            (Some(_), _) => Some(first),
            (None, false) => Some(chat.id),
            (None, true) => None,
        };
        let parent = parent.map(|id| {
            Ok(ParentChat {
                kind,
                id: ChatId::try_from(id.to_string())?,
            })
        });
        // A hidden administrator has the group's own number: the user that stands beside it is the same in every group.
        let from = message.from.as_ref();
        let (sender, name) = match (&message.sender_chat, from) {
            (Some(chat), _) => (chat.id, chat.title.clone()),
            (None, Some(from)) => (from.id, Some(from.name())),
            (None, None) => (chat.id, chat.title.clone()),
        };
        let edition = message.edit_date.filter(|_| edited);
        let mut message_id = known_as(message);
        // Elsewhere each bot counts the messages that it sees for itself, and the account may have had another one before.
        if chat.kind != Kind::Supergroup {
            message_id.push_str(&format!("/bot{}", self.me.id));
        }
        // In whole seconds, in which there may be several.
        if let Some(at) = edition {
            message_id.push_str(&format!("/{at}-{}", wording(message).short()));
        }
        Ok(InboundMessage {
            message_id: MessageId::try_from(message_id)?,
            chat_kind: kind,
            chat_id: ChatId::try_from(chat_id)?,
            chat_aliases: aliases
                .into_iter()
                .map(ChatId::try_from)
                .collect::<Result<_, _>>()?,
            case: Case::Ascii,
            origin: Origin {
                parent: parent.transpose()?,
                ..Origin::default()
            },
            reply_to: Address::try_from(chats::address(chat.id, topic))?,
            thread_id: thread
                .filter(|_| kind == ChatKind::Direct && self.me.has_topics_enabled)
                .map(|thread| thread.to_string()),
            sender_id: SenderId::try_from(sender.to_string())?,
            // As OpenClaw's lists may write it.
            sender_aliases: ["telegram", "tg"]
                .into_iter()
                .map(|channel| SenderId::try_from(format!("{channel}:{sender}")))
                .collect::<Result<_, _>>()?,
            sender_name: name.filter(|name| !name.trim().is_empty()),
            mentioned: kind == ChatKind::Direct || self.is_meant(message),
            from_bot: message.sender_chat.is_none() && from.is_some_and(|from| from.is_bot),
            content: said,
            sent_at: Timestamp::from_ms(edition.unwrap_or(message.date).saturating_mul(1000)),
        })
    }

    /// The words, in words what else there is, and the file behind them.
    fn said(&self, message: &Message, edited: bool, with_file: bool) -> Option<Content> {
        let words = self.words(message, edited).map(Block::text);
        // What is only said anew in other words was seen before.
        let file = file(message).filter(|_| with_file).map(Block::Media);
        let said: Content = words.into_iter().chain(file).collect();
        (!said.blocks().is_empty()).then_some(said)
    }

    fn words(&self, message: &Message, edited: bool) -> Option<String> {
        let (text, entities) = words(message);
        let text = self.without_our_name(text, entities);
        let mut lines: Vec<String> = others(message);
        if !text.trim().is_empty() {
            lines.push(text);
        }
        if lines.is_empty() {
            return None;
        }
        let said = lines.join("\n");
        // A command, or a word to the gateway, stands alone, whatever it answers.
        if said.starts_with('/') || is_word(&said) {
            return Some(said);
        }
        let said = if edited { format!("(edited) {said}") } else { said };
        Some(match quoted(message) {
            Some(quoted) => format!("{quoted}\n\n{said}"),
            None => said,
        })
    }

    /// `/stop@gatebot` is `/stop`, and a name in front only says whom it is for.
    fn without_our_name(&self, text: &str, entities: &[Entity]) -> String {
        let Some(first) = entities.iter().find(|entity| entity.offset == 0) else {
            return text.to_owned();
        };
        let Some((head, rest)) = cut(text, first.length) else {
            return text.to_owned();
        };
        match first.kind.as_str() {
            "bot_command" if self.commands_us(head) => {
                let command = head.split('@').next().unwrap_or(head);
                format!("{command}{rest}")
            }
            "mention" if self.names_us(head) => {
                let said = rest.trim_start_matches([',', ':', ' ', '\n']);
                if said.is_empty() { text } else { said }.to_owned()
            }
            _ => text.to_owned(),
        }
    }

    /// Whether the assistant is spoken to in a group: by name, by a command with its name, or by an answer to it.
    fn is_meant(&self, message: &Message) -> bool {
        let (text, entities) = words(message);
        let named = entities.iter().any(|entity| {
            let word = at(text, entity.offset, entity.length).unwrap_or_default();
            match entity.kind.as_str() {
                "mention" => self.names_us(word),
                "text_mention" => entity.user.as_ref().is_some_and(|user| user.id == self.me.id),
                "bot_command" => self.commands_us(word),
                _ => false,
            }
        });
        let answered = message.reply_to_message.as_ref().is_some_and(|answered| {
            // In a topic every message answers the one that opened it, which may have been ours.
            let opened_the_topic = Some(answered.message_id) == message.message_thread_id;
            !opened_the_topic && answered.from.as_ref().is_some_and(|from| from.id == self.me.id)
        });
        named || answered
    }

    fn names_us(&self, word: &str) -> bool {
        let name = word.strip_prefix('@');
        self.me
            .username
            .as_deref()
            .is_some_and(|own| name.is_some_and(|name| name.eq_ignore_ascii_case(own)))
    }

    /// `/command@gatebot`
    fn commands_us(&self, word: &str) -> bool {
        word.split_once('@')
            .is_some_and(|(_, name)| self.names_us(&format!("@{name}")))
    }
}

/// A message within all that this bot sees.
fn known_as(message: &Message) -> String {
    format!("{}/{}", message.chat.id, message.message_id)
}

/// How a message reads.
fn wording(message: &Message) -> Wording {
    let (text, _) = words(message);
    let mut lines = others(message);
    lines.push(text.to_owned());
    let file = sent(message).map(|(file, _)| file.file_unique_id.as_str());
    Wording::of(&lines.join("\n"), file.unwrap_or_default())
}

/// Whether a change is one of words, made while the message is still what is talked about.
fn is_news(message: &Message) -> bool {
    let moves = message
        .location
        .as_ref()
        .is_some_and(|location| location.live_period.is_some());
    let edited = message.edit_date.unwrap_or(message.date);
    !moves && edited.saturating_sub(message.date) <= EDITED_WITHIN_SECONDS
}

fn words(message: &Message) -> (&str, &[Entity]) {
    match (&message.text, &message.caption) {
        (Some(text), _) => (text, &message.entities),
        (None, Some(caption)) => (caption, &message.caption_entities),
        (None, None) => ("", &[]),
    }
}

/// What is no text, in words.
fn others(message: &Message) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(venue) = &message.venue {
        lines.push(format!("[place: {}, {}]", venue.title, venue.address));
    }
    if let Some(location) = &message.location {
        lines.push(format!(
            "[location: {:.6}, {:.6}]",
            location.latitude, location.longitude
        ));
    }
    if let Some(contact) = &message.contact {
        let last = contact.last_name.as_deref().unwrap_or_default();
        let name = format!("{} {last}", contact.first_name);
        lines.push(format!("[contact: {}, {}]", name.trim(), contact.phone_number));
    }
    if let Some(sticker) = &message.sticker {
        let emoji = sticker.emoji.as_deref().unwrap_or("without words");
        lines.push(format!("[sticker: {emoji}]"));
    }
    let texts = |lines: &[Line]| -> Vec<String> { lines.iter().map(|line| line.text.clone()).collect() };
    if let Some(poll) = &message.poll {
        let answers = texts(&poll.options);
        lines.push(told::poll(&poll.question, answers.iter().map(String::as_str)));
    }
    if let Some(list) = &message.checklist {
        lines.push(format!("[list: {}]", list.title));
        lines.extend(texts(&list.tasks).into_iter().map(|task| format!("- {task}")));
    }
    if let Some(dice) = &message.dice {
        lines.push(format!("[{}: {}]", dice.emoji, dice.value));
    }
    lines
}

/// What a message has of bytes, and their type where Telegram does not say it.
fn sent(message: &Message) -> Option<(&File, Option<&'static str>)> {
    // The largest comes last.
    let photo = message.photo.last().map(|file| (file, Some("image/jpeg")));
    let others = [
        (&message.voice, Some("audio/ogg")),
        (&message.audio, None),
        (&message.video, None),
        (&message.video_note, Some("video/mp4")),
        (&message.animation, None),
        // An animation comes as a document as well.
        (&message.document, None),
    ];
    let mut others = others.into_iter();
    let found = photo.or_else(|| others.find_map(|(file, kind)| Some((file.as_ref()?, kind))));
    found.filter(|(file, _)| !file.file_id.is_empty())
}

/// The file of a message, by the address that it is fetched by.
fn file(message: &Message) -> Option<Media> {
    let (file, kind) = sent(message)?;
    let printed = |name: &String| {
        let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
        let name: String = last
            .chars()
            .filter(|c| !c.is_control())
            .take(NAME_CHARS_MAX)
            .collect();
        Some(name).filter(|name| !name.trim().is_empty())
    };
    Some(Media {
        source: MediaSource::Url(files::address(&file.file_id)),
        mime_type: file.mime_type.clone().or(kind.map(str::to_owned)),
        name: file.file_name.as_ref().and_then(printed),
        size_bytes: file.file_size,
    })
}

/// What the message answers, line by line as mail quotes it.
fn quoted(message: &Message) -> Option<String> {
    let chosen = message.quote.as_ref().map(|quote| quote.text.as_str());
    if let Some(quoted) = chosen.and_then(told::quoted) {
        return Some(quoted);
    }
    let answered = message
        .reply_to_message
        .as_ref()
        .or(message.external_reply.as_ref())?;
    let (text, _) = words(answered);
    let mut lines = others(answered);
    lines.extend(file(answered).as_ref().map(told::file));
    lines.push(text.to_owned());
    told::quoted(&lines.join("\n"))
}

/// A part of a text by UTF-16 units.
fn at(text: &str, offset: usize, length: usize) -> Option<&str> {
    let (_, rest) = cut(text, offset)?;
    cut(rest, length).map(|(part, _)| part)
}

/// Cuts a text behind this many UTF-16 units.
fn cut(text: &str, units: usize) -> Option<(&str, &str)> {
    let mut used = 0;
    for (place, c) in text.char_indices() {
        if used >= units {
            return text.split_at_checked(place);
        }
        used += c.len_utf16();
    }
    (used >= units).then_some((text, ""))
}

#[cfg(test)]
mod tests;
