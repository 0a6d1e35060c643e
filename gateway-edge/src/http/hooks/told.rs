//! What is answered without the session service, in the form of hooks: `{"ok": false, "error": ...}`, or a line of text where OpenClaw's
//! hooks answer with one.

use std::time::Duration;

use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use tonic::{Code, Status};

use super::{super::body::Unread, Ended};
use crate::http::respond::respond;

pub(super) fn unauthorized() -> Response {
    respond(
        StatusCode::UNAUTHORIZED,
        "text/plain; charset=utf-8",
        "Unauthorized",
    )
}

pub(super) fn locked_out(wait: Duration) -> Ended {
    let mut response = respond(
        StatusCode::TOO_MANY_REQUESTS,
        "text/plain; charset=utf-8",
        "Too Many Requests",
    );
    let seconds = HeaderValue::from(wait.as_secs().max(1));
    response.headers_mut().insert(header::RETRY_AFTER, seconds);
    ("throttled", response)
}

pub(super) fn wrong(status: StatusCode, problem: &'static str) -> Response {
    respond(
        status,
        "application/json",
        format!(r#"{{"ok":false,"error":"{problem}"}}"#),
    )
}

pub(super) fn too_large() -> Ended {
    (
        "too-large",
        wrong(StatusCode::PAYLOAD_TOO_LARGE, "payload too large"),
    )
}

pub(super) fn unread(unread: Unread) -> Ended {
    match unread {
        Unread::TooLarge => too_large(),
        Unread::Cut => ("cut", wrong(StatusCode::BAD_REQUEST, "the body was cut")),
        Unread::TooSlow => {
            let told = "the body did not come in time";
            ("too-slow", wrong(StatusCode::REQUEST_TIMEOUT, told))
        }
        Unread::NoMemory => later("too many requests at once"),
    }
}

pub(super) fn later(problem: &'static str) -> Ended {
    let mut response = wrong(StatusCode::SERVICE_UNAVAILABLE, problem);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    ("unavailable", response)
}

pub(super) fn failed(status: &Status) -> Ended {
    if status.code() == Code::InvalidArgument {
        let told = "the head of the request is larger than the gateway takes";
        return ("refused", wrong(StatusCode::BAD_REQUEST, told));
    }
    tracing::warn!(code = ?status.code(), "the session service did not take a hook");
    later("the gateway cannot take this in now")
}
