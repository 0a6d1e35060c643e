//! `POST /rpc/<method>`: any method of the contract for whoever has a token and no WebSocket.
//!
//! The body is the parameters, the answer is the payload. A method that answers more than once is answered with its last payload,
//! or as an event stream when `Accept` asks for one. What is under way is bounded for all these callers together, as it is for one
//! connection; a client that goes away takes its call with it.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    body::{Body, HttpBody},
    extract::{Request, State},
    response::Response,
};
use gatehouse_contract::Change;
use gatehouse_core::{Kind, trace};
use http::{HeaderMap, StatusCode, header, request::Parts};
use tokio::{sync::OwnedSemaphorePermit, time::sleep};
use tokio_util::task::task_tracker::TaskTrackerToken;

use self::events::Events;
use super::{
    bearer::Known,
    body::{self, Bounds, Unread},
    context::Http,
    respond::{overloaded, refusal, refuse, respond, too_large},
    socket::{Settled, Socket},
};
use crate::{
    budget::Lease,
    call::{self, CALL_COST, Call, Envelope, Payload},
    edge::Edge,
    error::Refusal,
    limits::payload_max,
};

mod events;
mod params;

/// Slower than this, after the grace, a body does not come in time: one megabit a second, the upload of a poor line.
const BODY_PACE: f64 = 128.0 * 1024.0;

/// A machine that slept does not tell its timers.
const LOOK_MAX: Duration = Duration::from_secs(30);

/// What a call holds while it is under way.
#[derive(Debug)]
struct UnderWay {
    lease: Lease,
    _permit: OwnedSemaphorePermit,
    _settled: Settled,
    /// The drain waits for it.
    _tracked: TaskTrackerToken,
}

/// Why no call was made.
struct NotCalled {
    status: Option<StatusCode>,
    refusal: Refusal,
}

impl From<Refusal> for NotCalled {
    fn from(refusal: Refusal) -> Self {
        Self {
            status: None,
            refusal,
        }
    }
}

impl NotCalled {
    /// With a status that only HTTP has.
    fn with(status: StatusCode, refusal: Refusal) -> Self {
        Self {
            status: Some(status),
            refusal,
        }
    }
}

/// Answers a request whose sender is known.
pub(super) async fn serve(
    State(http): State<Arc<Http>>,
    Extension(socket): Extension<Arc<Socket>>,
    Extension(known): Extension<Arc<Known>>,
    request: Request,
) -> Response {
    let (parts, mut body) = request.into_parts();
    let name = parts.uri.path().strip_prefix("/rpc/").unwrap_or_default();
    match prepare(&http, &socket, &known, name, &parts, &mut body).await {
        Ok((call, under_way)) => {
            let name = format!("http/{}", known.client.key());
            let caller = call::caller_by_http(&known.grants, name, &known.identity);
            let given = parts.headers.get(trace::TRACEPARENT);
            let trace = trace::Context::continued(given.and_then(|value| value.to_str().ok()));
            let request = Requested {
                http,
                socket,
                known,
                caller,
                trace,
            };
            request
                .run(call, under_way, accepts_events(&parts.headers))
                .await
                .unwrap_or_else(|refused| refusal(&refused))
        }
        Err(NotCalled {
            status,
            refusal: refused,
        }) => {
            call::refused(&http.edge, name, &refused);
            body::discard(&parts.headers, body).await;
            match status {
                Some(status) => refuse(status, &refused),
                None => refusal(&refused),
            }
        }
    }
}

/// Everything that is checked before the service hears of the call. The body is read last.
async fn prepare(
    http: &Http,
    socket: &Arc<Socket>,
    known: &Known,
    name: &str,
    parts: &Parts,
    body: &mut Body,
) -> Result<(Call, UnderWay), NotCalled> {
    let edge = &http.edge;
    let method = call::authorise(edge, &known.grants, &known.identity, name)?;
    if method.subscription.is_some() {
        return Err(needs_connection(&method.name).into());
    }
    if parts
        .headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|encoding| encoding != "identity")
    {
        let told =
            Refusal::invalid("the body is compressed; send it as it is").detail("code", "BODY_ENCODED");
        return Err(NotCalled::with(StatusCode::UNSUPPORTED_MEDIA_TYPE, told));
    }
    let bounds = Bounds {
        max: payload_max(&known.grants),
        grace: edge.limits.webhook_grace,
        pace: BODY_PACE,
    };
    if HttpBody::size_hint(body).lower() > bounds.max as u64 {
        return Err(NotCalled::with(
            StatusCode::PAYLOAD_TOO_LARGE,
            too_large(bounds.max),
        ));
    }
    let mut under_way = UnderWay {
        lease: edge.budgets.messages.lease(),
        _permit: http.calls.enter(&method)?,
        _settled: socket.settled().ok_or_else(overloaded)?,
        _tracked: edge.requests.token(),
    };
    let lease = &mut under_way.lease;
    let body = body::read(body, &bounds, Some(lease)).await;
    let body = body.map_err(|unread| not_read(unread, bounds.max))?;
    let params = params::of(&method, &parts.headers, body.into())?;
    // Beside the text, until that is read.
    lease.grow(Call::cost(params.len())).map_err(|_| no_memory())?;
    let call = Call::encode_owned(edge, method, params).await?;
    lease.resize(Call::cost(call.bytes())).map_err(|_| no_memory())?;
    Ok((call, under_way))
}

fn needs_connection(name: &str) -> Refusal {
    let message = format!(
        "{name} changes what a connection is sent, and an HTTP request has none; connect a WebSocket to /ws and call it there"
    );
    Refusal::invalid(message).detail("code", "CONNECTION_REQUIRED")
}

fn not_read(unread: Unread, max: usize) -> NotCalled {
    match unread {
        Unread::TooLarge => NotCalled::with(StatusCode::PAYLOAD_TOO_LARGE, too_large(max)),
        Unread::Cut => Refusal::invalid("the body was cut")
            .detail("code", "BODY_CUT")
            .into(),
        Unread::TooSlow => {
            let told = Refusal::invalid("the body did not come in time").detail("code", "BODY_TOO_SLOW");
            NotCalled::with(StatusCode::REQUEST_TIMEOUT, told)
        }
        Unread::NoMemory => no_memory().into(),
    }
}

fn no_memory() -> Refusal {
    call::busy(
        "GATEWAY_BUSY",
        "the gateway is busy: the requests under way take too much memory",
    )
}

/// Whether the answers may come as events.
fn accepts_events(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// A request whose call is about to be made.
struct Requested {
    http: Arc<Http>,
    socket: Arc<Socket>,
    known: Arc<Known>,
    caller: gatehouse_core::Caller,
    trace: trace::Context,
}

impl Requested {
    async fn run(self, call: Call, mut under_way: UnderWay, events: bool) -> Result<Response, Refusal> {
        let Self {
            http,
            socket,
            known,
            caller,
            trace,
        } = self;
        let method = Arc::clone(&call.method);
        let name = method.name.clone();
        let subscribe = move |_: Change| Err(needs_connection(&name));
        let mut answers = call.start(
            Arc::clone(&http.edge),
            caller,
            trace,
            Envelope::default(),
            subscribe,
        );
        let turns = Arc::clone(&http.calls.large_answers);
        if events && method.streaming {
            let first = answers.next(&turns).await.transpose()?;
            under_way.lease.shrink_to(CALL_COST);
            let events = Events::new(http, socket, known, first, answers.stream(turns), under_way);
            return Ok(respond(StatusCode::OK, "text/event-stream", events.body()));
        }
        let last = async {
            let mut last = None;
            while let Some(next) = answers.next(&turns).await {
                last = Some(next?);
                under_way.lease.shrink_to(CALL_COST);
            }
            last.ok_or_else(call::internal)
        };
        let payload = tokio::select! {
            last = last => last?,
            // A short call is answered all the same: it may be the one that changed the token.
            () = revoked(&http.edge, &known), if method.long_wait => return Err(auth_changed()),
        };
        let body = counted(&http.edge, &socket, payload)?;
        Ok(respond(StatusCode::OK, "application/json", body))
    }
}

/// The bytes of a payload, in memory that is leased until the client has them.
fn counted(edge: &Edge, socket: &Arc<Socket>, payload: Payload) -> Result<bytes::Bytes, Refusal> {
    let mut lease = edge.budgets.waiting.lease();
    lease.grow(payload.bytes.len()).map_err(|_| {
        call::busy(
            "GATEWAY_BUSY",
            "the gateway is busy: answers that nobody has read take too much memory",
        )
    })?;
    Ok(socket.counted(payload.bytes, lease))
}

/// Ends when the caller may not do any more what the call was made for: its credential was taken out, narrowed, or is over its
/// time.
async fn revoked(edge: &Edge, known: &Known) {
    let mut policy = edge.policy.clone();
    while edge.still_allows(&known.identity, &known.grants) {
        // The time of day can be set: what is over is noticed within the longest of these waits.
        let left = known.identity.expires_in(edge.clock.now_ms()).unwrap_or(LOOK_MAX);
        tokio::select! {
            changed = policy.changed() => if changed.is_err() { std::future::pending().await },
            () = sleep(left.min(LOOK_MAX)) => (),
        }
    }
}

fn auth_changed() -> Refusal {
    let message = "the gateway token or its scopes changed; ask again with what is good now";
    Refusal::new(Kind::Unauthenticated, message).detail("code", "AUTH_CHANGED")
}
