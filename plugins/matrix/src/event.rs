//! What an event of a room's timeline means, as far as a chat goes. It is a stranger's text: nothing in it is believed beyond its shape.

use serde_json::Value;

/// What an event means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Somebody said something.
    Said(Box<Message>),
    /// Somebody reacted to an event.
    Reacted {
        /// The reaction's own event.
        id: String,
        /// The event that it is about.
        to: String,
        /// The reaction.
        key: String,
    },
    /// An event was taken back, by whoever.
    TakenBack {
        /// The event that is gone.
        event: String,
        /// Who took it back.
        by: String,
    },
    /// Nothing that a chat needs.
    Nothing,
}

/// Something that somebody said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Its event.
    pub id: String,
    /// Who said it: a Matrix id, for which their server vouches.
    pub sender: String,
    /// When, milliseconds since 1970, as their server says.
    pub at: i64,
    /// The words.
    pub text: String,
    /// Whether a program says that it is one.
    pub notice: bool,
    /// The file that it is.
    pub file: Option<File>,
    /// The first message of the thread that it is in.
    pub thread: Option<String>,
    /// The message that it changes.
    pub changes: Option<String>,
    /// Who is spoken to: ids, and `None` where the sender's program does not say.
    pub mentions: Option<Vec<String>>,
    /// What is shown in the place of the words, where they have markup.
    pub formatted: String,
}

/// A file that a message is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: Option<String>,
    /// Its media type, as the sender says.
    pub mime_type: Option<String>,
    /// Its size, as the sender says.
    pub size: Option<i64>,
}

/// Reads an event, decrypted if it was not.
#[must_use]
pub fn read(event: &Value) -> Meaning {
    let (Some(id), Some(sender)) = (text(event, "event_id"), text(event, "sender")) else {
        return Meaning::Nothing;
    };
    let content = &event["content"];
    match event["type"].as_str().unwrap_or_default() {
        "m.room.message" | "m.sticker" => {
            let mut message = Message {
                id,
                sender,
                at: event["origin_server_ts"].as_i64().unwrap_or_default(),
                ..Message::default()
            };
            if said(event, content, &mut message) {
                Meaning::Said(Box::new(message))
            } else {
                Meaning::Nothing
            }
        }
        "m.reaction" => {
            let about = &content["m.relates_to"];
            match (text(about, "event_id"), text(about, "key")) {
                (Some(to), Some(key)) if about["rel_type"] == "m.annotation" => {
                    Meaning::Reacted { id, to, key }
                }
                _ => Meaning::Nothing,
            }
        }
        "m.room.redaction" => {
            // In rooms of version 11 and later it stands in the content.
            let gone = text(content, "redacts").or_else(|| text(event, "redacts"));
            gone.map_or(Meaning::Nothing, |event| Meaning::TakenBack { event, by: sender })
        }
        _ => Meaning::Nothing,
    }
}

/// Reads what was said. False: nothing.
fn said(event: &Value, content: &Value, message: &mut Message) -> bool {
    let relation = &content["m.relates_to"];
    let is_change = relation["rel_type"] == "m.replace";
    message.thread = text(relation, "event_id").filter(|_| relation["rel_type"] == "m.thread");
    message.changes = text(relation, "event_id").filter(|_| is_change);
    // Of a change the new content counts; a text for programs that know none stands beside it.
    let content = if is_change {
        &content["m.new_content"]
    } else {
        content
    };
    let kind = if event["type"] == "m.sticker" {
        "m.image"
    } else {
        content["msgtype"].as_str().unwrap_or_default()
    };
    let body = content["body"].as_str().unwrap_or_default();
    let is_reply = relation["m.in_reply_to"].is_object() && relation["is_falling_back"] != true;
    message.mentions = content["m.mentions"].as_object().map(|mentions| {
        let ids = mentions.get("user_ids").and_then(Value::as_array);
        let ids = ids.into_iter().flatten().filter_map(Value::as_str);
        ids.map(str::to_owned).collect()
    });
    content["formatted_body"]
        .as_str()
        .unwrap_or_default()
        .clone_into(&mut message.formatted);
    match kind {
        "m.text" | "m.notice" => {
            message.notice = kind == "m.notice";
            message.text = if is_reply { own_words(body) } else { body }.to_owned();
        }
        "m.emote" => message.text = format!("* {body}"),
        "m.location" => {
            let place = content["geo_uri"].as_str().unwrap_or_default();
            message.text = format!("{body} ({place})");
        }
        "m.image" | "m.file" | "m.audio" | "m.video" => {
            let name = text(content, "filename");
            // With a name beside it, the body is what was said with the file.
            if name.as_deref().is_some_and(|name| name != body) {
                body.clone_into(&mut message.text);
            }
            let info = &content["info"];
            message.file = Some(File {
                name: name.or_else(|| text(content, "body")),
                mime_type: text(info, "mimetype"),
                size: info["size"].as_i64().filter(|size| *size >= 0),
            });
        }
        _ => return false,
    }
    message.file.is_some() || !message.text.trim().is_empty()
}

/// A reply without the lines in front of it that quote what it answers: older programs put them there.
fn own_words(body: &str) -> &str {
    if !body.starts_with("> ") {
        return body;
    }
    body.split_once("\n\n").map_or(body, |(_, own)| own)
}

fn text(value: &Value, key: &str) -> Option<String> {
    let text = value[key].as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// Where in these events the account came into the room: behind what nobody said to it. `None`: it was there before.
#[must_use]
pub fn arrival(events: &[Value], me: &str) -> Option<usize> {
    let own = |event: &Value, membership: &str| {
        event["type"] == "m.room.member"
            && event["state_key"] == me
            && event["content"]["membership"] == membership
    };
    let joined = events
        .iter()
        .rposition(|event| own(event, "join") && event["unsigned"]["prev_content"]["membership"] != "join")?;
    // What was said between the invitation and the joining was said to the account.
    let invited = events.iter().take(joined).rposition(|event| own(event, "invite"));
    Some(invited.unwrap_or(joined))
}

#[cfg(test)]
mod tests;
