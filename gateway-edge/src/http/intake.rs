//! Takes the body of a request that is to become a call, and what the call holds until it is over.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, HttpBody},
    response::Response,
};
use bytes::Bytes;
use gatehouse_core::Kind;
use http::{HeaderMap, StatusCode, header};
use tokio::{sync::OwnedSemaphorePermit, time::sleep};
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{
    bearer::Known,
    body::{self, Bounds, Unread},
    context::Http,
    respond::{overloaded, refusal, refuse, too_large},
    socket::{Settled, Socket},
};
use crate::{
    budget::Lease,
    call::{self, Call, Payload},
    edge::Edge,
    error::Refusal,
    limits::payload_max,
};

/// Slower than this, after the grace, a body does not come in time: one megabit a second, the upload of a poor line.
const BODY_PACE: f64 = 128.0 * 1024.0;

/// A machine that slept does not tell its timers.
const LOOK_MAX: Duration = Duration::from_secs(30);

/// What a call holds while it is under way.
#[derive(Debug)]
pub(super) struct UnderWay {
    pub(super) lease: Lease,
    _permit: OwnedSemaphorePermit,
    _settled: Settled,
    /// The drain waits for it.
    _tracked: TaskTrackerToken,
}

impl UnderWay {
    /// Parameters of so many bytes are about to be read: what they become stands beside the text until that is read.
    pub(super) fn will_read(&mut self, bytes: usize) -> Result<(), Refusal> {
        self.lease.grow(Call::cost(bytes)).map_err(|_| no_memory())
    }

    /// The parameters have become a call, which costs what it costs until the service has it.
    pub(super) fn holds(&mut self, call: &Call) -> Result<(), Refusal> {
        self.lease
            .resize(Call::cost(call.bytes()))
            .map_err(|_| no_memory())
    }
}

/// Why no call was made.
pub(super) struct NotCalled {
    pub(super) status: Option<StatusCode>,
    pub(super) refusal: Refusal,
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
    pub(super) fn with(status: StatusCode, refusal: Refusal) -> Self {
        Self {
            status: Some(status),
            refusal,
        }
    }

    /// The answer that says so.
    pub(super) fn answer(self) -> Response {
        match self.status {
            Some(status) => refuse(status, &self.refusal),
            None => refusal(&self.refusal),
        }
    }
}

/// Reads the body, in memory that is leased until the call is made. `permit` takes the call's place among those under way.
pub(super) async fn take(
    http: &Http,
    socket: &Arc<Socket>,
    known: &Known,
    headers: &HeaderMap,
    body: Body,
    permit: impl FnOnce() -> Result<OwnedSemaphorePermit, Refusal>,
) -> Result<(Bytes, UnderWay), NotCalled> {
    let edge = &http.edge;
    if headers
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
    if HttpBody::size_hint(&body).lower() > bounds.max as u64 {
        return Err(NotCalled::with(
            StatusCode::PAYLOAD_TOO_LARGE,
            too_large(bounds.max),
        ));
    }
    let mut under_way = UnderWay {
        lease: edge.budgets.messages.lease(),
        _permit: permit()?,
        _settled: socket.settled().ok_or_else(overloaded)?,
        _tracked: edge.requests.token(),
    };
    let body = body::read(body, &bounds, Some(&mut under_way.lease)).await;
    let body = body.map_err(|unread| not_read(unread, bounds.max))?;
    Ok((body, under_way))
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

/// The bytes of a payload, in memory that is leased until the client has them.
pub(super) fn counted(edge: &Edge, socket: &Arc<Socket>, payload: Payload) -> Result<Bytes, Refusal> {
    counted_bytes(edge, socket, payload.bytes)
}

/// The same of bytes that are no payload.
pub(super) fn counted_bytes(edge: &Edge, socket: &Arc<Socket>, bytes: Bytes) -> Result<Bytes, Refusal> {
    let mut lease = edge.budgets.waiting.lease();
    lease.grow(bytes.len()).map_err(|_| {
        call::busy(
            "GATEWAY_BUSY",
            "the gateway is busy: answers that nobody has read take too much memory",
        )
    })?;
    Ok(socket.counted(bytes, lease))
}

/// Ends when the caller may not do any more what the call was made for: its credential was taken out, narrowed, or is over its
/// time.
pub(super) async fn revoked(edge: &Edge, known: &Known) {
    let mut policy = edge.policy.clone();
    while edge.still_allows(&known.identity, &known.grants) {
        // The time of day can be set: what is over is noticed within the longest of these waits.
        let left = known.identity.expires_in(edge.clock.now()).unwrap_or(LOOK_MAX);
        tokio::select! {
            changed = policy.changed() => if changed.is_err() { std::future::pending().await },
            () = sleep(left.min(LOOK_MAX)) => (),
        }
    }
}

pub(super) fn auth_changed() -> Refusal {
    let message = "the gateway token or its scopes changed; ask again with what is good now";
    Refusal::new(Kind::Unauthenticated, message).detail("code", "AUTH_CHANGED")
}
