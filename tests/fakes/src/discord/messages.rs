//! Messages of the bot, as the people in its channels see them: posted, changed and deleted.

use super::{serve::no, *};
use crate::form::File;

/// Of a message: it is spoken.
const IS_VOICE: u64 = 1 << 13;

fn words(body: &Value) -> Result<String, (u32, &'static str)> {
    let sent = body["content"].as_str().unwrap_or_default().to_owned();
    if sent.trim().is_empty() {
        return Err((50_006, "Cannot send an empty message"));
    }
    if sent.chars().count() > CONTENT_MAX || has_wrong_components(body) {
        return Err((50_035, "Invalid Form Body"));
    }
    Ok(sent)
}

/// Buttons as Discord takes them.
fn has_wrong_components(body: &Value) -> bool {
    let rows: Vec<Value> = body["components"].as_array().cloned().unwrap_or_default();
    let mut ids = Vec::new();
    for row in &rows {
        let buttons = row["components"].as_array().cloned().unwrap_or_default();
        let is_row = row["type"] == json!(1) && (1..=5).contains(&buttons.len());
        for button in &buttons {
            let text = |name: &str| button[name].as_str().unwrap_or_default().to_owned();
            let (id, label) = (text("custom_id"), text("label"));
            let right = (1..=100).contains(&id.chars().count()) && (1..=80).contains(&label.chars().count());
            if button["type"] != json!(2) || !right || ids.contains(&id) {
                return true;
            }
            ids.push(id);
        }
        if !is_row {
            return true;
        }
    }
    rows.len() > 5
}

/// A message of the bot as Discord answers it.
fn shown(seen: &Seen) -> Value {
    json!({"id": seen.id, "channel_id": seen.channel, "type": 0, "content": seen.sent, "timestamp": "2026-11-28T10:00:00+00:00",
        "author": {"id": BOT, "username": "gatebot", "bot": true}, "attachments": [], "embeds": [], "mentions": []})
}

fn unknown_message() -> Response {
    no(404, 10_008, "Unknown Message")
}

pub(super) fn edit(told: &mut Told, id: &str, body: &Value) -> Response {
    let sent = match words(body) {
        Ok(sent) => sent,
        Err((code, words)) => return no(400, code, words),
    };
    let Some(seen) = told.seen.iter_mut().find(|seen| seen.id == id) else {
        return unknown_message();
    };
    (seen.text, seen.sent) = (sent.replace('\\', ""), sent);
    fault::json(200, &shown(seen))
}

pub(super) fn delete(told: &mut Told, id: &str) -> Response {
    if !told.seen.iter().any(|seen| seen.id == id) {
        return unknown_message();
    }
    told.seen.retain(|seen| seen.id != id);
    StatusCode::NO_CONTENT.into_response()
}

pub(super) fn post(told: &mut Told, channel: &str, body: &Value, file: Option<File>) -> Response {
    let sent = match words(body) {
        Err((50_006, _)) if file.is_some() => String::new(),
        Ok(sent) => sent,
        Err((code, words)) => return no(400, code, words),
    };
    let nonce = body["nonce"].as_str().unwrap_or_default().to_owned();
    if nonce.chars().count() > 25 {
        return no(400, 50_035, "Invalid Form Body");
    }
    let known = told
        .seen
        .iter()
        .find(|seen| !nonce.is_empty() && seen.nonce == nonce);
    if let Some(known) = known.filter(|_| body["enforce_nonce"] == json!(true)) {
        return fault::json(200, &shown(known));
    }
    let is_voice = body["flags"].as_u64().is_some_and(|flags| flags & IS_VOICE != 0);
    let recorded = &body["attachments"][0];
    let told_of = recorded["duration_secs"]
        .as_f64()
        .is_some_and(|seconds| seconds > 0.0)
        && recorded["waveform"]
            .as_str()
            .is_some_and(|waveform| !waveform.is_empty());
    if is_voice && (file.is_none() || !sent.is_empty() || !told_of) {
        return no(400, 50_161, "Voice messages must have supporting metadata");
    }
    told.last += 1;
    let id = told.last.to_string();
    let seen = Seen {
        id,
        channel: channel.to_owned(),
        text: sent.replace('\\', ""),
        sent,
        answers: body["message_reference"]["message_id"]
            .as_str()
            .map(str::to_owned),
        file: file.map(|File { name, bytes, .. }| (name, bytes)),
        nonce,
    };
    let answer = shown(&seen);
    told.seen.push(seen);
    fault::json(200, &answer)
}
