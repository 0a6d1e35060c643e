//! Messages of the bot, as the people in its chats see them: sent, changed, deleted, and drafts of them.

use serde_json::{Value, json};

use super::{BOT, NAME, Refusal, Seen, Shared};
use crate::{form::File, markup};

/// The longest message, in UTF-16 units.
const TEXT_MAX: usize = 4096;

fn bad(words: impl std::fmt::Display) -> Refusal {
    (400, format!("Bad Request: {words}"), Value::Null)
}

/// The words of a message: as they were sent and as they are seen.
fn words(body: &Value) -> Result<(String, String), Refusal> {
    let sent = body["text"].as_str().unwrap_or_default().to_owned();
    let text = match body["parse_mode"].as_str() {
        Some("HTML") => markup::read(&sent).map_err(|words| bad(format!("can't parse entities: {words}")))?,
        Some(other) => return Err(bad(format!("unsupported parse_mode {other}"))),
        None => sent.clone(),
    };
    if text.trim().is_empty() {
        return Err(bad("text must be non-empty"));
    }
    if text.encode_utf16().count() > TEXT_MAX {
        return Err(bad("message is too long"));
    }
    Ok((sent, text))
}

fn chat(body: &Value) -> String {
    match &body["chat_id"] {
        Value::String(name) => name.clone(),
        number => number.to_string(),
    }
}

pub(super) fn edit(shared: &Shared, body: &Value) -> Result<Value, Refusal> {
    let (sent, text) = words(body)?;
    keyboard(body)?;
    let (id, chat) = (body["message_id"].as_i64().unwrap_or(0), chat(body));
    let mut told = shared.lock();
    let Some(seen) = told
        .seen
        .iter_mut()
        .find(|seen| seen.id == id && seen.chat == chat)
    else {
        return Err(bad("message to edit not found"));
    };
    if seen.sent == sent {
        return Err(bad(
            "message is not modified: specified new message content is the same",
        ));
    }
    (seen.sent, seen.text) = (sent, text.clone());
    drop(told);
    shared.changed.notify_waiters();
    Ok(message(id, &text, body))
}

pub(super) fn delete(shared: &Shared, body: &Value) -> Result<Value, Refusal> {
    let (id, chat) = (body["message_id"].as_i64().unwrap_or(0), chat(body));
    let mut told = shared.lock();
    let before = told.seen.len();
    told.seen.retain(|seen| seen.id != id || seen.chat != chat);
    if told.seen.len() == before {
        return Err(bad("message to delete not found"));
    }
    Ok(json!(true))
}

pub(super) fn draft(shared: &Shared, body: &Value) -> Result<Value, Refusal> {
    let (_, text) = words(body)?;
    let mut told = shared.lock();
    let id = body["draft_id"].as_i64().unwrap_or(0);
    if told.has_no_drafts {
        return Err((404, "Not Found".to_owned(), Value::Null));
    }
    if id == 0 || body["chat_id"].as_i64().is_none_or(|chat| chat <= 0) {
        return Err(bad("drafts are for private chats"));
    }
    told.drafts.push((chat(body), id, text));
    Ok(json!(true))
}

fn message(id: i64, text: &str, body: &Value) -> Value {
    json!({
        "message_id": id, "date": 1_790_000_001, "text": text, "chat": {"id": body["chat_id"], "type": "private"},
        "from": {"id": BOT, "is_bot": true, "first_name": "Gate", "username": NAME},
    })
}

/// A message with a file: what it is said to be is what it must be, as far as its first bytes say.
pub(super) fn send_file(
    shared: &Shared,
    method: &str,
    body: &Value,
    file: Option<File>,
) -> Result<Value, Refusal> {
    let File { field, name, bytes } = file.ok_or_else(|| bad("there is no file in the request"))?;
    let wanted = method
        .strip_prefix("send")
        .unwrap_or_default()
        .to_ascii_lowercase();
    if field != wanted {
        return Err(bad(format!("there is no {wanted} in the request")));
    }
    let is_picture = bytes.starts_with(b"\x89PNG") || bytes.starts_with(b"\xff\xd8\xff");
    if method == "sendPhoto" && !is_picture {
        return Err(bad("IMAGE_PROCESS_FAILED"));
    }
    let caption = match body["caption"].as_str() {
        Some(_) => words(&json!({"text": body["caption"], "parse_mode": body["parse_mode"]}))?,
        None => (String::new(), String::new()),
    };
    let file = Some((method.to_owned(), name, bytes));
    Ok(seen(shared, body, caption, file))
}

/// Buttons as Telegram takes them.
fn keyboard(body: &Value) -> Result<(), Refusal> {
    let rows = body["reply_markup"]["inline_keyboard"].as_array();
    for row in rows.into_iter().flatten() {
        let row = row.as_array().filter(|row| !row.is_empty() && row.len() <= 8);
        for button in row.ok_or_else(|| bad("object expected as reply markup"))? {
            let data = button["callback_data"].as_str().unwrap_or_default();
            if button["text"].as_str().is_none_or(str::is_empty) {
                return Err(bad("text buttons are unallowed in the inline keyboard"));
            }
            if data.is_empty() || data.len() > 64 {
                return Err(bad("BUTTON_DATA_INVALID"));
            }
        }
    }
    Ok(())
}

pub(super) fn send(shared: &Shared, body: &Value) -> Result<Value, Refusal> {
    keyboard(body)?;
    Ok(seen(shared, body, words(body)?, None))
}

fn seen(
    shared: &Shared,
    body: &Value,
    (sent, text): (String, String),
    file: Option<(String, String, Vec<u8>)>,
) -> Value {
    let chat = chat(body);
    let mut told = shared.lock();
    told.last_message += 1;
    let id = told.last_message;
    told.seen.push(Seen {
        id,
        chat,
        topic: body["message_thread_id"].as_i64(),
        text: text.clone(),
        sent,
        answers: body["reply_parameters"]["message_id"].as_i64(),
        file,
    });
    drop(told);
    shared.changed.notify_waiters();
    message(id, &text, body)
}
