//! From a frame to a method and back. Everything about a method comes from its contract; none has a line of its own here.
//!
//! A request is parsed, authorised, looked up, transcoded, sent and answered, in this order. The authorisation comes before
//! the lookup: who may not call everything is not told which names exist.

use std::sync::{
    Arc,
    atomic::Ordering::{Acquire, Relaxed},
};

use bytes::Bytes;
use gatehouse_contract::{Access, Action, Method, Refuse, Role, UnknownFields};
use gatehouse_core::{Caller, Chain, Failure, Kind, Service};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::{task::spawn_blocking, time::Instant};

use crate::{
    backend::{self, Answer, large},
    budget::Lease,
    connection::{Connection, Profile, inbound::Taken},
    dialect::Dialect,
    edge::Edge,
    error::{Refusal, answer},
    hub::field,
    metrics::{Metrics, RequestLabels},
};

/// Longest id that is repeated; the clients' are 40 bytes.
const ID_MAX: usize = 256;

/// Longest trace context (W3C: 55 bytes; the protocol's schema allows 128).
const TRACEPARENT_MAX: usize = 128;

/// Largest message that is parsed where it is read: some 50 us.
const INLINE_MAX: usize = 16 * 1024;

/// Larger messages that are parsed at once. One costs up to three times its size for a moment, and with more of them the
/// processors would have no time for small ones.
pub(crate) const PARSERS_MAX: usize = 1;

/// What a request costs beside its body: its task, its place in the channel, the names of its caller.
const REQUEST_COST: usize = 2 * 1024;

/// What a client that asks too much is told to wait.
const BUSY_RETRY: std::time::Duration = std::time::Duration::from_millis(250);

/// What a client is told to wait whose request came too late: a restart takes about as long (protocol.md of v4: 1000).
const STOPPING_RETRY: std::time::Duration = std::time::Duration::from_secs(1);

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
}

/// Takes in a message of a known caller.
///
/// A large one is parsed beside the runtime: it takes tens of milliseconds, in which nobody else would get a word.
pub(crate) async fn take(edge: &Arc<Edge>, connection: &Arc<Connection>, text: String) -> Taken {
    let Some(profile) = connection.profile.get() else {
        return Taken::Done;
    };
    if text.len() <= INLINE_MAX {
        return parse(edge, connection, profile, &text);
    }
    let Ok(_place) = edge.parsers.acquire().await else {
        return Taken::Done;
    };
    let parsing = {
        let (edge, connection) = (Arc::clone(edge), Arc::clone(connection));
        spawn_blocking(move || match connection.profile.get() {
            Some(profile) => parse(&edge, &connection, profile, &text),
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
                count(&edge.metrics, label(edge, &request.method), refusal.code, None);
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
            let loose = serde_json::from_str::<Loose<'_>>(text)
                .ok()
                .and_then(|loose| loose.id);
            let id = loose.and_then(|id| serde_json::from_str::<String>(id.get()).ok());
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
        return Err(
            Refusal::invalid("already connected: connect comes once, as the first frame")
                .detail("code", "ALREADY_CONNECTED"),
        );
    }
    // Noted before anything else is asked: what a call changes is often heard of before it is answered, and then this is what
    // keeps the connection until the answer is sent.
    let of_config = edge
        .contract
        .method(&request.method)
        .and_then(|method| backend::service_of(method))
        == Some(Service::Config);
    let config_call = of_config.then(|| edge.config_calls.begin(connection.number));
    if connection.revoked.load(Acquire) {
        let refusal = Refusal::new(
            "FORBIDDEN",
            "the gateway token or its scopes changed; connect again",
        );
        return Err(refusal.detail("code", "AUTH_CHANGED"));
    }
    let method = authorise(edge, profile, &request.method)?;
    if edge.drain.is_requested() && !method.reads {
        return Err(Refusal::unavailable("gateway stopping", STOPPING_RETRY).detail("reason", "STOPPING"));
    }
    let params = request.params.map_or("{}", RawValue::get);
    let encoded = match profile.dialect {
        Dialect::V4 => {
            let mut counted = Counted {
                metrics: &edge.metrics,
                method: &method.name,
            };
            method.request.encode(params, &mut counted)
        }
        Dialect::Plain => method.request.encode(params, &mut Refuse),
    };
    let body = encoded.map_err(|error| {
        let failure = Failure::new(Kind::Invalid, format!("invalid {} params: {error}", method.name));
        Refusal::from(failure.reason("PARAMS_INVALID").path(error.path))
    })?;
    let ticket = Ticket::take(edge, connection, method.long_wait, body.len())?;
    let caller = Caller {
        role: profile.grants.role().as_str().to_owned(),
        scopes: profile.grants.scopes().map(str::to_owned).collect(),
        connection_id: connection.id.to_string(),
        client_id: profile.client.id.to_string(),
        device_id: profile.identity.device.as_deref().map(str::to_owned),
        traceparent: request
            .traceparent
            .clone()
            .filter(|text| text.len() <= TRACEPARENT_MAX),
    };
    let id = request.id.clone();
    edge.requests.spawn({
        let edge = Arc::clone(edge);
        async move {
            ticket.run(&edge, method, &id, body.into(), &caller).await;
            drop(config_call);
        }
    });
    Ok(())
}

/// The method, if this caller may call it.
fn authorise(edge: &Edge, profile: &Profile, name: &str) -> Result<&'static Method, Refusal> {
    let method = edge
        .contract
        .method(name)
        .map(AsRef::as_ref)
        .filter(|method: &&Method| method.access != Access::Internal);
    // A name that nobody knows asks for the most, so that guessing names tells nothing.
    let access = method.map_or(Access::Admin, |method| method.access);
    if !access.allows(&profile.grants) {
        return Err(match (access.required_scope(), profile.grants.role()) {
            (Some(scope), Role::Operator) => Refusal::missing_scope(scope),
            (_, role) => Refusal::new(
                "FORBIDDEN",
                format!("unauthorized role: {role}", role = role.as_str()),
            )
            .detail("code", "WRONG_ROLE")
            .detail(
                "requiredRole",
                if access == Access::Node {
                    "node"
                } else {
                    "operator"
                },
            ),
        });
    }
    method.ok_or_else(|| {
        let shown: String = name.chars().take(120).collect();
        Refusal::unknown_method(&shown)
    })
}

/// Counts unknown parameters and lets them pass: real clients send fields that no published schema has.
struct Counted<'a> {
    metrics: &'a Metrics,
    method: &'a str,
}

impl UnknownFields for Counted<'_> {
    fn unknown(&mut self, path: &str) -> bool {
        self.metrics.unknown_field(self.method, path);
        false
    }
}

/// A request's place among those that a connection may have under way.
struct Ticket {
    connection: Arc<Connection>,
    /// A long wait takes none of the places of short calls.
    wait: bool,
    bytes: usize,
    /// The memory of the request, until the service has it.
    lease: Lease,
    since: Instant,
    /// Whether it still counts among those that are under way.
    counts: bool,
}

impl Ticket {
    fn take(edge: &Edge, connection: &Arc<Connection>, wait: bool, bytes: usize) -> Result<Self, Refusal> {
        let count = connection.under_way(wait).fetch_add(1, Relaxed) + 1;
        let held = connection.in_flight_bytes.fetch_add(bytes, Relaxed) + bytes;
        let mut ticket = Self {
            connection: Arc::clone(connection),
            wait,
            bytes,
            lease: edge.budgets.messages.lease(),
            since: Instant::now(),
            counts: true,
        };
        // It may be sent again after a lost connection, so it is kept beside what is being sent.
        if ticket.lease.grow(2 * bytes + REQUEST_COST).is_err() {
            let message = "the gateway is busy: the requests under way take too much memory";
            return Err(Refusal::unavailable(message, BUSY_RETRY).detail("reason", "GATEWAY_BUSY"));
        }
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
        let busy = Refusal::unavailable(format!("the connection is busy: {why}"), BUSY_RETRY);
        Err(busy.detail("reason", "CONNECTION_BUSY"))
    }

    /// Gives back the request's bytes: the service has it.
    fn taken_in(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.connection.in_flight_bytes.fetch_sub(bytes, Relaxed);
        self.lease.shrink_to(REQUEST_COST);
    }

    /// The request is under way no longer.
    fn leave(&mut self) {
        if std::mem::take(&mut self.counts) {
            self.taken_in();
            self.connection.under_way(self.wait).fetch_sub(1, Relaxed);
        }
    }

    async fn run(mut self, edge: &Edge, method: &'static Method, id: &str, body: Bytes, caller: &Caller) {
        let connection = Arc::clone(&self.connection);
        let work = async {
            match edge
                .backend
                .call(method, body, caller, &connection.large_answers)
                .await
            {
                Ok(Answer::One(wire, place)) => {
                    let frame = self.show(method, id, wire).await;
                    self.finish(edge, method, id, frame);
                    drop(place); // the answer is in the outbox
                }
                Ok(Answer::Many(first, mut stream)) => {
                    self.taken_in();
                    let mut next = Ok(first);
                    loop {
                        match next {
                            Ok(Some(wire)) => match self.show(method, id, wire).await {
                                Ok(frame) => connection.send(frame),
                                Err(refusal) => return self.finish(edge, method, id, Err(refusal)),
                            },
                            Ok(None) => return count(&edge.metrics, &method.name, "OK", Some(self.since)),
                            Err(status) => {
                                return self.finish(edge, method, id, Err(backend::refusal(method, &status)));
                            }
                        }
                        next = stream.message().await;
                    }
                }
                Err(refusal) => self.finish(edge, method, id, Err(refusal)),
            }
        };
        tokio::select! {
            () = work => (),
            // Nobody is left to hear the answer; the service sees the call cancelled.
            () = connection.gone.cancelled() => (),
        }
    }

    /// The frame for one answer, and what a subscription does to the connection.
    async fn show(&self, method: &'static Method, id: &str, wire: Bytes) -> Result<Bytes, Refusal> {
        let frame = if wire.len() <= large::SMALL_MAX {
            render(method, id, &wire)?
        } else {
            // Beside the runtime, like large messages.
            let (id, wire) = (id.to_owned(), wire.clone());
            let rendering = spawn_blocking(move || render(method, &id, &wire));
            rendering.await.unwrap_or_else(|_| Err(internal()))?
        };
        self.subscribe(method, &wire)?;
        Ok(frame)
    }

    fn subscribe(&self, method: &Method, wire: &[u8]) -> Result<(), Refusal> {
        let Some(subscription) = &method.subscription else {
            return Ok(());
        };
        let topic = match &subscription.key_field {
            Some(field) => {
                let key = method.response.string_field(wire, field).unwrap_or_default();
                format!("{}/{key}", subscription.topic)
            }
            None => subscription.topic.clone(),
        };
        match subscription.action {
            Action::Add => {
                let full = || Failure::new(Kind::Exhausted, "the connection listens to too many things");
                let listens = self.connection.listen(topic);
                listens
                    .then_some(())
                    .ok_or_else(|| full().reason("TOO_MANY_SUBSCRIPTIONS").into())
            }
            Action::Remove => {
                self.connection.ignore(&topic);
                Ok(())
            }
        }
    }

    fn finish(&mut self, edge: &Edge, method: &Method, id: &str, frame: Result<Bytes, Refusal>) {
        let (code, frame) = match frame {
            Ok(frame) => ("OK", frame),
            Err(refusal) => (refusal.code, refusal.answer(id)),
        };
        count(&edge.metrics, &method.name, code, Some(self.since));
        // Before the answer: a client that waits for it may ask again before this task has ended, and has waited all the same.
        self.leave();
        self.connection.send(frame);
    }
}

/// The frame for one answer.
fn render(method: &Method, id: &str, wire: &[u8]) -> Result<Bytes, Refusal> {
    let mut payload = Vec::with_capacity(wire.len() * 2 + 64);
    if let Err(error) = method.response.render(wire, &mut payload) {
        tracing::error!(rpc.method = method.name, error = %Chain(&error), "an answer cannot be shown");
        return Err(internal());
    }
    let whole = method.unwrap.as_deref().and_then(|name| field(&payload, name));
    Ok(answer(id, whole.as_deref().unwrap_or(&payload)))
}

fn internal() -> Refusal {
    Refusal::from(Failure::new(Kind::Internal, "internal failure"))
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The method's name as a label: only names of the contract, so that invented ones do not grow the metrics.
fn label<'a>(edge: &Edge, name: &'a str) -> &'a str {
    if edge.contract.method(name).is_some() {
        name
    } else {
        "unknown"
    }
}

fn count(metrics: &Metrics, method: &str, code: &'static str, since: Option<Instant>) {
    metrics
        .requests
        .get_or_create(&RequestLabels {
            method: method.to_owned(),
            code,
        })
        .inc();
    if let Some(since) = since {
        metrics.request_seconds.observe(since.elapsed().as_secs_f64());
    }
}
