//! The answers themselves, and the headers that all of them bear.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use gatehouse_core::Kind;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::error::{Refusal, to_bytes};

/// What a client is told to wait for whom there is no room now.
const COME_BACK: Duration = Duration::from_secs(1);

/// A refusal, boxed because it is the exception.
pub(crate) type Refused = Box<Response>;

/// What a page may load and who may frame it: nothing, nobody.
pub(crate) const CSP_NOTHING: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    respond(status, "application/json", to_bytes(value))
}

/// An answer in plain words. A door for programs says it in its own form.
pub(crate) fn plain(status: StatusCode, message: &'static str) -> Response {
    let mut response = respond(
        status,
        "text/plain; charset=utf-8",
        Bytes::from(format!("{message}\n")),
    );
    let (kind, code) = match status {
        StatusCode::NOT_FOUND => (Kind::NotFound, "NOTHING_HERE"),
        StatusCode::METHOD_NOT_ALLOWED => (Kind::Invalid, "METHOD_NOT_ALLOWED"),
        StatusCode::SERVICE_UNAVAILABLE => (Kind::Unavailable, "UNAVAILABLE"),
        _ => (Kind::Invalid, "REQUEST_INVALID"),
    };
    let refusal = Refusal::new(kind, message).detail("code", code);
    response.extensions_mut().insert(Arc::new(refusal));
    response
}

pub(crate) fn respond(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

pub(crate) fn not_allowed(allow: &'static str) -> Response {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "this method is not allowed here");
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

pub(crate) fn upgrade_required() -> Response {
    let mut response = plain(StatusCode::UPGRADE_REQUIRED, "speak WebSocket version 13 here");
    let headers = response.headers_mut();
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    response
}

/// There is no room for another connection.
pub(crate) fn overloaded() -> Refusal {
    let message = "the gateway takes no more connections now; come back soon";
    Refusal::unavailable(message, COME_BACK).detail("code", "TOO_MANY_CONNECTIONS")
}

/// The configuration is not known yet.
pub(crate) fn starting() -> Refusal {
    Refusal::unavailable("the gateway is starting; come back soon", COME_BACK).detail("code", "STARTING")
}

/// A body is larger than it may be.
pub(super) fn too_large(max: usize) -> Refusal {
    Refusal::invalid(format!("the body is larger than {max} bytes"))
        .detail("code", "BODY_TOO_LARGE")
        .detail("maxBytes", max)
}

/// The answer that says to a program and to a person why not, with the status of its kind.
pub(crate) fn refusal(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.kind.http());
    refuse(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), refusal)
}

/// The same with a status that only HTTP has.
pub(crate) fn refuse(status: StatusCode, refusal: &Refusal) -> Response {
    let mut response = respond(status, "application/json", refusal.told());
    // For a route that says it in another form.
    response.extensions_mut().insert(Arc::new(refusal.clone()));
    let headers = response.headers_mut();
    if let Some(wait) = refusal.retry_after_ms {
        let seconds = HeaderValue::from(wait.div_ceil(1000));
        headers.insert(header::RETRY_AFTER, seconds);
    }
    if status == StatusCode::UNAUTHORIZED {
        // RFC 9110, 15.5.2: a 401 says how to authenticate.
        let challenge = HeaderValue::from_static("Bearer realm=\"gatehouse\"");
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// No answer of ours is framed, guessed at or kept, unless it says itself that it may be kept. A route says for itself what its page
/// may load.
pub(crate) fn secure(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(CSP_NOTHING));
}
