//! Hooks: what programs outside bring below `hooks.path`, judged by the session service, read within bounds, and answered as it says.
//!
//! The head of a request is shown to the session service before one byte of its body is read. What it shows is no credential of the
//! gateway: one that is, is refused here and goes nowhere. Whoever shows something wrong too often is locked out for a minute, on a
//! count of its own, so that a program that brings events with an old token locks nobody out of the gateway.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    body::{Body, HttpBody},
    extract::{Request, State},
    response::Response,
};
use bytes::Bytes;
use gatehouse_core::{Secret, Service, client::PeerService, net::PeerKey, trace};
use gatehouse_proto::session::v1::{
    HookAnswer, HookHead, HookHeader, InspectHookRequest, ReceiveHookRequest,
    hook_service_client::HookServiceClient,
};
use http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts};
use tokio::time::timeout;

use self::route::Meant;
pub(super) use self::route::{ROUTE, marked};
use self::told::{failed, later, locked_out, too_large, unauthorized, unread, wrong};
use super::{
    bearer::bearer,
    body::{Bounds, Reading},
    context::Http,
    respond::{plain, respond},
    socket::Socket,
    webhook::share,
};
use crate::{
    admission::Client,
    metrics::Reason,
    permits::Permits,
    step,
    throttle::{Limits, Login, Throttle},
};

mod route;
mod told;

/// The other header for the token, OpenClaw's.
const TOKEN: &str = "x-openclaw-token";

/// Wrong ones of an address before it is locked out, and for how long: OpenClaw's figures. Nobody is exempt: programs on this machine
/// bring events with a token that they can be told anew.
const GUESSES: Limits = Limits {
    attempts_max: 20,
    window: Duration::from_secs(60),
    lockout: Duration::from_secs(60),
    exempt_loopback: false,
};

/// The session service answers what it knows by heart.
const HEAD_PATIENCE: Duration = Duration::from_secs(2);

/// It waits for the end of a run for somewhat less, where it is asked to.
const PATIENCE: Duration = Duration::from_secs(600);

/// Bodies that are read at once: 16 MiB of the largest.
const BODIES_MAX: usize = 64;

/// Slower than this, after the grace, a body does not come in time: 256 KiB are allowed eight seconds.
const BODY_PACE: f64 = 32.0 * 1024.0;

/// Headers that are shown to the session service at most; the contract takes as many.
const HEADERS_MAX: usize = 256;

/// What receives them.
#[derive(Debug)]
pub(crate) struct Hooks {
    guesses: Throttle,
    bodies: Arc<Permits<PeerKey>>,
}

impl Default for Hooks {
    fn default() -> Self {
        Self {
            guesses: Throttle::default(),
            bodies: Permits::new(BODIES_MAX),
        }
    }
}

/// How a request ended, for the metrics, and its answer.
type Ended = (&'static str, Response);

/// Receives a request.
pub(super) async fn receive(
    State(http): State<Arc<Http>>,
    Extension(socket): Extension<Arc<Socket>>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Some(Meant(name)) = parts.extensions.get::<Meant>().cloned() else {
        return plain(StatusCode::NOT_FOUND, "there is nothing here");
    };
    let client = match http.edge.policy() {
        Some(policy) => policy.admission.client_of(http.way(socket.ends), &parts.headers),
        None => Ok(http.peer_of(socket.ends)),
    };
    let client = match client {
        Ok(client) => client,
        Err(rejection) => return http.reject(rejection),
    };
    let ended = take_in(&http, &socket, client, name, &parts, body).await;
    let (reason, response) = ended.unwrap_or_else(|ended| ended);
    http.edge.metrics.hooks.get_or_create(&Reason { reason }).inc();
    response
}

async fn take_in(
    http: &Http,
    socket: &Arc<Socket>,
    client: Client,
    name: String,
    parts: &Parts,
    body: Body,
) -> Result<Ended, Ended> {
    let login = Login {
        client,
        browser: parts.headers.contains_key(header::ORIGIN),
    };
    let hooks = &http.hooks;
    let locked = hooks.guesses.lockout(login, &GUESSES);
    if let Some(lockout) = locked.filter(|lockout| lockout.complete) {
        return Err(locked_out(lockout.wait));
    }
    if http.edge.drain.is_requested() {
        return Err(later("the gateway is stopping"));
    }
    if shows_own(http, &parts.headers) {
        return Err(guessed(http, login, unauthorized()));
    }
    let head = HookHead {
        name,
        query: parts.uri.query().map(str::to_owned),
        headers: parts.headers.iter().filter_map(shown).take(HEADERS_MAX).collect(),
    };
    let peer = http.edge.backend.peer(Service::Session);
    let mut session = HookServiceClient::new(peer.service());
    let asked = session.inspect_hook(InspectHookRequest {
        head: Some(head.clone()),
    });
    let inspected = timeout(HEAD_PATIENCE, asked)
        .await
        .map_err(|_| later("the gateway cannot take this in now"))?
        .map_err(|status| failed(&status))?
        .into_inner();
    if let Some(refusal) = inspected.refusal {
        return Err(answered(http, login, refusal));
    }
    let max = usize::try_from(inspected.body_bytes_max).unwrap_or(0);
    let (body, _lease) = read(http, client, &parts.headers, body, max).await?;
    // From here on the session service works for it: whoever comes, this one is answered.
    let _settled = socket
        .settled()
        .ok_or_else(|| later("too many requests at once"))?;
    let mut step = step::of_stranger(&parts.headers, &parts.method, "/hooks/{name}");
    let handed = trace::within(step.context(), hand_over(&mut session, head, body));
    let answer = timeout(PATIENCE, handed)
        .await
        .map_err(|_| later("the gateway did not answer in time"))??;
    step.set("http.response.status_code", answer.status);
    drop(step);
    Ok(answered(http, login, answer))
}

/// Reads a body, in memory that is leased until it is answered.
async fn read(
    http: &Http,
    client: Client,
    headers: &HeaderMap,
    body: Body,
    max: usize,
) -> Result<(Bytes, crate::budget::Lease), Ended> {
    if headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|encoding| encoding != "identity")
    {
        let told = wrong(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body is compressed; send it as it is",
        );
        return Err(("compressed", told));
    }
    if HttpBody::size_hint(&body).lower() > max as u64 {
        return Err(too_large());
    }
    let busy = || later("too many requests at once");
    let permit = http.hooks.bodies.enter(client.key(), share(client, BODIES_MAX));
    let permit = permit.ok_or_else(busy)?;
    let bounds = Bounds {
        max,
        grace: http.edge.limits.webhook_grace,
        pace: BODY_PACE,
    };
    let mut lease = http.edge.budgets.messages.lease();
    let mut reading = Reading::new(body, bounds);
    let evicted = permit.evicted();
    tokio::select! {
        read = reading.read(Some(&mut lease)) => read.map_err(unread)?,
        () = evicted.cancelled() => return Err(busy()),
    }
    Ok((reading.into_bytes(), lease))
}

async fn hand_over(
    session: &mut HookServiceClient<PeerService>,
    head: HookHead,
    body: Bytes,
) -> Result<HookAnswer, Ended> {
    let request = ReceiveHookRequest {
        head: Some(head),
        body: body.into(),
    };
    let received = session.receive_hook(request).await;
    let received = received.map_err(|status| failed(&status))?.into_inner();
    received
        .answer
        .ok_or_else(|| later("the gateway cannot take this in now"))
}

/// Whether a request shows a credential of the gateway: a hook must not be one, and the other way round.
fn shows_own(http: &Http, headers: &HeaderMap) -> bool {
    let Some(policy) = http.edge.policy() else {
        return false;
    };
    let shown = headers.get_all(TOKEN).iter();
    let shown = shown.filter_map(|value| Some(Secret::new(value.to_str().ok()?.trim())));
    bearer(headers)
        .into_iter()
        .chain(shown)
        .any(|secret| policy.credentials.known(&secret).is_some())
}

/// A header that the session service is shown.
fn shown((name, value): (&http::HeaderName, &HeaderValue)) -> Option<HookHeader> {
    Some(HookHeader {
        name: name.as_str().to_owned(),
        value: value.to_str().ok()?.to_owned(),
    })
    .filter(|header| header.name != header::COOKIE.as_str())
}

/// What the session service wants to be answered.
fn answered(http: &Http, login: Login, answer: HookAnswer) -> Ended {
    let HookAnswer {
        status,
        content_type,
        body,
        retry_after_seconds,
        guessed: is_guess,
    } = answer;
    let status = u16::try_from(status)
        .ok()
        .and_then(|status| StatusCode::from_u16(status).ok())
        .unwrap_or(StatusCode::BAD_GATEWAY);
    let mut response = respond(status, "application/json", body);
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(&content_type) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    if status == StatusCode::NO_CONTENT {
        headers.remove(header::CONTENT_TYPE);
    }
    if let Some(seconds) = retry_after_seconds {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if is_guess {
        return guessed(http, login, response);
    }
    if !status.is_success() {
        return ("refused", response); // also of who has shown nothing
    }
    http.hooks.guesses.succeeded(login, &GUESSES);
    ("taken", response)
}

/// What was shown is wrong: it is counted, and told as long as that is not too often.
fn guessed(http: &Http, login: Login, response: Response) -> Ended {
    let locked = http.hooks.guesses.lockout(login, &GUESSES);
    http.hooks.guesses.failed(login, &GUESSES);
    match locked {
        Some(lockout) => locked_out(lockout.wait),
        None => ("unauthenticated", response),
    }
}
