//! Where a request becomes a WebSocket (RFC 6455, 4.2).

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use sha1::{Digest, Sha1};

use super::{
    bearer,
    context::Http,
    page,
    respond::{Refused, overloaded, plain, refusal, upgrade_required},
    socket::{Ends, Socket},
    ui,
};
use crate::{
    admission::{Client, Rejection, Sender},
    profile::{Arrival, Challenge},
    serve::serve_connection,
};

/// RFC 6455, 1.3.
const WEBSOCKET_GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The door of the plain handshake.
pub(super) const PLAIN: &str = "/ws";

/// A WebSocket, or the page of who opens the address in a browser.
pub(super) async fn or_page(
    State(http): State<Arc<Http>>,
    Extension(socket): Extension<Arc<Socket>>,
    request: Request,
) -> Response {
    if wants_upgrade(request.headers()) {
        return upgrade(&http, &socket, request);
    }
    let headers = request.into_parts().0.headers;
    if let Some(front) = ui::front(&http, &headers).await {
        return front;
    }
    page::page(http, socket.ends, headers).await
}

/// A WebSocket, or the word that this is what is spoken here.
pub(super) async fn or_refusal(
    State(http): State<Arc<Http>>,
    Extension(socket): Extension<Arc<Socket>>,
    request: Request,
) -> Response {
    if wants_upgrade(request.headers()) {
        return upgrade(&http, &socket, request);
    }
    upgrade_required()
}

/// Turns a request into a connection.
pub(super) fn upgrade(http: &Arc<Http>, socket: &Socket, mut request: Request) -> Response {
    let ends = socket.ends;
    let (sender, rejection) = match admit(http, ends, &request) {
        Ok(admitted) => admitted,
        Err(response) => return *response,
    };
    let user = bearer::user(http, ends, request.headers());
    let bearer = match bearer::of_upgrade(http, sender, user.as_deref(), request.headers()) {
        Ok(bearer) => bearer,
        Err(response) => return *response,
    };
    let challenge = match (request.uri().path(), &bearer) {
        (PLAIN, Some(_)) => Challenge::Never,
        (PLAIN, None) => Challenge::WhenSilent,
        _ => Challenge::AtOnce,
    };
    let (response, upgrade) = match switch(&mut request) {
        Ok(switched) => switched,
        Err(response) => return *response,
    };
    let permit = socket.take_permit();
    // Behind a proxy, the permit belongs to the client and not to the proxy.
    let Client { ip, reach } = sender.client;
    let permit = if ip == ends.peer.to_canonical() {
        permit
    } else {
        http.edge.counter.enter(sender.client.key(), reach)
    };
    let Some(permit) = permit else {
        http.count("overload");
        return refusal(&overloaded());
    };
    let arrival = Arrival {
        ip,
        reach,
        browser: sender.browser,
        secure: ends.secure,
        bearer,
        user,
        challenge,
        rejection,
    };
    let edge = Arc::clone(&http.edge);
    http.edge.drain.spawn_work("connection", async move {
        match upgrade.await {
            Ok(upgraded) => serve_connection(edge, upgraded, arrival, permit).await,
            Err(error) => tracing::debug!(error = %error, "an upgrade did not complete"),
        }
    });
    response
}

/// Who asks. Whoever comes by a wrong name or from a foreign page is let in as far as to hear so.
fn admit(http: &Http, ends: Ends, request: &Request) -> Result<(Sender, Option<Rejection>), Refused> {
    let (way, headers) = (http.way(ends), request.headers());
    // Before the configuration is known, nobody is refused for good.
    let is_known = http.edge.policy().is_some();
    http.admitted(|policy| match policy.admit(way, request.uri(), headers) {
        Err(rejection) if rejection.in_frame && is_known => {
            http.count(rejection.code);
            let client = policy.client_of(way, headers)?;
            let browser = true;
            Ok((Sender { client, browser }, Some(rejection)))
        }
        admitted => admitted.map(|sender| (sender, None)),
    })
}

/// Whether the request wants to be a WebSocket at all.
pub(super) fn wants_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, &header::UPGRADE, "websocket")
}

fn has_token(headers: &HeaderMap, name: &header::HeaderName, token: &str) -> bool {
    let values = headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|word| word.trim().eq_ignore_ascii_case(token))
}

/// The answer that makes a request a WebSocket, and the socket to come.
pub(crate) fn switch<B>(request: &mut http::Request<B>) -> Result<(Response, OnUpgrade), Refused> {
    let accept = check_upgrade(request)?;
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok((response, hyper::upgrade::on(request)))
}

/// What RFC 6455, 4.2.1 asks of a client; the answer proves that we understood.
fn check_upgrade<B>(request: &http::Request<B>) -> Result<HeaderValue, Refused> {
    let headers = request.headers();
    let bad = |message| Box::new(plain(StatusCode::BAD_REQUEST, message));
    if request.method() != Method::GET || request.version() < http::Version::HTTP_11 {
        return Err(bad("a WebSocket begins with GET and HTTP/1.1"));
    }
    if !has_token(headers, &header::CONNECTION, "upgrade") {
        return Err(bad("the header Connection: Upgrade is missing"));
    }
    if headers
        .get(header::SEC_WEBSOCKET_VERSION)
        .is_none_or(|version| version != "13")
    {
        return Err(Box::new(upgrade_required()));
    }
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    let key = keys.next().filter(|_| keys.next().is_none());
    let Some(key) = key.filter(|key| {
        STANDARD
            .decode(key.as_bytes())
            .is_ok_and(|nonce| nonce.len() == 16)
    }) else {
        return Err(bad("Sec-WebSocket-Key must be 16 bytes in base64"));
    };
    let digest = Sha1::new()
        .chain_update(key.as_bytes())
        .chain_update(WEBSOCKET_GUID)
        .finalize();
    HeaderValue::try_from(STANDARD.encode(digest)).map_err(|_| bad("Sec-WebSocket-Key cannot be answered"))
}
