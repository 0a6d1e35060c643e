//! From a socket to a known caller: the challenge, the first frame, the token, the scopes.
//!
//! Nothing here waits. Until a frame has passed all checks its sender has no role, no scope and no event; every refusal says
//! what to do next. Devices come later: a `device` object is read by nobody, grants nothing and replaces no token, and no
//! device token is issued.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use gatehouse_contract::{Grants, Role};
use gatehouse_core::Kind;
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{
    admission::{Client, Rejection},
    auth::{Denied, Identity},
    close::Close,
    connection::Connection,
    dialect::{Asked, Dialect, Unreadable, strict},
    edge::Edge,
    error::{Refusal, to_bytes},
    hello,
    limits::PROTOCOL,
    metrics::Reason,
    policy::Policy,
    profile::Profile,
    throttle::{Lockout, Login},
};

/// How soon a client should come back while the edge starts. The gateway starts in less than a second.
const STARTING_RETRY: Duration = Duration::from_millis(500);

/// How soon a client should come back while the edge ends.
const DRAINING_RETRY: Duration = Duration::from_secs(1);

/// The first frame of the gateway. Its nonce is for devices; today nobody signs it.
pub(crate) fn challenge(now_ms: i64) -> Bytes {
    let payload = json!({"nonce": uuid::Uuid::new_v4().to_string(), "ts": now_ms.max(0)});
    to_bytes(&json!({"type": "event", "event": "connect.challenge", "payload": payload}))
}

#[derive(Deserialize)]
struct First<'a> {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    id: Option<String>,
    method: Option<String>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
}

/// A handshake that failed: what the client is told, and how the socket ends.
struct Failed {
    refusal: Refusal,
    close: Close,
    reason: &'static str,
}

impl Failed {
    fn new(refusal: Refusal, reason: &'static str) -> Box<Self> {
        let close = Close::with_reason(1008, &refusal.message);
        Box::new(Self {
            refusal,
            close,
            reason,
        })
    }

    fn closing(mut self: Box<Self>, close: Close) -> Box<Self> {
        self.close = close;
        self
    }
}

/// Answers the first frame. Afterwards the connection has a profile, or its last words are said.
pub(crate) fn answer(edge: &Edge, connection: &Arc<Connection>, text: &str) {
    let ended = |reason: &'static str, close: &Close| {
        edge.metrics.handshakes.get_or_create(&Reason { reason }).inc();
        connection.close(close);
    };
    let Ok(first) = serde_json::from_str::<First<'_>>(text) else {
        // JSON that is no frame is told apart from what is no JSON at all, as clients know it.
        let json = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        let (reason, close) = if json {
            ("not-a-request", Close::NOT_A_REQUEST)
        } else {
            ("not-json", Close::SILENT)
        };
        return ended(reason, &close);
    };
    let Some(method) = first
        .method
        .filter(|_| first.kind.as_deref().is_none_or(|kind| kind == "req"))
    else {
        return ended("not-a-request", &Close::NOT_A_REQUEST);
    };
    let params = first.params.map_or("{}", RawValue::get);
    // Only the plain dialect leaves the type out.
    if first.kind.is_none() && Dialect::of_text(params) == Some(Dialect::V4) {
        return ended("not-a-request", &Close::NOT_A_REQUEST);
    }
    let id = first.id.filter(|id| !id.is_empty());
    if id.is_none() && (first.kind.is_some() || method != "connect") {
        return ended("not-a-request", &Close::NOT_A_REQUEST);
    }
    let known = if let Some(rejection) = connection.arrival.rejection {
        Err(rejected(rejection))
    } else if method == "connect" {
        decide(edge, connection, params)
    } else {
        let refusal = Refusal::invalid("invalid handshake: first request must be connect")
            .detail("code", "CONNECT_REQUIRED")
            .detail("recommendedNextStep", "send_connect_first");
        Err(Failed::new(refusal, "connect-required"))
    };
    match known {
        Ok((profile, asked)) => {
            edge.metrics
                .handshakes
                .get_or_create(&Reason { reason: "ok" })
                .inc();
            welcome(edge, connection, id.as_deref(), profile, &asked);
        }
        Err(failed) => {
            let Failed {
                refusal,
                close,
                reason,
            } = *failed;
            tracing::info!(client.address = %connection.arrival.ip, reason, "a handshake was refused");
            connection.send(match &id {
                Some(id) => refusal.answer(id),
                None => refusal.flat(),
            });
            ended(reason, &close);
        }
    }
}

fn welcome(edge: &Edge, connection: &Arc<Connection>, id: Option<&str>, profile: Profile, asked: &Asked) {
    tracing::debug!(
        connection.id = &*connection.id,
        client.id = &*profile.client.id,
        "a client connected"
    );
    edge.hub.enter(connection, |snapshot| {
        let payload = hello::payload(edge, connection, &profile, snapshot, asked.known);
        connection.send(match id {
            Some(id) => crate::error::answer(id, &payload),
            None => payload.into(),
        });
        let fresh = connection.profile.set(profile);
        debug_assert!(fresh.is_ok(), "a handshake happens once");
    });
    // A revision that came in the meantime has not seen this connection.
    edge.recheck(connection);
}

/// Decides who this is. The order matters: nothing about a token is told to whoever is locked out alone, and nothing about
/// roles or devices to whoever has no token.
fn decide(edge: &Edge, connection: &Connection, params: &str) -> Result<(Profile, Asked), Box<Failed>> {
    let asked = read(params)?;
    if edge.drain.is_requested() {
        let refusal = Refusal::unavailable("the gateway is about to restart", DRAINING_RETRY)
            .detail("code", "GATEWAY_DRAINING")
            .detail("recommendedNextStep", "wait_then_retry");
        return Err(Failed::new(refusal, "draining").closing(Close::RESTART.with_code(1013)));
    }
    let Some(policy) = edge.policy() else {
        let refusal = Refusal::unavailable("gateway starting", STARTING_RETRY)
            .detail("code", "GATEWAY_STARTING")
            .detail("reason", "startup-sidecars") // the word that existing clients wait quietly for
            .detail("recommendedNextStep", "wait_then_retry");
        return Err(Failed::new(refusal, "starting").closing(Close::STARTING));
    };
    let identity = authenticate(edge, connection, &policy, &asked)?;
    match (asked.role, identity.bound.role()) {
        (Role::Operator, Role::Operator) => {}
        (Role::Node, Role::Node) if identity.device.is_some() => {}
        (Role::Node, _) => return Err(Failed::new(device_required(&asked), "node-without-device")),
        (Role::Operator, Role::Node) => return Err(Failed::new(node_only(), "node-as-operator")),
    }
    let grants = match &asked.scopes {
        Some(scopes) => Grants::new(asked.role, scopes.iter().map(String::as_str)).intersect(&identity.bound),
        None => identity.bound,
    };
    let profile = Profile {
        grants,
        dialect: asked.dialect,
        rendition: asked.rendition,
        client: asked.client.clone(),
        identity,
        since_ms: edge.clock.now_ms(),
    };
    Ok((profile, asked))
}

fn read(params: &str) -> Result<Asked, Box<Failed>> {
    let invalid = |problem: &str| {
        let refusal = Refusal::invalid(format!("invalid connect params: {problem}"))
            .detail("code", "CONNECT_PARAMS_INVALID")
            .detail("recommendedNextStep", "fix_connect_params");
        Failed::new(refusal, "params")
    };
    let params = strict::read(params).map_err(|problem| invalid(&problem))?;
    Asked::read(&params).map_err(|unreadable| match unreadable {
        Unreadable::Field(problem) => invalid(&problem),
        Unreadable::Protocol { min, max } => {
            let refusal = Refusal::invalid(format!(
                "protocol mismatch: this gateway speaks version {PROTOCOL}"
            ))
            .detail("code", "PROTOCOL_MISMATCH")
            .detail("expectedProtocol", PROTOCOL)
            .detail("clientMinProtocol", min)
            .detail("clientMaxProtocol", max)
            .detail("minimumProbeProtocol", PROTOCOL)
            .detail("recommendedNextStep", "update_client");
            let close = Close::with_reason(1002, &refusal.message);
            Failed::new(refusal, "protocol").closing(close)
        }
    })
}

fn authenticate(
    edge: &Edge,
    connection: &Connection,
    policy: &Policy,
    asked: &Asked,
) -> Result<Arc<Identity>, Box<Failed>> {
    let arrival = &connection.arrival;
    let login = Login {
        client: Client {
            ip: arrival.ip,
            reach: arrival.reach,
        },
        browser: arrival.browser,
    };
    let shown = asked.token.as_ref().or(arrival.bearer.as_ref());
    edge.authenticate(policy, login, shown)
        .map_err(|denied| match denied {
            Denied::LockedOut(lockout) => locked_out(lockout),
            Denied::Missing => no_token(asked),
            Denied::Unknown => mismatch(
                "unauthorized: the gateway token does not match",
                "token_mismatch",
                "token-mismatch",
            ),
            Denied::Expired => mismatch(
                "unauthorized: this token is no longer good",
                "token_expired",
                "token-expired",
            ),
        })
}

/// What a page is told whose request was refused by its headers: it cannot read the answer to an upgrade, and can read a frame.
fn rejected(rejection: Rejection) -> Box<Failed> {
    let Rejection { code, message, .. } = rejection;
    let refusal = Refusal::invalid(message)
        .detail("code", code)
        .detail("reason", message)
        .detail("recommendedNextStep", "review_auth_configuration");
    Failed::new(refusal, code)
}

/// Clients know one code for a token that is not good, and stop asking with it.
fn mismatch(message: &'static str, why: &'static str, reason: &'static str) -> Box<Failed> {
    let refusal = Refusal::invalid(message)
        .detail("code", "AUTH_TOKEN_MISMATCH")
        .detail("authReason", why)
        .detail("canRetryWithDeviceToken", false)
        .detail("recommendedNextStep", "update_auth_credentials");
    Failed::new(refusal, reason)
}

fn node_only() -> Refusal {
    Refusal::invalid("unauthorized: this token is a node's; connect with role node")
        .detail("code", "AUTH_SCOPE_MISMATCH")
        .detail("recommendedNextStep", "review_auth_configuration")
}

fn locked_out(lockout: Lockout) -> Box<Failed> {
    let refusal = Refusal::invalid("too many failed logins from this address; wait before trying again")
        .detail("code", "AUTH_RATE_LIMITED")
        .detail("recommendedNextStep", "wait_then_retry")
        .retry_after(lockout.wait);
    Failed::new(refusal, "throttled")
}

fn no_token(asked: &Asked) -> Box<Failed> {
    if asked.device_token {
        let refusal =
            Refusal::invalid("unauthorized: this gateway knows no such device token; use the gateway token")
                .detail("code", "AUTH_DEVICE_TOKEN_MISMATCH")
                .detail("recommendedNextStep", "update_auth_credentials");
        return Failed::new(refusal, "device-token");
    }
    if asked.dialect == Dialect::V4 && !asked.device {
        return Failed::new(device_required(asked), "no-token");
    }
    let refusal =
        Refusal::invalid("unauthorized: the gateway token is missing; `gatehouse token show` prints it")
            .detail("code", "AUTH_TOKEN_MISSING")
            .detail("authReason", "token_missing")
            .detail("recommendedNextStep", "update_auth_configuration");
    Failed::new(refusal, "no-token")
}

fn device_required(asked: &Asked) -> Refusal {
    let message = match asked.role {
        Role::Node => {
            "device identity required: a node needs a paired device, which this gateway cannot pair yet"
        }
        Role::Operator => {
            "device identity required: connect with the gateway token; `gatehouse token show` prints it"
        }
    };
    let step = match asked.role {
        Role::Node => "connect_as_operator",
        Role::Operator => "update_auth_configuration",
    };
    Refusal::new(Kind::Forbidden, message)
        .coded("NOT_PAIRED")
        .detail("code", "DEVICE_IDENTITY_REQUIRED")
        .detail("reason", "device-identity-required")
        .detail("requestedRole", asked.role.as_str())
        .detail("recommendedNextStep", step)
}
