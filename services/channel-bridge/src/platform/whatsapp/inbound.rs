//! A message of a post as something that somebody said.

use gatehouse_core::{
    Content, Timestamp,
    content::{Block, Media, MediaSource},
};

use super::{
    api::FILE,
    event::{Choice, Contact, File, Message},
};
use crate::{
    adapter::{Case, ChatKind, InboundMessage, Origin, Remark},
    id::{Address, ChatId, IdError, MessageId, SenderId},
};

/// The longest name, of a file or of a person, in characters.
const NAME_CHARS_MAX: usize = 200;
/// What the address of somebody begins with whose phone number is not known.
pub(super) const PERSON: &str = "user:";

/// What a message says. Nothing: no words and no file, as a reaction or something that Meta does not hand on.
pub(super) fn hear(message: &Message, contacts: &[Contact]) -> Option<InboundMessage> {
    let content = content(message)?;
    heard(message, contacts, content)?
        .inspect_err(|problem| tracing::warn!(%problem, "a message was left out"))
        .ok()
}

/// What somebody did beside words, and where answers go there: they reacted, or took a message of theirs back. Which message a reaction is
/// about is not looked at: in a chat of two it is ours, as a rule. Meta tells of deletions to numbers that are used with the app as well.
pub(super) fn remark(message: &Message, contacts: &[Contact]) -> Option<(Address, Remark)> {
    let reacted = message
        .reaction
        .as_ref()
        .filter(|reaction| !reaction.emoji.is_empty());
    let remark = match reacted {
        Some(reaction) => Remark::Reacted(reaction.emoji.clone()),
        None if message.kind == "revoke" => Remark::TakenBack,
        None => return None,
    };
    let somebody = heard(message, contacts, Content::default())?.ok()?;
    Some((somebody.reply_to, remark))
}

fn heard(
    message: &Message,
    contacts: &[Contact],
    content: Content,
) -> Option<Result<InboundMessage, IdError>> {
    let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    // A post names who wrote beside the messages, as a rule one for all of them.
    let known = contacts.iter().find(|contact| {
        let phone = contact.wa_id.is_some() && contact.wa_id == message.from;
        let person = contact.user_id.is_some() && contact.user_id == message.from_user_id;
        phone || person
    });
    // One that is somebody else's says nothing of who wrote.
    let differs = |one: &Option<String>, other: &Option<String>| {
        filled(one)
            .zip(filled(other))
            .is_some_and(|(one, other)| one != other)
    };
    let is_other = |contact: &Contact| {
        differs(&contact.wa_id, &message.from) || differs(&contact.user_id, &message.from_user_id)
    };
    let only = contacts.first().filter(|_| contacts.len() == 1);
    let contact = known.or_else(|| only.filter(|contact| !is_other(contact)));
    let phone = filled(&message.from);
    let phone = phone.or_else(|| contact.and_then(|contact| filled(&contact.wa_id)));
    let person = filled(&message.from_user_id);
    let person = person.or_else(|| contact.and_then(|contact| filled(&contact.user_id)));
    // The id of the person stays when they hide their number.
    let sender = person.clone().or_else(|| phone.clone())?;
    let reply_to = match (&phone, &person) {
        (Some(phone), _) => phone.clone(),
        (None, Some(person)) => format!("{PERSON}{person}"),
        (None, None) => return None,
    };
    let name = contact.and_then(|contact| filled(&contact.profile.name));
    Some(message_of(message, sender, phone, name, reply_to, content))
}

fn message_of(
    message: &Message,
    sender: String,
    phone: Option<String>,
    name: Option<String>,
    reply_to: String,
    content: Content,
) -> Result<InboundMessage, IdError> {
    let mut aliases = vec![format!("whatsapp:{sender}")];
    if let Some(phone) = phone {
        aliases.extend([format!("+{phone}"), format!("whatsapp:+{phone}"), phone]);
    }
    aliases.retain(|alias| *alias != sender);
    let chat_aliases: Vec<ChatId> = aliases
        .iter()
        .cloned()
        .map(ChatId::try_from)
        .collect::<Result<_, _>>()?;
    let seconds: i64 = message.timestamp.parse().unwrap_or_default();
    Ok(InboundMessage {
        message_id: MessageId::try_from(message.id.clone())?,
        chat_kind: ChatKind::Direct,
        chat_id: ChatId::try_from(sender.clone())?,
        chat_aliases,
        case: Case::Ascii,
        origin: Origin::default(),
        reply_to: Address::try_from(reply_to)?,
        thread_id: None,
        sender_id: SenderId::try_from(sender)?,
        sender_aliases: aliases
            .into_iter()
            .map(SenderId::try_from)
            .collect::<Result<_, _>>()?,
        sender_name: name.map(|name| name.chars().take(NAME_CHARS_MAX).collect()),
        content,
        mentioned: true,
        from_bot: false,
        sent_at: Timestamp::from_ms(seconds.saturating_mul(1000)),
    })
}

fn content(message: &Message) -> Option<Content> {
    let file = [
        (&message.image, "image/jpeg"),
        (&message.audio, "audio/ogg"),
        (&message.video, "video/mp4"),
        (&message.document, "application/octet-stream"),
        (&message.sticker, "image/webp"),
    ]
    .into_iter()
    .find_map(|(file, kind)| Some((file.as_ref()?, kind)));
    let caption = file.and_then(|(file, _)| file.caption.clone());
    let lines: Vec<String> = caption.into_iter().chain(words(message)).collect();
    let said = lines.join("\n");
    let words = Some(said).filter(|said| !said.trim().is_empty()).map(Block::text);
    let media = file.and_then(|(file, kind)| media(file, kind)).map(Block::Media);
    let content: Content = words.into_iter().chain(media).collect();
    (!content.blocks().is_empty()).then_some(content)
}

/// What is said in words, and in words what is none and no file.
fn words(message: &Message) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(message.text.as_ref().map(|text| text.body.clone()));
    lines.extend(message.button.as_ref().map(|button| button.text.clone()));
    let chosen = message.interactive.as_ref();
    let chosen = chosen.and_then(|chosen| chosen.button_reply.as_ref().or(chosen.list_reply.as_ref()));
    // What it says, as somebody would have typed it.
    let said = |choice: &Choice| Some(choice.id.clone()).filter(|id| !id.is_empty());
    lines.extend(chosen.map(|choice| said(choice).unwrap_or_else(|| choice.title.clone())));
    if let Some(place) = &message.location {
        let names = [&place.name, &place.address].into_iter().flatten();
        let names: Vec<&str> = names.map(String::as_str).collect();
        if !names.is_empty() {
            lines.push(format!("[place: {}]", names.join(", ")));
        }
        lines.push(format!(
            "[location: {:.6}, {:.6}]",
            place.latitude, place.longitude
        ));
    }
    for card in &message.contacts {
        let phone = card.phones.iter().find_map(|phone| phone.phone.as_deref());
        lines.push(format!(
            "[contact: {}, {}]",
            card.name.formatted_name,
            phone.unwrap_or("no number")
        ));
    }
    lines
}

fn media(file: &File, kind: &str) -> Option<Media> {
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
        source: MediaSource::Url(format!("{FILE}{}", file.id)),
        // `audio/ogg; codecs=opus` is an `audio/ogg`.
        mime_type: Some(file.mime_type.clone().unwrap_or_else(|| kind.to_owned())),
        name: file.filename.as_ref().and_then(printed),
        size_bytes: None,
    })
}
