//! The answers themselves, and the headers that all of them bear.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;

use crate::error::{Refusal, to_bytes};

/// What a client is told to wait for whom there is no place now.
const COME_BACK: Duration = Duration::from_secs(1);

const PAGE: &str = concat!(
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Gatehouse</title>",
    "<h1>Gatehouse</h1><p>This is the door to a personal assistant. Clients connect to this address with WebSocket; ",
    "<code>gatehouse chat</code> is one.</p></html>\n"
);

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<Full<Bytes>> {
    respond(status, "application/json", to_bytes(value))
}

/// An answer in plain words.
pub(crate) fn plain(status: StatusCode, message: &'static str) -> Response<Full<Bytes>> {
    respond(
        status,
        "text/plain; charset=utf-8",
        Bytes::from(format!("{message}\n")),
    )
}

pub(super) fn page() -> Response<Full<Bytes>> {
    respond(
        StatusCode::OK,
        "text/html; charset=utf-8",
        Bytes::from_static(PAGE.as_bytes()),
    )
}

fn respond(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

pub(super) fn not_allowed(allow: &'static str) -> Response<Full<Bytes>> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "this method is not allowed here");
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

pub(super) fn upgrade_required() -> Response<Full<Bytes>> {
    let mut response = plain(StatusCode::UPGRADE_REQUIRED, "speak WebSocket version 13 here");
    let headers = response.headers_mut();
    headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    response
}

/// There is no place for another connection.
pub(crate) fn crowded() -> Refusal {
    let message = "the gateway takes no more connections now; come back soon";
    Refusal::unavailable(message, COME_BACK).detail("code", "TOO_MANY_CONNECTIONS")
}

/// The configuration is not known yet.
pub(super) fn starting() -> Refusal {
    Refusal::unavailable("the gateway is starting; come back soon", COME_BACK).detail("code", "STARTING")
}

/// An answer that says to a program and to a person why not.
pub(super) fn refuse(status: StatusCode, refusal: &Refusal) -> Response<Full<Bytes>> {
    let mut response = respond(status, "application/json", refusal.told());
    if let Some(wait) = refusal.retry_after_ms {
        let seconds = HeaderValue::from(wait.div_ceil(1000));
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

/// No page of ours is framed, guessed at or kept.
pub(super) fn secure(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
