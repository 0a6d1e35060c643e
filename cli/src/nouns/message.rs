//! `gatehouse message`.

use std::io::Read;

use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{Caller, sessions::given};
use crate::{
    args::{
        Common,
        nouns::{Message, MessageSend, MessageVerb},
    },
    exit::{Exit, Failed},
    term::Style,
};

/// The longest message, as the contract says.
const TEXT_BYTES_MAX: u64 = 1024 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    channel: String,
    account_id: String,
}

pub(crate) async fn run(common: &Common, message: &Message, style: Style) -> Result<(), Failed> {
    let MessageVerb::Send(send) = &message.verb;
    let text = text_of(send)?;
    let key = send.key.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    let params = given([
        ("to", json!(send.to)),
        ("message", json!(text)),
        ("idempotencyKey", json!(key)),
        ("channel", json!(send.channel)),
        ("accountId", json!(send.account)),
        ("threadId", json!(send.thread)),
        ("replyToId", json!(send.reply_to)),
    ]);
    let mut caller = Caller::connect(common, style, &["send"]).await?;
    let answer = caller.ask("send", &params).await?;
    let stored: Stored = answer.read()?;
    let sentence = format!(
        "kept for {}/{}, which sends it to {}",
        stored.channel, stored.account_id, send.to
    );
    caller.done(&answer, &sentence)?;
    caller.close().await;
    Ok(())
}

fn text_of(send: &MessageSend) -> Result<String, Failed> {
    let text = if send.text == ["-"] {
        let mut text = String::new();
        let read = std::io::stdin()
            .lock()
            .take(TEXT_BYTES_MAX + 1)
            .read_to_string(&mut text);
        read.map_err(|error| Failed::new(Exit::Usage, format!("cannot read the input: {error}")))?;
        text.trim_end().to_owned()
    } else {
        send.text.join(" ")
    };
    if text.trim().is_empty() {
        return Err(Failed::new(
            Exit::Usage,
            "there is nothing to send: the text is empty",
        ));
    }
    if u64::try_from(text.len()).is_ok_and(|length| length > TEXT_BYTES_MAX) {
        return Err(Failed::new(
            Exit::Usage,
            "the text is longer than a message may be (1 MiB)",
        ));
    }
    Ok(text)
}
