//! A request from the platform: the signature first, then the body, then the commit, then 202.

use gatehouse_core::{Chain, Clock};
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::{WebhookConfig, signature, throttle::Throttle};
use crate::adapter::{ChatKind, HttpAnswer, HttpRequest, Inbound, InboundMessage, ReceiveError, Received};

/// The longest body, in bytes.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// The body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    id: String,
    from: From,
    chat: Chat,
    text: String,
    thread_id: Option<String>,
    #[serde(default)]
    mentioned: bool,
    sent_at: Option<i64>,
}

#[derive(Deserialize)]
struct From {
    id: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Chat {
    id: String,
    kind: ChatKind,
}

/// Answers a request.
pub(crate) async fn receive(
    config: &WebhookConfig,
    clock: &Clock,
    throttle: &Throttle,
    request: HttpRequest,
    inbound: &Inbound,
) -> HttpAnswer {
    if request.method != "POST" {
        return refuse(405, "METHOD_NOT_ALLOWED", "only POST is understood");
    }
    if request.body.len() > BODY_BYTES_MAX {
        return refuse(413, "TOO_LARGE", "the body is longer than 1 MiB");
    }
    let now = clock.now_ms();
    if let Some(wait) = throttle.wait(&request.peer, Instant::now()) {
        let refused = refuse(429, "THROTTLED", "too many wrong signatures");
        return HttpAnswer {
            retry_after: Some(wait.as_secs().max(1)),
            ..refused
        };
    }
    let (timestamp, signed) = (
        request.header(signature::TIMESTAMP),
        request.header(signature::SIGNATURE),
    );
    if let Err(error) = signature::verify(
        &config.secret,
        now.div_euclid(1000),
        timestamp,
        signed,
        &request.body,
    ) {
        throttle.count(&request.peer, Instant::now());
        tracing::debug!(%error, "a webhook request was refused");
        return refuse(401, "SIGNATURE", &error.to_string());
    }
    let body: Body = match serde_json::from_slice(&request.body) {
        Ok(body) => body,
        Err(error) => return refuse(400, "INVALID", &format!("the body is not a message: {error}")),
    };
    let message = InboundMessage {
        message_id: body.id,
        chat_kind: body.chat.kind,
        reply_to: body.chat.id.clone(),
        chat_id: body.chat.id,
        thread_id: body.thread_id,
        sender_id: body.from.id,
        sender_aliases: Vec::new(),
        sender_name: body.from.name.map(|name| name.chars().take(200).collect()),
        mentioned: body.mentioned || body.chat.kind == ChatKind::Direct,
        text: body.text,
        sent_at: body.sent_at.unwrap_or(now),
    };
    match inbound.receive(message).await {
        Ok(received) => answer(
            202,
            json!({"accepted": true, "duplicate": received == Received::Duplicate}),
        ),
        Err(ReceiveError::Invalid(problem)) => refuse(400, "INVALID", problem),
        Err(ReceiveError::Full) => HttpAnswer {
            retry_after: Some(5),
            ..refuse(503, "BUSY", "too many messages wait; try again")
        },
        Err(error @ ReceiveError::Store(_)) => {
            tracing::error!(error = %Chain(&error), "a webhook request was not stored");
            HttpAnswer {
                retry_after: Some(5),
                ..refuse(503, "UNAVAILABLE", "the message could not be stored; try again")
            }
        }
    }
}

fn refuse(status: u16, code: &str, message: &str) -> HttpAnswer {
    answer(
        status,
        json!({"accepted": false, "error": {"code": code, "message": message}}),
    )
}

fn answer(status: u16, body: serde_json::Value) -> HttpAnswer {
    HttpAnswer {
        status,
        retry_after: None,
        body: body.to_string(),
    }
}
