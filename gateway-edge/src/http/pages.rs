//! What programs ask: whether the gateway is alive, started and ready.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::StatusCode;
use serde::Serialize;

use super::{context::Http, respond::json};
use crate::limits::VERSION;

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
