//! Where a request becomes a WebSocket (RFC 6455, 4.2).

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use gatehouse_core::Secret;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, upgrade::OnUpgrade};
use sha1::{Digest, Sha1};

use super::answer::{plain, upgrade_required};

/// RFC 6455, 1.3.
const WEBSOCKET_GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

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

/// A refusal, boxed because it is the exception.
pub(super) type Refused = Box<Response<Full<Bytes>>>;

/// The answer that makes a request a WebSocket, and the socket to come.
pub(crate) fn switch(request: &mut Request<Incoming>) -> Result<(Response<Full<Bytes>>, OnUpgrade), Refused> {
    let accept = check_upgrade(request)?;
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok((response, hyper::upgrade::on(request)))
}

/// What RFC 6455, 4.2.1 asks of a client; the answer proves that we understood.
fn check_upgrade(request: &Request<Incoming>) -> Result<HeaderValue, Refused> {
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

pub(super) fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| Secret::new(token))
}
