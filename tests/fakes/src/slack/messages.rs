//! Messages of the bot, as the people in its channels see them: posted, changed, deleted, and streamed.

use serde_json::{Value, json};

use super::{Seen, TEXT_MAX, Told, shown};

type Answer = Result<Value, &'static str>;

/// The most of a stream that is said at once, in characters.
const STREAMED_MAX: usize = 12_000;

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_default().to_owned()
}

fn words(body: &Value) -> Result<String, &'static str> {
    let sent = text(body, "text");
    if sent.trim().is_empty() {
        return Err("no_text");
    }
    if sent.chars().count() > TEXT_MAX {
        return Err("msg_too_long");
    }
    Ok(sent)
}

fn enter(told: &Told, channel: &str) -> Result<(), &'static str> {
    let is_out = |members: &Vec<String>| !members.iter().any(|member| member == channel);
    if channel.starts_with('C') && told.members.as_ref().is_some_and(is_out) {
        return Err("not_in_channel");
    }
    Ok(())
}

fn say(told: &mut Told, body: &Value, sent: String, streams: bool) -> Value {
    let channel = text(body, "channel");
    seen(told, channel, body, sent, streams, None)
}

fn seen(
    told: &mut Told,
    channel: String,
    body: &Value,
    sent: String,
    streams: bool,
    file: Option<(String, Vec<u8>)>,
) -> Value {
    told.last += 1;
    let ts = format!("1790000000.{:06}", told.last);
    told.seen.push(Seen {
        ts: ts.clone(),
        channel: channel.clone(),
        thread: body["thread_ts"].as_str().map(str::to_owned),
        text: shown(&sent),
        sent,
        streams,
        file,
    });
    json!({"channel": channel, "ts": ts, "message": {"ts": ts}})
}

/// Blocks as Slack takes them.
fn blocks(body: &Value) -> Result<(), &'static str> {
    let within = |text: &Value, most: usize| {
        let text = text.as_str().unwrap_or_default();
        (1..=most).contains(&text.chars().count())
    };
    let blocks = body["blocks"].as_array();
    if blocks.is_some_and(|blocks| blocks.len() > 50) {
        return Err("invalid_blocks");
    }
    for block in blocks.into_iter().flatten() {
        let right = match block["type"].as_str() {
            Some("section") => within(&block["text"]["text"], 3000),
            Some("actions") => {
                let buttons = block["elements"].as_array();
                let right = |button: &Value| {
                    within(&button["text"]["text"], 75)
                        && within(&button["value"], 2000)
                        && within(&button["action_id"], 255)
                };
                buttons.is_some_and(|buttons| (1..=25).contains(&buttons.len()) && buttons.iter().all(right))
            }
            _ => false,
        };
        if !right {
            return Err("invalid_blocks");
        }
    }
    Ok(())
}

pub(super) fn post(told: &mut Told, body: &Value) -> Answer {
    let sent = words(body)?;
    blocks(body)?;
    enter(told, &text(body, "channel"))?;
    Ok(say(told, body, sent, false))
}

fn found<'a>(told: &'a mut Told, body: &Value) -> Result<&'a mut Seen, &'static str> {
    let (channel, ts) = (text(body, "channel"), text(body, "ts"));
    let mut seen = told.seen.iter_mut();
    seen.find(|seen| seen.ts == ts && seen.channel == channel)
        .ok_or("message_not_found")
}

pub(super) fn update(told: &mut Told, body: &Value) -> Answer {
    let sent = words(body)?;
    let seen = found(told, body)?;
    if seen.streams {
        return Err("streaming_state_conflict");
    }
    (seen.text, seen.sent) = (shown(&sent), sent);
    Ok(json!({"channel": seen.channel, "ts": seen.ts, "text": seen.sent}))
}

pub(super) fn delete(told: &mut Told, body: &Value) -> Answer {
    let ts = found(told, body)?.ts.clone();
    told.seen.retain(|seen| seen.ts != ts);
    Ok(json!({"ts": ts}))
}

pub(super) fn start_stream(told: &mut Told, body: &Value) -> Answer {
    let channel = text(body, "channel");
    if body["thread_ts"].as_str().is_none() {
        return Err("invalid_arguments");
    }
    enter(told, &channel)?;
    if !channel.starts_with('D') {
        for (name, word) in [
            ("recipient_team_id", "missing_recipient_team_id"),
            ("recipient_user_id", "missing_recipient_user_id"),
        ] {
            body[name].as_str().ok_or(word)?;
        }
    }
    Ok(say(told, body, text(body, "markdown_text"), true))
}

pub(super) fn append_stream(told: &mut Told, body: &Value) -> Answer {
    let more = text(body, "markdown_text");
    if more.is_empty() {
        return Err("no_text");
    }
    if more.chars().count() > STREAMED_MAX {
        return Err("msg_too_long");
    }
    let seen = found(told, body)?;
    if !seen.streams {
        return Err("message_not_in_streaming_state");
    }
    seen.sent.push_str(&more);
    seen.text = shown(&seen.sent);
    Ok(json!({"channel": seen.channel, "ts": seen.ts}))
}

pub(super) fn stop_stream(told: &mut Told, body: &Value) -> Answer {
    let seen = found(told, body)?;
    if !std::mem::take(&mut seen.streams) {
        return Err("message_not_in_streaming_state");
    }
    Ok(json!({"channel": seen.channel, "ts": seen.ts}))
}

/// Slack knows reactions by their names.
pub(super) fn react(told: &mut Told, body: &Value) -> Answer {
    let name = text(body, "name");
    if !["eyes", "thinking_face"].contains(&name.as_str()) {
        return Err("invalid_name");
    }
    let reaction = (text(body, "channel"), text(body, "timestamp"), name);
    if told.reactions.contains(&reaction) {
        return Err("already_reacted");
    }
    told.reactions.push(reaction);
    Ok(json!({}))
}

pub(super) fn make_room(told: &mut Told, body: &Value) -> Answer {
    let (name, length) = (text(body, "filename"), text(body, "length"));
    let length: usize = length.parse().map_err(|_| "invalid_arguments")?;
    if name.is_empty() || length == 0 {
        return Err("invalid_arguments");
    }
    told.last += 1;
    let id = format!("F{}", told.last);
    let address = format!("http://{}/upload/{id}", told.address);
    told.uploads.insert(id.clone(), (name, length, Vec::new()));
    Ok(json!({"upload_url": address, "file_id": id}))
}

pub(super) fn show_file(told: &mut Told, body: &Value) -> Answer {
    let channel = text(body, "channel_id");
    if !channel.starts_with(['C', 'D', 'G']) {
        return Err("channel_not_found");
    }
    enter(told, &channel)?;
    let id = text(&body["files"][0], "id");
    let (name, size, bytes) = told.uploads.get(&id).cloned().ok_or("file_not_found")?;
    if bytes.len() != size {
        return Err("file_not_found");
    }
    let sent = text(body, "initial_comment");
    seen(told, channel, body, sent, false, Some((name, bytes)));
    Ok(json!({"files": [{"id": id, "title": body["files"][0]["title"]}]}))
}
