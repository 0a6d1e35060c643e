//! What a request is answered: JSON with `ok`, or a line of text where OpenClaw's hooks answer with one.

use gatehouse_proto::session::v1::HookAnswer;
use serde_json::{Value, json};

pub(super) fn told(status: u16, body: &Value) -> HookAnswer {
    HookAnswer {
        status: status.into(),
        content_type: "application/json".to_owned(),
        body: body.to_string().into_bytes(),
        retry_after_seconds: None,
        guessed: false,
    }
}

pub(super) fn text(status: u16, words: &str) -> HookAnswer {
    HookAnswer {
        content_type: "text/plain; charset=utf-8".to_owned(),
        body: words.as_bytes().to_vec(),
        ..told(status, &Value::Null)
    }
}

/// The request is wrong, and what would be right.
pub(super) fn wrong(status: u16, problem: impl Into<String>) -> HookAnswer {
    told(status, &json!({"ok": false, "error": problem.into()}))
}

pub(super) fn later(status: u16, problem: &str, seconds: u32) -> HookAnswer {
    HookAnswer {
        retry_after_seconds: Some(seconds),
        ..wrong(status, problem)
    }
}

/// Nothing that is shown is right.
pub(super) fn unauthorized() -> HookAnswer {
    HookAnswer {
        guessed: true,
        ..text(401, "Unauthorized")
    }
}

pub(super) fn not_found() -> HookAnswer {
    text(404, "Not Found")
}

/// It was taken, and there is nothing to do.
pub(super) fn nothing() -> HookAnswer {
    text(204, "")
}
