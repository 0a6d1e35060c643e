//! An event of signal-cli as something that somebody said, or did beside words. What no person said to us now is none: receipts, our own
//! words.

use gatehouse_core::{
    Content, Timestamp,
    content::{Block, Media, MediaSource},
};

use super::{
    chats::GROUP,
    event::{Attachment, Card, Envelope, Me, Mention, Message, QuotedFile},
};
use crate::{
    adapter::{Case, ChatKind, InboundMessage, Origin, Remark},
    id::{Address, ChatId, IdError, MessageId, SenderId},
    inbox::is_word,
    platform::web::{
        wording::{Wording, Wordings},
        words as told,
    },
};

/// What the address of a file begins with, behind which its id stands, and the chat it was sent in.
pub(super) const FILE: &str = "signal-file:";
/// A change that comes later mends an old message, and asks nothing.
const EDITED_WITHIN_MS: i64 = 600_000;
/// The longest name, of a file or of a person, in characters.
const NAME_CHARS_MAX: usize = 200;
/// Files of one message: as many as Signal's programs send.
const FILES_MAX: usize = 32;
/// People whom one message hands on.
const CARDS_MAX: usize = 8;

/// What an envelope says. `wordings`: how the messages before it read.
pub(super) fn hear(envelope: &Envelope, me: &Me, wordings: &Wordings) -> Option<InboundMessage> {
    let (uuid, number) = (envelope.source_uuid.as_deref(), envelope.source_number.as_deref());
    if me.is(uuid, number) {
        return None;
    }
    let (message, first) = said(envelope)?;
    if first.is_some_and(|first| message.timestamp.saturating_sub(first) > EDITED_WITHIN_MS) {
        return None;
    }
    // The id stays when somebody takes another number.
    let sender = uuid.or(number)?;
    let before = first.and_then(|first| wordings.of(&format!("{sender}/{first}")));
    if before == Some(wording(message)) {
        return None;
    }
    let content = content(message, sender, me, first.is_some())?;
    let heard = message_of(envelope, message, sender, me, first, content);
    heard
        .inspect_err(|problem| tracing::warn!(%problem, "a message was left out"))
        .ok()
}

/// What was heard is committed. A change names what it changes by the first message, or by its last change.
pub(super) fn learn(envelope: &Envelope, wordings: &Wordings) {
    let sender = envelope
        .source_uuid
        .as_deref()
        .or(envelope.source_number.as_deref());
    if let (Some((message, first)), Some(sender)) = (said(envelope), sender) {
        for at in std::iter::once(message.timestamp).chain(first) {
            wordings.learn(&format!("{sender}/{at}"), wording(message));
        }
    }
}

/// The message, and when what it changes was said.
fn said(envelope: &Envelope) -> Option<(&Message, Option<i64>)> {
    match (&envelope.data_message, &envelope.edit_message) {
        (Some(message), _) => Some((message, None)),
        (None, Some(edit)) => Some((&edit.data_message, Some(edit.target_sent_timestamp))),
        (None, None) => None,
    }
}

fn wording(message: &Message) -> Wording {
    Wording::of(message.message.as_deref().unwrap_or_default(), "")
}

/// What happened beside words, and where answers go there.
pub(super) fn remark(envelope: &Envelope, me: &Me) -> Option<(String, Remark)> {
    let (uuid, number) = (envelope.source_uuid.as_deref(), envelope.source_number.as_deref());
    if me.is(uuid, number) {
        return None;
    }
    let message = envelope.data_message.as_ref()?;
    let group = message.group_info.as_ref();
    let chat = match group {
        Some(group) => format!("{GROUP}{}", group.group_id),
        None => uuid.or(number)?.to_owned(),
    };
    if message.remote_delete.is_some() {
        return Some((chat, Remark::TakenBack));
    }
    let reaction = message.reaction.as_ref()?;
    let author = (&reaction.target_author_uuid, &reaction.target_author_number);
    if !me.is(author.0.as_deref(), author.1.as_deref()) {
        return None;
    }
    let emoji = reaction.emoji.clone();
    let remark = if reaction.is_remove {
        Remark::NotReacted(emoji)
    } else {
        Remark::Reacted(emoji)
    };
    Some((chat, remark))
}

fn message_of(
    envelope: &Envelope,
    message: &Message,
    sender: &str,
    me: &Me,
    first: Option<i64>,
    content: Content,
) -> Result<InboundMessage, IdError> {
    let group = message.group_info.as_ref().map(|group| group.group_id.as_str());
    let number = envelope
        .source_number
        .as_deref()
        .filter(|number| *number != sender);
    let mut aliases = vec![format!("signal:{sender}"), format!("uuid:{sender}")];
    if let Some(number) = number {
        aliases.extend([number.to_owned(), format!("signal:{number}")]);
    }
    let (chat, reply_to, chat_aliases) = match group {
        Some(group) => {
            let aliases = vec![format!("{GROUP}{group}"), format!("signal:{GROUP}{group}")];
            (group, format!("{GROUP}{group}"), aliases)
        }
        None => (sender, sender.to_owned(), aliases.clone()),
    };
    let message_id = match first {
        Some(first) => format!("{sender}/{first}/{}", message.timestamp),
        None => format!("{sender}/{}", message.timestamp),
    };
    let named = message.mentions.iter().any(|mention| is_us(mention, me));
    let answered = message
        .quote
        .as_ref()
        .is_some_and(|quote| me.is(quote.author_uuid.as_deref(), quote.author_number.as_deref()));
    let name = envelope
        .source_name
        .clone()
        .filter(|name| !name.trim().is_empty());
    Ok(InboundMessage {
        message_id: MessageId::try_from(message_id)?,
        chat_kind: if group.is_some() {
            ChatKind::Group
        } else {
            ChatKind::Direct
        },
        chat_id: ChatId::try_from(chat.to_owned())?,
        chat_aliases: chat_aliases
            .into_iter()
            .map(ChatId::try_from)
            .collect::<Result<_, _>>()?,
        case: Case::Ascii,
        origin: Origin::default(),
        reply_to: Address::try_from(reply_to)?,
        thread_id: None,
        sender_id: SenderId::try_from(sender.to_owned())?,
        sender_aliases: aliases
            .into_iter()
            .map(SenderId::try_from)
            .collect::<Result<_, _>>()?,
        sender_name: name.map(|name| name.chars().take(NAME_CHARS_MAX).collect()),
        mentioned: group.is_none() || named || answered,
        from_bot: false,
        content,
        sent_at: Timestamp::from_ms(message.timestamp),
    })
}

fn is_us(mention: &Mention, me: &Me) -> bool {
    me.is(mention.uuid.as_deref(), mention.number.as_deref())
}

fn content(message: &Message, sender: &str, me: &Me, edited: bool) -> Option<Content> {
    let mut lines = Vec::new();
    if message.sticker.is_some() {
        lines.push("[sticker]".to_owned());
    }
    lines.extend(message.contacts.iter().take(CARDS_MAX).map(Card::words));
    let poll = message.poll_create.as_ref();
    lines.extend(poll.map(|poll| told::poll(&poll.question, poll.options.iter().map(String::as_str))));
    let text = message.message.as_deref().unwrap_or_default();
    let words = words(text, &message.mentions, me);
    if !words.trim().is_empty() {
        lines.push(words);
    }
    let said = lines.join("\n");
    let words = Some(said).filter(|said| !said.is_empty()).map(|said| {
        // A command, or a word to the gateway, stands alone, whatever it answers.
        if said.starts_with('/') || is_word(&said) {
            return said;
        }
        let said = if edited { format!("(edited) {said}") } else { said };
        match quoted(message) {
            Some(quoted) => format!("{quoted}\n\n{said}"),
            None => said,
        }
    });
    let group = message.group_info.as_ref().map(|group| group.group_id.as_str());
    let chat = group.map_or_else(|| sender.to_owned(), |group| format!("{GROUP}{group}"));
    // What is only said anew in other words was seen before.
    let files = message.attachments.iter().filter(|_| !edited).take(FILES_MAX);
    let content: Content = words
        .map(Block::text)
        .into_iter()
        .chain(files.filter_map(|file| media(file, &chat)).map(Block::Media))
        .collect();
    (!content.blocks().is_empty()).then_some(content)
}

/// The words with names where mentions stand; a name of ours in front only says whom it is for.
fn words(text: &str, named: &[Mention], me: &Me) -> String {
    let mut mentions: Vec<&Mention> = named.iter().collect();
    mentions.sort_by_key(|mention| mention.start);
    let (mut words, mut place, mut chars) = (String::new(), 0, text.chars());
    for mention in mentions {
        while place < mention.start
            && let Some(c) = chars.next()
        {
            words.push(c);
            place += c.len_utf16();
        }
        let end = mention.start.saturating_add(mention.length);
        while place < end
            && let Some(c) = chars.next()
        {
            place += c.len_utf16();
        }
        if words.trim().is_empty() && is_us(mention, me) {
            continue;
        }
        let name = mention.name.as_deref().or(mention.number.as_deref());
        words.push_str(&format!("@{}", name.unwrap_or("somebody")));
    }
    words.extend(chars);
    if text.starts_with('\u{fffc}') {
        words = words.trim_start_matches([',', ':', ' ', '\n']).to_owned();
    }
    // Whoever says a name alone says something.
    let us = named.iter().find(|mention| is_us(mention, me));
    if let Some(us) = us.filter(|_| words.trim().is_empty()) {
        let name = us.name.as_deref().or(us.number.as_deref());
        return format!("@{}", name.unwrap_or("somebody"));
    }
    words
}

fn media(file: &Attachment, chat: &str) -> Option<Media> {
    if file.id.is_empty() {
        return None;
    }
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
        source: MediaSource::Url(format!("{FILE}{}?{chat}", file.id)),
        mime_type: file.content_type.clone(),
        name: file.filename.as_ref().and_then(printed),
        size_bytes: file.size,
    })
}

/// What the message answers, line by line as mail quotes it.
fn quoted(message: &Message) -> Option<String> {
    let quote = message.quote.as_ref()?;
    let file = |file: &QuotedFile| told::kind(file.content_type.as_deref(), file.filename.as_deref());
    let mut lines: Vec<String> = quote.attachments.iter().take(FILES_MAX).map(file).collect();
    lines.extend(quote.text.clone());
    told::quoted(&lines.join("\n"))
}

#[cfg(test)]
mod tests;
