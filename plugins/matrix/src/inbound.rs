//! What somebody said, as the bridge is told it.

use gatehouse_proto::{
    channel::v1::{ChatKind, Inbound, InboundChat, InboundSender},
    common::v1::{Block, Content, MediaBlock, TextBlock, block::Kind},
};
use matrix_sdk::Room;

use crate::{
    account::{Account, now_ms},
    event::{File, Message},
    media,
};

/// A message that was changed later than this is not answered anew, in milliseconds.
const CHANGED_WITHIN_MS: i64 = 10 * 60 * 1_000;
/// The longest name of a file or of a person, in bytes: the contract's.
const NAME_BYTES_MAX: usize = 1_024;
/// The longest media type, in bytes: the contract's.
const MIME_BYTES_MAX: usize = 255;
/// Between the event of a change and that of the message in the id of what was said: neither has it.
const CHANGE: char = '~';

/// What the bridge is told. `None`: there is nothing to answer.
pub(crate) async fn inbound(account: &Account, room: &Room, message: Message) -> Option<Inbound> {
    let is_direct = account.is_direct(room);
    let message_id = match &message.changes {
        None => message.id.clone(),
        Some(changed) if is_fresh(&message) => format!("{}{CHANGE}{changed}", message.id),
        Some(_) => return None,
    };
    let is_meant = is_direct || is_spoken_to(account, &message);
    let Message {
        id,
        sender,
        at,
        mut text,
        notice,
        file,
        thread,
        ..
    } = message;
    if is_meant {
        text = without_name(account, &text).to_owned();
    }
    let name = match room.get_member_no_sync(sender.as_str().try_into().ok()?).await {
        Ok(Some(member)) => member.display_name().map(str::to_owned),
        _ => None,
    };
    let chat = room.room_id().to_string();
    let alias = room.canonical_alias().map(|alias| alias.to_string());
    Some(Inbound {
        seq: 0,
        message_id,
        chat: Some(InboundChat {
            kind: i32::from(if is_direct {
                ChatKind::Direct
            } else {
                ChatKind::Channel
            }),
            id: if is_direct { sender.clone() } else { chat.clone() },
            aliases: alias.into_iter().filter(|_| !is_direct).collect(),
            parent: None,
            guild_id: None,
            team_id: None,
        }),
        content: Some(Content {
            blocks: blocks(&text, notice, file, &media::address(room.room_id(), &id)),
        }),
        sender: Some(InboundSender {
            id: sender,
            aliases: Vec::new(),
            name: name
                .filter(|name| name.len() <= NAME_BYTES_MAX)
                .unwrap_or_default(),
            bot: notice,
            roles: Vec::new(),
        }),
        text: String::new(),
        mentioned: is_meant,
        // A server may claim any time; one that is to come is none.
        sent_at: if (1..=now_ms()).contains(&at) { at } else { 0 },
        reply_to: chat,
        thread_id: thread,
        name_case: 0,
    })
}

fn blocks(text: &str, notice: bool, file: Option<File>, address: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    if !text.trim().is_empty() {
        let text = text.to_owned();
        blocks.push(Kind::Text(TextBlock { text, notice }));
    }
    if let Some(File {
        name,
        mime_type,
        size,
    }) = file
    {
        blocks.push(Kind::Media(MediaBlock {
            id: None,
            url: Some(address.to_owned()),
            mime_type: mime_type.filter(|mime| mime.len() <= MIME_BYTES_MAX),
            name: name.filter(|name| name.len() <= NAME_BYTES_MAX),
            size_bytes: size,
        }));
    }
    blocks
        .into_iter()
        .map(|kind| Block { kind: Some(kind) })
        .collect()
}

fn is_fresh(message: &Message) -> bool {
    now_ms().saturating_sub(message.at) <= CHANGED_WITHIN_MS
}

/// The event that an id of the bridge's names: of a change, the message that it changed.
pub(crate) fn event_of(message_id: &str) -> &str {
    message_id.rsplit(CHANGE).next().unwrap_or(message_id)
}

/// Whether the account is spoken to: as the sender's program says, and where it says nothing, as the words do.
fn is_spoken_to(account: &Account, message: &Message) -> bool {
    let me = account.me.as_str();
    match &message.mentions {
        Some(mentions) => mentions.iter().any(|id| id == me),
        None => {
            message.text.contains(me)
                || message.formatted.contains(&format!("https://matrix.to/#/{me}\""))
                || without_name(account, &message.text).len() < message.text.len()
        }
    }
}

/// The words behind the account's name, with which programs begin what is said to it: `Gatehouse: tea?`.
fn without_name<'a>(account: &Account, text: &'a str) -> &'a str {
    let names = account.name.as_deref().into_iter();
    for name in names.chain([account.me.as_str(), account.me.localpart()]) {
        if let Some(rest) = behind(text, name) {
            return rest;
        }
    }
    text
}

fn behind<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let text = text.trim_start();
    let rest = text.strip_prefix('@').unwrap_or(text);
    let name = name.strip_prefix('@').unwrap_or(name);
    let head = rest.get(..name.len())?;
    if name.is_empty() || !head.eq_ignore_ascii_case(name) {
        return None;
    }
    let rest = rest.get(name.len()..)?;
    let words = rest.strip_prefix([':', ',']).unwrap_or(rest);
    // A longer word that begins like the name is another.
    let ends = words.len() < rest.len() || rest.is_empty() || rest.starts_with(char::is_whitespace);
    ends.then(|| words.trim_start())
}

#[cfg(test)]
mod tests {
    use super::{behind, event_of};

    #[test]
    fn the_name_in_front_of_what_is_said_is_no_part_of_it() {
        for (text, said) in [
            ("Gatehouse: tea?", Some("tea?")),
            ("gatehouse, tea?", Some("tea?")),
            ("@Gatehouse tea?", Some("tea?")),
            ("Gatehouse", Some("")),
            ("Gatehouses are old", None),
            ("tea, Gatehouse?", None),
            ("", None),
        ] {
            assert_eq!(behind(text, "Gatehouse"), said, "{text}");
        }
        assert_eq!(behind("@bot:example: hi", "@bot:example"), Some("hi"));
    }

    #[test]
    fn an_answer_to_a_change_is_one_to_the_message() {
        assert_eq!(event_of("$change~$message"), "$message");
        assert_eq!(event_of("$message"), "$message");
    }
}
