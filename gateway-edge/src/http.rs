//! The HTTP side of the edge: what is asked on a socket before, and instead of, a WebSocket.
//!
//! A request passes what every request must pass ([`guard`]), then the policy of its route ([`routes`]), then its handler.

use std::sync::Arc;

use axum::{Router, body::Body, response::Response};
use hyper::{Request, body::Incoming};
use tower::ServiceExt;

pub(crate) use self::context::Http;
use self::{doors::Door, socket::Socket};

mod bearer;
mod body;
pub(crate) mod calls;
mod context;
mod doors;
mod fields;
mod guard;
pub(crate) mod hooks;
mod intake;
pub(crate) mod media;
mod openai;
mod page;
mod pages;
pub(crate) mod plugin;
mod policy;
mod range;
pub(crate) mod respond;
mod rest;
mod routes;
mod rpc;
pub(crate) mod socket;
mod tools;
pub(crate) mod ui;
pub(crate) mod upgrade;
pub(crate) mod webhook;

/// Answers requests.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) http: Arc<Http>,
    router: Router,
}

impl Server {
    pub(crate) fn new(http: Http) -> Self {
        let http = Arc::new(http);
        Self {
            router: routes::router(&http),
            http,
        }
    }

    /// Answers one request of a socket.
    pub(crate) async fn serve(&self, request: Request<Incoming>, socket: Arc<Socket>) -> Response {
        let (parts, body) = request.into_parts();
        let (body, rest) = rest::lend(&parts.headers, body);
        let mut response = self
            .answer(Request::from_parts(parts, Body::new(body)), socket)
            .await;
        rest.settle(response.status(), response.headers_mut()).await;
        respond::secure(response.headers_mut());
        response
    }

    async fn answer(&self, request: Request<Body>, socket: Arc<Socket>) -> Response {
        let door = Door::of(&self.http, request.uri().path());
        door.shaped(self.answer_plainly(request, socket).await)
    }

    async fn answer_plainly(&self, request: Request<Body>, socket: Arc<Socket>) -> Response {
        let mut request = hooks::marked(&self.http, openai::models::with_plain_path(request));
        match guard::admit(&self.http, socket.ends, request.uri(), request.headers()) {
            Ok(()) if is_ours(request.uri().path()) => {
                request.extensions_mut().insert(socket);
                let answered = self.router.clone().oneshot(request).await;
                answered.unwrap_or_else(|never| match never {})
            }
            Ok(()) => {
                let place = ui::answer(&self.http, &socket, request).await;
                place.unwrap_or_else(guard::not_canonical)
            }
            Err(refused) => *refused,
        }
    }
}

/// Whether a path is one that the routes are asked for. The root of a plugin may be written as the folder that it is.
fn is_ours(path: &str) -> bool {
    crate::site::is_canonical(path) || plugin::is_root(path)
}
