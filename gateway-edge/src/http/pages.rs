//! What anybody may read: whether the gateway is alive, started and ready, and the page of who opens it in a browser.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde::Serialize;

use super::{
    context::Http,
    respond::{json, respond},
};
use crate::limits::VERSION;

const PAGE: &str = concat!(
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Gatehouse</title>",
    "<h1>Gatehouse</h1><p>This is the gateway to a personal assistant. Clients connect to this address with WebSocket; ",
    "<code>gatehouse chat</code> is one.</p></html>\n"
);

pub(super) fn page() -> Response {
    respond(StatusCode::OK, "text/html; charset=utf-8", PAGE)
}

#[derive(Serialize)]
struct Live {
    ok: bool,
    status: &'static str,
}

pub(super) async fn live() -> Response {
    let live = Live {
        ok: true,
        status: "live",
    };
    json(StatusCode::OK, &live)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Started {
    ok: bool,
    status: &'static str,
    version: &'static str,
    uptime_ms: u64,
}

pub(super) async fn started(State(http): State<Arc<Http>>) -> Response {
    let started = Started {
        ok: true,
        status: "started",
        version: VERSION,
        uptime_ms: http.edge.uptime_ms(),
    };
    json(StatusCode::OK, &started)
}

pub(super) async fn ready(State(http): State<Arc<Http>>) -> Response {
    let report = http.readiness.report(&http.edge, &http.fed).await;
    let status = if report.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    json(status, &report)
}
