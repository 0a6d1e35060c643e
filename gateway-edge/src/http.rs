//! What the door answers to plain HTTP, and where a request becomes a WebSocket.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use gatehouse_core::Secret;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, upgrade::OnUpgrade};
use serde::Serialize;
use sha1::{Digest, Sha1};
use tokio::sync::watch;

use crate::{
    accept::{self, crowd::Crowd},
    admission::{Place, Turned, Visitor},
    connection::Arrival,
    edge::{Edge, VERSION},
    error::{Refusal, to_bytes},
    metrics::Reason,
    policy::Door,
    ready::Readiness,
    webhook::{self, Webhooks},
};

/// RFC 6455, 1.3.
const WEBSOCKET_GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// What a client is told to wait for whom there is no place now.
const COME_BACK: Duration = Duration::from_secs(1);

const PAGE: &str = concat!(
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Gatehouse</title>",
    "<h1>Gatehouse</h1><p>This is the door to a personal assistant. Clients connect to this address with WebSocket; ",
    "<code>gatehouse chat</code> is one.</p></html>\n"
);

/// The HTTP side of the edge.
#[derive(Debug)]
pub(crate) struct Http {
    pub(crate) edge: Arc<Edge>,
    pub(crate) readiness: Readiness,
    pub(crate) webhooks: Webhooks,
    pub(crate) crowd: Crowd,
    /// Whether the stream of events flows.
    pub(crate) fed: watch::Receiver<bool>,
    /// The address that the door listens on.
    pub(crate) bound: IpAddr,
}

/// The place of a socket; an upgrade takes it along.
pub(crate) type Held = Arc<Mutex<Option<Place>>>;

impl Http {
    /// Answers one request.
    pub(crate) async fn serve(
        &self,
        request: Request<Incoming>,
        peer: IpAddr,
        held: Held,
    ) -> Response<Full<Bytes>> {
        let mut response = self.route(request, peer, held).await;
        secure(response.headers_mut());
        response
    }

    async fn route(&self, request: Request<Incoming>, peer: IpAddr, held: Held) -> Response<Full<Bytes>> {
        let read = matches!(*request.method(), Method::GET | Method::HEAD);
        match request.uri().path() {
            "/" | "/ws" if wants_upgrade(request.headers()) => self.upgrade(request, peer, &held),
            "/" if read => page(),
            "/ws" if read => upgrade_required(),
            "/healthz" | "/health" if read => json(
                StatusCode::OK,
                &Live {
                    ok: true,
                    status: "live",
                },
            ),
            "/startupz" if read => {
                let started = Started {
                    ok: true,
                    status: "started",
                    version: VERSION,
                    uptime_ms: self.edge.uptime_ms(),
                };
                json(StatusCode::OK, &started)
            }
            "/readyz" | "/ready" if read => {
                let report = self.readiness.report(&self.edge, &self.fed).await;
                json(
                    if report.ready {
                        StatusCode::OK
                    } else {
                        StatusCode::SERVICE_UNAVAILABLE
                    },
                    &report,
                )
            }
            "/" | "/ws" | "/healthz" | "/health" | "/startupz" | "/readyz" | "/ready" => {
                not_allowed("GET, HEAD")
            }
            path if path.starts_with("/webhooks/") => self.webhook(request, peer).await,
            _ => plain(StatusCode::NOT_FOUND, "there is nothing here"),
        }
    }

    async fn webhook(&self, request: Request<Incoming>, peer: IpAddr) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        let Some(target) = webhook::target(parts.uri.path()) else {
            return plain(
                StatusCode::NOT_FOUND,
                "a webhook's path is /webhooks/<channel>/<account>",
            );
        };
        if parts.method != Method::POST {
            return not_allowed("POST");
        }
        let client = match self.edge.policy() {
            Some(policy) => policy.door.client_of(peer, &parts.headers),
            None => Ok(peer.to_canonical()),
        };
        match client {
            Ok(client) => {
                self.webhooks
                    .receive(&self.edge, target, client, &parts.headers, body)
                    .await
            }
            Err(turned) => self.turn(turned),
        }
    }

    /// Turns a request into a connection.
    fn upgrade(&self, mut request: Request<Incoming>, peer: IpAddr, held: &Held) -> Response<Full<Bytes>> {
        let visitor = match self.admit(peer, request.headers()) {
            Ok(visitor) => visitor,
            Err(response) => return *response,
        };
        let (response, upgrade) = match switch(&mut request) {
            Ok(switched) => switched,
            Err(response) => return *response,
        };
        let place = held.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Behind a proxy, the place belongs to the client and not to the proxy.
        let place = if visitor.ip == peer.to_canonical() {
            place
        } else {
            self.edge.counter.enter(visitor.ip, false)
        };
        let Some(place) = place else {
            self.count("crowd");
            return refuse(StatusCode::SERVICE_UNAVAILABLE, &crowded());
        };
        let arrival = Arrival {
            ip: visitor.ip,
            browser: visitor.browser,
            bearer: bearer(request.headers()),
        };
        let edge = Arc::clone(&self.edge);
        self.edge.drain.spawn("connection", async move {
            match upgrade.await {
                Ok(upgraded) => accept::converse(edge, upgraded, arrival, place).await,
                Err(error) => tracing::debug!(error = %error, "an upgrade was cut"),
            }
        });
        response
    }

    fn admit(&self, peer: IpAddr, headers: &HeaderMap) -> Result<Visitor, Refused> {
        match self.edge.policy() {
            Some(policy) => policy
                .door
                .admit(peer, self.bound, headers)
                .map_err(|turned| Box::new(self.turn(turned))),
            // The configuration may allow what the defaults do not: ask to come back instead of refusing.
            None => Door::default()
                .admit(peer, self.bound, headers)
                .map_err(|_| Box::new(refuse(StatusCode::SERVICE_UNAVAILABLE, &starting()))),
        }
    }

    fn turn(&self, turned: Turned) -> Response<Full<Bytes>> {
        self.count(turned.code);
        let Turned {
            status,
            code,
            message,
        } = turned;
        refuse(status, &Refusal::new("FORBIDDEN", message).detail("code", code))
    }

    fn count(&self, reason: &'static str) {
        self.edge
            .metrics
            .turned_away
            .get_or_create(&Reason { reason })
            .inc();
    }
}

/// Whether the request wants to be a WebSocket at all.
fn wants_upgrade(headers: &HeaderMap) -> bool {
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
type Refused = Box<Response<Full<Bytes>>>;

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

fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| Secret::new(token))
}

#[derive(Serialize)]
struct Live {
    ok: bool,
    status: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Started {
    ok: bool,
    status: &'static str,
    version: &'static str,
    uptime_ms: u64,
}

fn json(status: StatusCode, value: &impl Serialize) -> Response<Full<Bytes>> {
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

fn page() -> Response<Full<Bytes>> {
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

fn not_allowed(allow: &'static str) -> Response<Full<Bytes>> {
    let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "this method is not allowed here");
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static(allow));
    response
}

fn upgrade_required() -> Response<Full<Bytes>> {
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
fn starting() -> Refusal {
    Refusal::unavailable("the gateway is starting; come back soon", COME_BACK).detail("code", "STARTING")
}

/// An answer that says to a program and to a person why not.
fn refuse(status: StatusCode, refusal: &Refusal) -> Response<Full<Bytes>> {
    let mut response = respond(status, "application/json", refusal.told());
    if let Some(wait) = refusal.retry_after_ms {
        let seconds = HeaderValue::from(wait.div_ceil(1000));
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

/// No page of ours is framed, guessed at or kept.
fn secure(headers: &mut HeaderMap) {
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
