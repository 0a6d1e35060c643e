//! Where a webhook comes in.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    response::Response,
};
use http::StatusCode;

use super::target;
use crate::http::{context::Http, respond::plain, socket::Socket};

/// Receives a webhook.
pub(in crate::http) async fn receive(
    State(http): State<Arc<Http>>,
    Extension(socket): Extension<Arc<Socket>>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    if target(parts.uri.path()).is_none() {
        let told = "a webhook's path is /webhooks/<channel>/<account>";
        return plain(StatusCode::NOT_FOUND, told);
    }
    let client = match http.edge.policy() {
        Some(policy) => policy.admission.client_of(http.way(socket.ends), &parts.headers),
        None => Ok(http.peer_of(socket.ends)),
    };
    match client {
        Ok(client) => {
            http.webhooks
                .receive(&http.edge, client, &parts, body, &socket)
                .await
        }
        Err(rejection) => http.reject(rejection),
    }
}
