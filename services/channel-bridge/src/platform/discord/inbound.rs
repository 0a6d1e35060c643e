//! A message of Discord as something that somebody said. What no person said to us now is none: joins, pins, our own words.

use gatehouse_core::{
    Content, Timestamp,
    content::{Block, Media, MediaSource},
};

use super::event::{Attachment, Channel, Message, User};
use crate::{
    adapter::{Case, ChatKind, InboundMessage, Origin, ParentChat},
    id::{Address, ChatId, GuildId, IdError, MessageId, RoleId, SenderId},
    inbox::is_word,
    platform::web::words as told,
};

/// What the address of a file begins with, behind which Discord's own stands.
pub(super) const FILE: &str = "discord-file:";
/// When the numbers of Discord begin, milliseconds since 1970.
const EPOCH_MS: i64 = 1_420_070_400_000;
/// A change that comes later mends an old message, and asks nothing.
const EDITED_WITHIN_MS: i64 = 600_000;
/// The longest name, of a file or of a person, in characters.
const NAME_CHARS_MAX: usize = 200;
/// Files of one message: as many as Discord takes.
const FILES_MAX: usize = 10;
/// Roles that are handed on. The contract declares the same bound.
const ROLES_MAX: usize = 250;

/// What a message says. `me`: our own number. `edited`: it was said before in other words.
pub(super) fn hear(
    message: &Message,
    channel: &Channel,
    me: &str,
    edited: bool,
    now: i64,
) -> Option<InboundMessage> {
    const SAID: [u8; 2] = [0, 19]; // a message, and a reply
    let author = message.author.as_ref()?;
    if author.id == me || !SAID.contains(&message.kind) {
        return None;
    }
    let sent_at = said_at(&message.id);
    if edited && (message.edited_timestamp.is_none() || now.saturating_sub(sent_at) > EDITED_WITHIN_MS) {
        return None;
    }
    let content = content(message, me, edited)?;
    heard(message, author, channel, me, edited, content)
        .inspect_err(|problem| tracing::warn!(%problem, "a message was left out"))
        .ok()
}

fn heard(
    message: &Message,
    author: &User,
    channel: &Channel,
    me: &str,
    edited: bool,
    content: Content,
) -> Result<InboundMessage, IdError> {
    let guild = message.guild_id.as_ref();
    let kind = if guild.is_some() {
        ChatKind::Channel
    } else {
        ChatKind::Direct
    };
    // A direct chat is the other person.
    let chat = if guild.is_some() {
        &message.channel_id
    } else {
        &author.id
    };
    let parent = channel.parent().filter(|_| guild.is_some());
    // A rule for a channel holds in its threads, and one for the server in all of it.
    let mut aliases = vec![format!("channel:{}", message.channel_id)];
    if let Some(id) = parent {
        aliases.extend([id.to_owned(), format!("channel:{id}")]);
    }
    aliases.extend(guild.map(|guild| format!("guild:{guild}")));
    let edition = message.edited_timestamp.as_ref().filter(|_| edited);
    let message_id = match edition {
        Some(at) => format!("{}/{}/{at}", message.channel_id, message.id),
        None => format!("{}/{}", message.channel_id, message.id),
    };
    let member = message.member.clone().unwrap_or_default();
    let names = [
        member.nick,
        author.global_name.clone(),
        Some(author.username.clone()),
    ];
    let mut names = names.into_iter().flatten();
    let name = names.find(|name| !name.trim().is_empty());
    let roles = member.roles.into_iter().take(ROLES_MAX);
    Ok(InboundMessage {
        message_id: MessageId::try_from(message_id)?,
        chat_kind: kind,
        chat_id: ChatId::try_from(chat.clone())?,
        chat_aliases: aliases
            .into_iter()
            .map(ChatId::try_from)
            .collect::<Result<_, _>>()?,
        case: Case::Ascii,
        origin: Origin {
            parent: parent
                .map(|id| {
                    Ok::<_, IdError>(ParentChat {
                        kind: ChatKind::Channel,
                        id: ChatId::try_from(id.to_owned())?,
                    })
                })
                .transpose()?,
            guild_id: guild.map(|guild| GuildId::try_from(guild.clone())).transpose()?,
            roles: roles.map(RoleId::try_from).collect::<Result<_, _>>()?,
            ..Origin::default()
        },
        reply_to: Address::try_from(message.channel_id.clone())?,
        thread_id: None,
        sender_id: SenderId::try_from(author.id.clone())?,
        // As OpenClaw's lists may write it.
        sender_aliases: ["discord", "user"]
            .into_iter()
            .map(|prefix| SenderId::try_from(format!("{prefix}:{}", author.id)))
            .collect::<Result<_, _>>()?,
        sender_name: name.map(|name| name.chars().take(NAME_CHARS_MAX).collect()),
        mentioned: kind == ChatKind::Direct || is_meant(message, me),
        from_bot: author.bot || message.webhook_id.is_some(),
        content,
        sent_at: Timestamp::from_ms(said_at(&message.id)),
    })
}

/// By name, or by an answer to us.
fn is_meant(message: &Message, me: &str) -> bool {
    let answered = message
        .referenced_message
        .as_ref()
        .and_then(|answered| answered.author.as_ref());
    message.mentions.iter().any(|user| user.id == me) || answered.is_some_and(|author| author.id == me)
}

fn content(message: &Message, me: &str, edited: bool) -> Option<Content> {
    let mut lines = others(message);
    let own = words(without_name(&message.content, me), &message.mentions);
    if !own.trim().is_empty() {
        lines.push(own);
    }
    let handed_on = || {
        message
            .message_snapshots
            .iter()
            .map(|snapshot| &*snapshot.message)
    };
    lines.extend(handed_on().map(|message| told::forwarded(&shown(message), None)));
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
    // What is only said anew in other words was seen before.
    let files = handed_on().flat_map(|message| &message.attachments);
    let files = message.attachments.iter().chain(files);
    let files = files.filter(|_| !edited).take(FILES_MAX);
    let content: Content = words
        .map(Block::text)
        .into_iter()
        .chain(files.filter_map(media).map(Block::Media))
        .collect();
    (!content.blocks().is_empty()).then_some(content)
}

/// What is no text, in words.
fn others(message: &Message) -> Vec<String> {
    let stickers = message.sticker_items.iter();
    let mut lines: Vec<String> = stickers
        .map(|sticker| format!("[sticker: {}]", sticker.name))
        .collect();
    lines.extend(message.poll.as_ref().map(|poll| {
        let answers = poll.answers.iter().map(|answer| answer.poll_media.text.as_str());
        told::poll(&poll.question.text, answers)
    }));
    lines
}

/// A message as it is repeated: what is no text, and the words.
fn shown(message: &Message) -> String {
    let mut lines = others(message);
    lines.extend(
        message
            .attachments
            .iter()
            .filter_map(media)
            .map(|file| told::file(&file)),
    );
    lines.push(words(&message.content, &message.mentions));
    lines.join("\n")
}

fn media(file: &Attachment) -> Option<Media> {
    if file.url.is_empty() {
        return None;
    }
    let name = file.filename.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name
        .chars()
        .filter(|c| !c.is_control())
        .take(NAME_CHARS_MAX)
        .collect();
    Some(Media {
        source: MediaSource::Url(format!("{FILE}{}", file.url)),
        mime_type: file.content_type.clone(),
        name: Some(name).filter(|name| !name.trim().is_empty()),
        size_bytes: file.size,
    })
}

/// What the message answers, line by line as mail quotes it.
fn quoted(message: &Message) -> Option<String> {
    let answered = message.referenced_message.as_ref()?;
    told::quoted(&shown(answered))
}

/// A name in front only says whom it is for.
fn without_name<'a>(text: &'a str, me: &str) -> &'a str {
    let trimmed = text.trim_start();
    let rest = trimmed
        .strip_prefix("<@")
        .map(|rest| rest.strip_prefix('!').unwrap_or(rest));
    let behind = rest
        .and_then(|rest| rest.strip_prefix(me))
        .and_then(|rest| rest.strip_prefix('>'));
    let Some(behind) = behind else { return text };
    let said = behind.trim_start_matches([',', ':', ' ', '\n']);
    if said.is_empty() { text } else { said }
}

/// What a person sees of a text: `<@7>` is `@anna`, `<:wave:7>` is `:wave:`.
fn words(text: &str, mentioned: &[User]) -> String {
    let (mut words, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, behind)) = rest.split_once('<') {
        words.push_str(before);
        let shown = behind
            .split_once('>')
            .and_then(|(inner, after)| Some((reference(inner, mentioned)?, after)));
        match shown {
            Some((shown, after)) => {
                words.push_str(&shown);
                rest = after;
            }
            None => {
                words.push('<');
                rest = behind;
            }
        }
    }
    words.push_str(rest);
    words
}

fn reference(inner: &str, mentioned: &[User]) -> Option<String> {
    let is_number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    if let Some(id) = inner.strip_prefix('@') {
        let id = id.strip_prefix('!').unwrap_or(id);
        let user = mentioned.iter().find(|user| user.id == id)?;
        let name = user.global_name.as_ref().unwrap_or(&user.username);
        return Some(format!("@{name}"));
    }
    let emoji = inner.strip_prefix("a:").or_else(|| inner.strip_prefix(':'))?;
    let (name, id) = emoji.split_once(':')?;
    is_number(id).then(|| format!(":{name}:"))
}

/// When a message was said stands in its number.
pub(super) fn said_at(id: &str) -> i64 {
    let number: u64 = id.parse().unwrap_or_default();
    i64::try_from(number >> 22)
        .unwrap_or_default()
        .saturating_add(EPOCH_MS)
}

#[cfg(test)]
mod tests;
