//! From a frame to a call and back: what a connection sends is parsed, counted among what it has under way, handed to
//! [`crate::call`], and answered under the request's id.

use std::sync::{
    Arc,
    atomic::Ordering::{Acquire, Relaxed},
};

use gatehouse_contract::{Change, Identity};
use gatehouse_core::{Failure, Kind};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::task::spawn_blocking;

use crate::{
    budget::Lease,
    call::{self, Answers, CALL_COST, Call, Envelope, INLINE_MAX, Unknown},
    connection::{
        Connection,
        inbound::{Taken, Text},
    },
    dialect::Dialect,
    edge::Edge,
    error::Refusal,
    profile::Profile,
    step,
};

/// Longest id that is repeated; the clients' are 40 bytes.
const ID_MAX: usize = 256;

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    id: String,
    method: String,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(default)]
    traceparent: Option<String>,
}

/// The id of a frame that is no request, if it has one.
#[derive(Deserialize)]
struct Loose<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(default)]
    method: Option<serde_json::Value>,
}

/// Takes in a message of a known caller.
///
/// A large one is parsed beside the runtime: it takes tens of milliseconds, in which nobody else would get a word.
///
/// The memory of a message is given back with its text: what is to be sent of it then is leased by its request.
pub(crate) async fn take(edge: &Arc<Edge>, connection: &Arc<Connection>, message: Text) -> Taken {
    let Some(profile) = connection.profile.get() else {
        return Taken::Done;
    };
    if message.text.len() <= INLINE_MAX {
        return parse(edge, connection, profile, &message.text);
    }
    let Ok(_place) = edge.parsers.acquire().await else {
        return Taken::Done;
    };
    let parsing = {
        let (edge, connection) = (Arc::clone(edge), Arc::clone(connection));
        spawn_blocking(move || match connection.profile.get() {
            Some(profile) => parse(&edge, &connection, profile, &message.text),
            None => Taken::Done,
        })
    };
    parsing.await.unwrap_or(Taken::Done)
}

fn parse(edge: &Arc<Edge>, connection: &Arc<Connection>, profile: &Profile, text: &str) -> Taken {
    match read(edge, connection, profile, text) {
        Some(request) => match start(edge, connection, profile, &request) {
            Ok(()) => Taken::Begun,
            Err(refusal) => {
                call::refused(edge, &request.method, &refusal);
                connection.send(refusal.answer(&request.id));
                Taken::Done
            }
        },
        None => Taken::Done,
    }
}

/// The request, unless the text is none; then that is answered.
fn read<'t>(edge: &Edge, connection: &Connection, profile: &Profile, text: &'t str) -> Option<Request<'t>> {
    let refuse = |id: Option<&str>| {
        refuse_frame(connection, id);
        None
    };
    let request = match serde_json::from_str::<Request<'_>>(text) {
        Ok(request) if is_request(&request, profile) => request,
        Ok(Request { id, .. }) => return refuse(Some(&id)),
        Err(_) => {
            if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
                edge.metrics.garbage.inc();
                return None;
            }
            let Ok(Loose { id, method }) = serde_json::from_str(text) else {
                return refuse(None);
            };
            // The plain `connect` has no id, so neither has what refuses it.
            if id.is_none() && profile.dialect == Dialect::Plain && method.is_some_and(|m| m == "connect") {
                connection.send(already_connected().flat());
                return None;
            }
            let id = id.and_then(|id| serde_json::from_str::<String>(id.get()).ok());
            return refuse(id.as_deref());
        }
    };
    Some(request)
}

fn is_request(request: &Request<'_>, profile: &Profile) -> bool {
    let kind = match profile.dialect {
        Dialect::V4 => request.kind.as_deref() == Some("req"),
        Dialect::Plain => request.kind.as_deref().is_none_or(|kind| kind == "req"),
    };
    kind && !request.id.is_empty() && request.id.len() <= ID_MAX && !request.method.is_empty()
}

fn already_connected() -> Refusal {
    Refusal::invalid("connect is only valid as the first request").detail("code", "ALREADY_CONNECTED")
}

fn refuse_frame(connection: &Connection, id: Option<&str>) {
    let id = id
        .filter(|id| !id.is_empty() && id.len() <= ID_MAX)
        .unwrap_or("invalid");
    connection.send(
        Refusal::invalid("invalid request frame")
            .detail("code", "FRAME_INVALID")
            .answer(id),
    );
}

fn start(
    edge: &Arc<Edge>,
    connection: &Arc<Connection>,
    profile: &Profile,
    request: &Request<'_>,
) -> Result<(), Refusal> {
    if request.method == "connect" {
        return Err(already_connected());
    }
    // Noted before anything else is asked: what a call changes is often heard of before it is answered, and then this is what
    // keeps the connection until the answer is sent.
    let of_config = edge
        .map()
        .method(&request.method)
        .is_some_and(|method| method.is_served_by(Identity::Config));
    let config_call = of_config.then(|| edge.config_calls.begin(connection.number));
    if connection.revoked.load(Acquire) {
        let message = "the gateway token or its scopes changed; connect again";
        return Err(Refusal::new(Kind::Forbidden, message).detail("code", "AUTH_CHANGED"));
    }
    let method = call::authorise(edge, &profile.grants, &profile.identity, &request.method)?;
    let params = request.params.map_or("{}", RawValue::get);
    let unknown = match profile.dialect {
        Dialect::V4 => Unknown::Count,
        Dialect::Plain => Unknown::Refuse,
    };
    let lease = lease(edge, params)?;
    let call = Call::encode(edge, method, params, unknown)?;
    let ticket = Ticket::take(edge, connection, &call, lease)?;
    let caller = call::caller(&connection.id, profile);
    let given = request.traceparent.as_deref();
    let step = step::of_frame(given, &profile.grants, &request.method);
    let (subscriber, hub) = (Arc::clone(connection), Arc::clone(edge));
    let subscribe = move |change| apply(&hub, &subscriber, change);
    let answers = call.start(Arc::clone(edge), caller, step, envelope(&request.id), subscribe);
    let id = request.id.clone();
    edge.requests.spawn(async move {
        ticket.run(answers, &id).await;
        drop(config_call);
    });
    Ok(())
}

/// Memory for a request, before its parameters are read: that takes as much as keeping it does afterwards.
fn lease(edge: &Edge, params: &str) -> Result<Lease, Refusal> {
    let mut lease = edge.budgets.messages.lease();
    lease
        .grow(Call::cost(params.len()))
        .map_err(|_| too_much_memory())?;
    Ok(lease)
}

fn too_much_memory() -> Refusal {
    let message = "the gateway is busy: the requests under way take too much memory";
    call::busy("GATEWAY_BUSY", message)
}

/// The frame that answers a request, without its payload.
fn envelope(id: &str) -> Envelope {
    let id = serde_json::Value::from(id);
    Envelope {
        head: format!(r#"{{"type":"res","id":{id},"ok":true,"payload":"#).into_bytes(),
        tail: b"}",
    }
}

/// Changes what a connection listens to, or looks at.
fn apply(edge: &Edge, connection: &Connection, change: Change) -> Result<(), Refusal> {
    let subscribed = match change {
        Change::Add(topic) => connection.subscribe(topic),
        Change::Remove(topic) => {
            connection.unsubscribe(&topic);
            true
        }
        Change::Watch(instances) => {
            if connection.watch(instances) {
                edge.hub.changed.notify_one();
            }
            true
        }
    };
    subscribed.then_some(()).ok_or_else(|| {
        let full = Failure::new(Kind::Exhausted, "the connection has too many subscriptions");
        full.reason("TOO_MANY_SUBSCRIPTIONS").into()
    })
}

/// A request's place among those that a connection may have under way.
struct Ticket {
    connection: Arc<Connection>,
    /// A long wait takes none of the places of short calls.
    wait: bool,
    bytes: usize,
    /// The memory of the request, until the service has it.
    lease: Lease,
    /// Whether it still counts among those that are under way.
    counts: bool,
}

impl Ticket {
    fn take(edge: &Edge, connection: &Arc<Connection>, call: &Call, lease: Lease) -> Result<Self, Refusal> {
        let (wait, bytes) = (call.method.long_wait, call.bytes());
        let count = connection.under_way(wait).fetch_add(1, Relaxed) + 1;
        let held = connection.in_flight_bytes.fetch_add(bytes, Relaxed) + bytes;
        let mut ticket = Self {
            connection: Arc::clone(connection),
            wait,
            bytes,
            lease,
            counts: true,
        };
        let cost = Call::cost(bytes);
        ticket.lease.resize(cost).map_err(|_| too_much_memory())?;
        let (count_max, what) = if wait {
            (edge.limits.waits_max, "long waits")
        } else {
            (edge.limits.requests_max, "requests")
        };
        let why = if count > count_max {
            format!("{count_max} {what} are under way")
        } else if held > edge.limits.request_bytes_max {
            format!(
                "requests of {} bytes are under way",
                edge.limits.request_bytes_max
            )
        } else {
            return Ok(ticket);
        };
        Err(call::busy(
            "CONNECTION_BUSY",
            format!("the connection is busy: {why}"),
        ))
    }

    /// Gives back the request's bytes: the service has it.
    fn taken_in(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.connection.in_flight_bytes.fetch_sub(bytes, Relaxed);
        self.lease.shrink_to(CALL_COST);
    }

    /// The request is under way no longer.
    fn leave(&mut self) {
        if std::mem::take(&mut self.counts) {
            self.taken_in();
            self.connection.under_way(self.wait).fetch_sub(1, Relaxed);
        }
    }

    async fn run<S>(mut self, mut answers: Answers<S>, id: &str)
    where
        S: Fn(Change) -> Result<(), Refusal>,
    {
        let connection = Arc::clone(&self.connection);
        let work = async {
            while let Some(next) = answers.next(&connection.large_answers).await {
                match next {
                    // Before the answer: a client that waits for it may ask again before this task has ended, and has waited
                    // all the same.
                    Ok(payload) if payload.last => {
                        self.leave();
                        connection.send(payload.bytes);
                    }
                    Ok(payload) => {
                        self.taken_in();
                        connection.send(payload.bytes);
                    }
                    Err(refusal) => {
                        self.leave();
                        connection.send(refusal.answer(id));
                    }
                }
            }
        };
        tokio::select! {
            () = work => (),
            // Nobody is left to hear the answer; the service sees the call cancelled.
            () = connection.gone.cancelled() => (),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.leave();
    }
}
