//! One call of a method, by whatever way it was asked for: looked up, authorised, encoded, sent within its deadline, its answers
//! rendered and counted. Everything about a method comes from its contract; none has a line of its own here.
//!
//! A call knows no socket. Who makes it brings the caller and what stands around a payload, takes the answers one by one, and does
//! what a subscription asks for: a connection listens from then on, and who has no connection says so before the call is made.
//!
//! A name that nobody serves is told as that, whoever asks: clients that know more methods than a gateway has fall back by it, and
//! "missing scope" would send a person to look for rights that change nothing. Which names exist is no secret (docs/methods.md).

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{Stream, stream};
use gatehouse_contract::{Access, BackendId, Change, Grants, Method, PluginId, Refuse, Role, UnknownFields};
use gatehouse_core::{
    Caller, Chain, Failure, Kind,
    trace::{self, Span},
};
use tokio::{sync::Semaphore, task::spawn_blocking, time::Instant};
use tonic::Streaming;

use crate::{
    auth::Identity,
    backend::{
        self, Answer,
        large::{self, Held},
    },
    edge::Edge,
    error::Refusal,
    hub::field,
    metrics::{MethodLabel, Metrics, RequestLabels},
    plugins,
    profile::Profile,
};

/// Largest parameters that are read where they are: some 50 us.
pub(crate) const INLINE_MAX: usize = 16 * 1024;

/// Larger ones that are read at once. One costs up to twice its size for a moment, and with more of them the processors
/// would have no time for small ones.
pub(crate) const PARSERS_MAX: usize = 1;

/// What a call costs beside its body: its task, its place in the channel, the names of its caller.
pub(crate) const CALL_COST: usize = 2 * 1024;

/// What a client is told to wait whose request came too late: a restart takes about as long (protocol.md of v4: 1000).
const STOPPING_RETRY: Duration = Duration::from_secs(1);

/// What a caller that asks too much is told to wait.
const BUSY_RETRY: Duration = Duration::from_millis(250);

/// Longest part of an unknown name that is repeated.
const NAME_SHOWN_MAX: usize = 120;

/// The method of this name, if there is one and this caller may call it now.
pub(crate) fn authorise(
    edge: &Edge,
    grants: &Grants,
    holder: &Identity,
    name: &str,
) -> Result<Arc<Method>, Refusal> {
    let map = edge.map();
    let method = map.method(name).ok_or_else(|| {
        let shown: String = name.chars().take(NAME_SHOWN_MAX).collect();
        Refusal::unknown_method(&shown)
    })?;
    // A plugin that calls what it has taken over means the gateway's own: it would call itself.
    let method = match (&method.backend, plugins::of(holder)) {
        (Some(BackendId::Plugin(serving)), Some(calling)) if *serving == calling => {
            map.original(name).unwrap_or(method)
        }
        _ => method,
    };
    if !method.access.allows(grants) {
        return Err(not_allowed(method.access, grants.role(), holder));
    }
    if edge.drain.is_requested() && !method.reads {
        return Err(Refusal::unavailable("gateway stopping", STOPPING_RETRY).detail("reason", "STOPPING"));
    }
    Ok(Arc::clone(method))
}

fn not_allowed(access: Access, role: Role, holder: &Identity) -> Refusal {
    if let (Some(scope), Role::Operator) = (access.required_scope(), role) {
        // Where the scope is granted depends on whose credential it is.
        let refusal = Refusal::missing_scope(scope);
        return match (holder.user_id(), holder.device.as_deref()) {
            (Some(user), _) => refusal.detail("userId", user.as_ref()),
            (None, Some(device)) => refusal.detail("deviceId", device),
            (None, None) => refusal,
        };
    }
    let required = if access == Access::Node {
        Role::Node
    } else {
        Role::Operator
    };
    let message = format!("unauthorized role: {}", role.as_str());
    Refusal::new(Kind::Forbidden, message)
        .detail("code", "WRONG_ROLE")
        .detail("requiredRole", required.as_str())
}

/// Who stands behind a call, as services are told.
pub(crate) fn caller(connection_id: &str, profile: &Profile) -> Caller {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Caller {
        role: profile.grants.role().as_str().to_owned(),
        scopes: profile.grants.scopes().map(str::to_owned).collect(),
        connection_id: connection_id.to_owned(),
        client_id: profile.client.id.to_string(),
        device_id: owned(profile.device_id()),
        client_mode: owned(profile.client.mode.as_deref()),
        platform: owned(profile.client.platform.as_deref()),
        user_id: user_of(&profile.identity),
        user_name: name_of(&profile.identity),
        credential_id: Some(profile.identity.credential.to_string()),
        capabilities: profile.capabilities.for_services(),
        connected_at: Some(profile.since.as_ms()),
    }
}

/// The same for a request that is no connection.
pub(crate) fn caller_by_http(grants: &Grants, connection_id: String, identity: &Identity) -> Caller {
    Caller {
        role: grants.role().as_str().to_owned(),
        scopes: grants.scopes().map(str::to_owned).collect(),
        connection_id,
        client_id: "http".to_owned(),
        device_id: identity.device.as_deref().map(str::to_owned),
        user_id: user_of(identity),
        user_name: name_of(identity),
        credential_id: Some(identity.credential.to_string()),
        ..Caller::default()
    }
}

fn user_of(identity: &Identity) -> Option<String> {
    identity.user_id().map(Cow::into_owned)
}

fn name_of(identity: &Identity) -> Option<String> {
    identity.user.as_ref()?.name.as_deref().map(str::to_owned)
}

/// A caller has too much under way; `reason` says whether it is this caller or all of them.
pub(crate) fn busy(reason: &'static str, message: impl Into<Box<str>>) -> Refusal {
    Refusal::new(Kind::Exhausted, message)
        .retry_after(BUSY_RETRY)
        .detail("reason", reason)
}

/// Counts a call that was refused before it was made.
pub(crate) fn refused(edge: &Edge, name: &str, refusal: &Refusal) {
    // Only names of the contract, so that invented ones do not grow the metrics.
    let known = edge.map().method(name).is_some();
    let label = if known { name } else { "unknown" };
    count(&edge.metrics, label, refusal.code, None);
}

/// What becomes of parameters that no contract knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// Counted, and let pass: v4 clients send fields that no published schema has.
    Count,
    Refuse,
}

/// A call that is ready to be made.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: Arc<Method>,
    /// The request as the service reads it.
    body: Bytes,
    since: Instant,
}

impl Call {
    /// Reads the parameters, which are JSON text.
    pub(crate) fn encode(
        edge: &Edge,
        method: Arc<Method>,
        params: &str,
        unknown: Unknown,
    ) -> Result<Self, Refusal> {
        let encoded = match unknown {
            Unknown::Count => {
                let mut counted = Counted {
                    metrics: &edge.metrics,
                    method: &method.name,
                };
                method.request.encode(params, &mut counted)
            }
            Unknown::Refuse => method.request.encode(params, &mut Refuse),
        };
        let body = encoded.map_err(|error| {
            let failure = Failure::new(Kind::Invalid, format!("invalid {} params: {error}", method.name));
            Refusal::from(failure.reason("PARAMS_INVALID").path(error.path))
        })?;
        Ok(Self {
            method,
            body: body.into(),
            since: Instant::now(),
        })
    }

    /// The same for parameters that may be large: those are read beside the runtime, one at a time.
    pub(crate) async fn encode_owned(
        edge: &Arc<Edge>,
        method: Arc<Method>,
        params: String,
    ) -> Result<Self, Refusal> {
        if params.len() <= INLINE_MAX {
            return Self::encode(edge, method, &params, Unknown::Refuse);
        }
        let _turn = edge.parsers.acquire().await.map_err(|_| internal())?;
        let edge = Arc::clone(edge);
        let encoding = spawn_blocking(move || Self::encode(&edge, method, &params, Unknown::Refuse));
        encoding.await.unwrap_or_else(|_| Err(internal()))
    }

    /// The memory of a call until the service has it, by the bytes of its request. It is kept to be sent again after a lost connection,
    /// and what is being sent is the same bytes: see `backend::sent`.
    pub(crate) fn cost(bytes: usize) -> usize {
        bytes + CALL_COST
    }

    /// Bytes of the request.
    pub(crate) fn bytes(&self) -> usize {
        self.body.len()
    }

    /// Makes it. Nothing is sent before the first answer is asked for.
    pub(crate) fn start<S>(
        self,
        edge: Arc<Edge>,
        caller: Caller,
        mut step: Span,
        envelope: Envelope,
        subscribe: S,
    ) -> Answers<S> {
        let Self { method, body, since } = self;
        step.set("rpc.system.name", "openclaw");
        step.set("rpc.method", method.name.as_str());
        Answers {
            edge,
            by: caller.credential_id.as_deref().and_then(plugins::of_credential),
            method,
            since,
            envelope: Arc::new(envelope),
            subscribe,
            state: State::Ready(body, Box::new(caller)),
            step,
        }
    }
}

/// What stands around a payload where it is sent: it is rendered in its place, not copied there.
#[derive(Debug, Default)]
pub(crate) struct Envelope {
    pub(crate) head: Vec<u8>,
    pub(crate) tail: &'static [u8],
}

/// One answer of a call, inside its envelope.
#[derive(Debug)]
pub(crate) struct Payload {
    pub(crate) bytes: Bytes,
    /// Whether it is known that no other follows.
    pub(crate) last: bool,
    /// The permit of a large answer: keep it until somebody else counts the bytes.
    _held: Held,
}

/// The answers of one call. Dropping them cancels it.
#[derive(Debug)]
pub(crate) struct Answers<S> {
    edge: Arc<Edge>,
    /// The plugin that makes the call, if it is one's.
    by: Option<PluginId>,
    method: Arc<Method>,
    since: Instant,
    envelope: Arc<Envelope>,
    subscribe: S,
    state: State,
    /// Ends with the last answer.
    step: Span,
}

#[derive(Debug)]
enum State {
    Ready(Bytes, Box<Caller>),
    Streaming(Box<Streaming<Bytes>>),
    Over,
}

impl<S: Fn(Change) -> Result<(), Refusal>> Answers<S> {
    /// The next answer, or why there is none; `None` when all have come. A refusal is the last. `turns` are those in which large
    /// answers come to whoever made the call.
    pub(crate) async fn next(&mut self, turns: &Arc<Semaphore>) -> Option<Result<Payload, Refusal>> {
        let next = match std::mem::replace(&mut self.state, State::Over) {
            State::Ready(body, caller) => {
                let context = self.step.context();
                trace::within(context, self.first(body, &caller, turns)).await
            }
            State::Streaming(stream) => self.following(stream).await,
            State::Over => return None,
        };
        self.note(&next);
        match next {
            // It is counted before it is sent: who has an answer finds it in the metrics.
            Ok(Some(Payload { last: false, .. })) => (),
            Ok(_) => self.count("OK"),
            Err(ref refusal) => {
                self.state = State::Over;
                self.count(refusal.code);
            }
        }
        next.transpose()
    }

    /// Those that are still to come, as a stream. What it waits for is not lost between two looks at it.
    pub(crate) fn stream(self, turns: Arc<Semaphore>) -> impl Stream<Item = Result<Payload, Refusal>> {
        stream::unfold((self, turns), async |(mut answers, turns)| {
            let next = answers.next(&turns).await?;
            Some((next, (answers, turns)))
        })
    }

    async fn first(
        &mut self,
        body: Bytes,
        caller: &Caller,
        turns: &Arc<Semaphore>,
    ) -> Result<Option<Payload>, Refusal> {
        match self.edge.backend.call(&self.method, body, caller, turns).await? {
            Answer::One(wire, held, after) => {
                if let Some(offset) = after {
                    self.edge.hub.reach(offset).await;
                }
                self.show(wire, true, held).await.map(Some)
            }
            Answer::Many(Some(wire), stream) => {
                self.state = State::Streaming(stream);
                self.show(wire, false, Held::default()).await.map(Some)
            }
            Answer::Many(None, _) => Ok(None),
        }
    }

    async fn following(&mut self, mut stream: Box<Streaming<Bytes>>) -> Result<Option<Payload>, Refusal> {
        let next = stream.message().await;
        match next.map_err(|status| backend::refusal(&self.method, &status))? {
            Some(wire) => {
                self.state = State::Streaming(stream);
                self.show(wire, false, Held::default()).await.map(Some)
            }
            None => Ok(None),
        }
    }

    /// The payload of one answer, and what a subscription does with it.
    async fn show(&self, wire: Bytes, last: bool, held: Held) -> Result<Payload, Refusal> {
        let bytes = if wire.len() <= large::SMALL_MAX {
            render(&self.method, &self.envelope, &wire)?
        } else {
            // Beside the runtime, like large requests: it takes tens of milliseconds, in which nobody else would get a word.
            let (method, envelope, wire) =
                (Arc::clone(&self.method), Arc::clone(&self.envelope), wire.clone());
            let rendering = spawn_blocking(move || render(&method, &envelope, &wire));
            rendering.await.unwrap_or_else(|_| Err(internal()))?
        };
        if let Some(subscription) = &self.method.subscription {
            (self.subscribe)(subscription.change(&self.method.response, &wire))?;
        }
        Ok(Payload {
            bytes,
            last,
            _held: held,
        })
    }

    /// What an answer says about the plugin that gives it, and a refusal about the one that asks.
    fn note(&self, next: &Result<Option<Payload>, Refusal>) {
        let name = &self.method.name;
        if let Some(BackendId::Plugin(plugin)) = &self.method.backend {
            let board = &self.edge.plugins;
            match next.as_ref().map_err(|refusal| refusal.kind) {
                Ok(_) => board.answered(plugin),
                Err(Kind::Timeout) => {
                    let wait = self.method.deadline.as_millis();
                    board.failed(plugin, &format!("did not answer {name} within {wait} ms"));
                }
                Err(Kind::Internal) => {
                    let fault = format!(
                        "fails at {name}, or answers what its contract does not allow: the log of the edge says more"
                    );
                    board.failed(plugin, &fault);
                }
                Err(_) => {} // it refused somebody, or is away
            }
        }
        if let (Some(plugin), Err(refusal)) = (&self.by, next)
            && refusal.kind == Kind::Exhausted
        {
            plugins::asks_too_much(&self.edge, plugin, &format!("{name}: {}", refusal.message));
        }
    }

    fn count(&mut self, code: &'static str) {
        self.step.set("rpc.response.status_code", code);
        if code != "OK" {
            self.step.fail(code);
        }
        count(&self.edge.metrics, &self.method.name, code, Some(self.since));
    }
}

fn render(method: &Method, envelope: &Envelope, wire: &[u8]) -> Result<Bytes, Refusal> {
    let Envelope { head, tail } = envelope;
    let mut out = Vec::with_capacity(head.len() + wire.len() * 2 + 64 + tail.len());
    out.extend_from_slice(head);
    if let Err(error) = method.response.render(wire, &mut out) {
        tracing::error!(rpc.method = method.name, error = %Chain(&error), "an answer cannot be rendered");
        return Err(internal());
    }
    let payload = out.get(head.len()..).unwrap_or_default();
    if let Some(whole) = method.unwrap.as_deref().and_then(|name| field(payload, name)) {
        out.truncate(head.len());
        out.extend_from_slice(&whole);
    }
    out.extend_from_slice(tail);
    Ok(out.into())
}

/// A fault of ours; the cause is in the log.
pub(crate) fn internal() -> Refusal {
    Refusal::from(Failure::new(Kind::Internal, "internal failure"))
}

/// Counts unknown parameters and lets them pass.
struct Counted<'a> {
    metrics: &'a Metrics,
    method: &'a str,
}

impl UnknownFields for Counted<'_> {
    fn unknown(&mut self, path: &str) -> bool {
        self.metrics.unknown_field(self.method, path);
        false
    }

    fn passes_harmless(&self) -> bool {
        true
    }
}

fn count(metrics: &Metrics, method: &str, code: &'static str, since: Option<Instant>) {
    let labels = RequestLabels {
        method: method.to_owned(),
        code,
    };
    metrics.requests.get_or_create(&labels).inc();
    if let Some(since) = since {
        let RequestLabels { method, .. } = labels;
        let seconds = metrics.request_seconds.get_or_create(&MethodLabel { method });
        seconds.observe(since.elapsed().as_secs_f64());
    }
}
