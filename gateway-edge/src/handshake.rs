//! From a socket to a known caller: the challenge, the first frame, the token, the scopes.
//!
//! Until a frame has passed all checks its sender has no role, no scope and no event; every refusal says what to do next. A device
//! proves its key first ([`crate::device`]), then a credential is looked for: a device alone grants nothing.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use gatehouse_contract::{Grants, Role};
use gatehouse_core::Timestamp;
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{
    admission::{Client, Rejection},
    auth::{Denied, Identity, mode::Mode},
    close::Close,
    connection::Connection,
    device::{Device, Signed},
    dialect::{Asked, Dialect, Known, Unreadable, strict},
    edge::Edge,
    error::{Refusal, to_bytes},
    hello::{self, DeviceToken},
    limits::PROTOCOL,
    metrics::Reason,
    policy::Policy,
    profile::Profile,
    throttle::Login,
};

mod pairing;
mod refusal;

use pairing::Arriving;
pub(crate) use pairing::DECISIONS_MAX;

/// How soon a client should come back while the edge starts. The gateway starts in less than a second.
const STARTING_RETRY: Duration = Duration::from_millis(500);

/// How soon a client should come back while the edge ends.
const DRAINING_RETRY: Duration = Duration::from_secs(1);

/// A nonce for one connection: what a device signs is good on it alone.
pub(crate) fn nonce() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// The first frame of the gateway, with the nonce that a device signs.
pub(crate) fn challenge(nonce: &str, now: Timestamp) -> Bytes {
    let payload = json!({"nonce": nonce, "ts": now.max(Timestamp::EPOCH)});
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

/// As what somebody comes in.
struct Entered {
    identity: Arc<Identity>,
    grants: Grants,
    /// Of a paired device: the generation of its row.
    pairing: Option<i64>,
    token: Option<DeviceToken>,
}

/// Who was let in.
struct Admitted {
    profile: Profile,
    /// The states that a plain client remembers.
    known: Known,
    /// The device's own token, for its next handshake.
    token: Option<DeviceToken>,
}

/// Answers the first frame. Afterwards the connection has a profile, or its last words are said.
pub(crate) async fn answer(edge: &Arc<Edge>, connection: &Arc<Connection>, nonce: &str, text: &str) {
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
        decide(edge, connection, nonce, params).await
    } else {
        let refusal = Refusal::invalid("invalid handshake: first request must be connect")
            .detail("code", "CONNECT_REQUIRED")
            .detail("recommendedNextStep", "send_connect_first");
        Err(Failed::new(refusal, "connect-required"))
    };
    match known {
        Ok(admitted) => {
            edge.metrics
                .handshakes
                .get_or_create(&Reason { reason: "ok" })
                .inc();
            welcome(edge, connection, id.as_deref(), admitted);
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

fn welcome(edge: &Edge, connection: &Arc<Connection>, id: Option<&str>, admitted: Admitted) {
    let Admitted {
        profile,
        known,
        token,
    } = admitted;
    tracing::debug!(
        connection.id = &*connection.id,
        client.id = &*profile.client.id,
        "a client connected"
    );
    if profile.grants.role() == Role::Node
        && let Some(device) = profile.device_id()
    {
        // What is for one node goes to a topic of its own; a connection has room for its first subscription.
        connection.subscribe(format!("node/{device}"));
    }
    edge.hub.enter(connection, |snapshot| {
        let payload = hello::payload(edge, connection, &profile, snapshot, known, token.as_ref());
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
/// roles or pairing to whoever has no token.
async fn decide(
    edge: &Arc<Edge>,
    connection: &Connection,
    nonce: &str,
    params: &str,
) -> Result<Admitted, Box<Failed>> {
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
    let device = prove(edge, nonce, &asked)?;
    let entered = enter(edge, connection, &policy, &asked, device.as_ref()).await?;
    let Entered {
        identity,
        grants,
        pairing,
        token,
    } = entered;
    let profile = Profile {
        grants,
        dialect: asked.dialect,
        rendition: asked.rendition,
        capabilities: asked.capabilities,
        client: asked.client,
        device,
        surface: asked.surface,
        pairing,
        identity,
        since: edge.clock.now(),
    };
    Ok(Admitted {
        profile,
        known: asked.known,
        token,
    })
}

/// The device of a client that shows to hold its key. `None`: it says that it is none.
fn prove(edge: &Edge, nonce: &str, asked: &Asked) -> Result<Option<Device>, Box<Failed>> {
    let Some(block) = &asked.device else {
        return Ok(None);
    };
    let signed = Signed {
        client: &asked.client,
        role: asked.role,
        scopes: asked.scopes.as_deref().unwrap_or_default(),
        shown: asked.signed(),
        nonce,
        now: edge.clock.now(),
    };
    let proven = block.verify(&signed);
    proven
        .map(Some)
        .map_err(|unproven| Failed::new(unproven.refusal(), unproven.reason()))
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

/// Finds out who shows what, and as what they come in.
async fn enter(
    edge: &Arc<Edge>,
    connection: &Connection,
    policy: &Policy,
    asked: &Asked,
    device: Option<&Device>,
) -> Result<Entered, Box<Failed>> {
    let arrival = &connection.arrival;
    let login = Login {
        client: Client {
            ip: arrival.ip,
            reach: arrival.reach,
        },
        browser: arrival.browser,
    };
    let shared = asked.token.as_ref().or(asked.password.as_ref());
    let shown = [shared.or(arrival.bearer.as_ref()), asked.device_token.as_ref()];
    let arriving = device.map(|device| Arriving {
        edge,
        connection,
        asked,
        device,
    });
    let held = device.map(|device| &*device.id);
    let identity = match edge.authenticate(policy, login, arrival.user.as_deref(), &shown, held) {
        Ok(identity) => identity,
        Err(denied) => {
            let (Denied::Missing, Some(code), Some(arriving)) = (denied, &asked.bootstrap, &arriving) else {
                return Err(match policy.mode.told(denied) {
                    Some((refusal, reason)) => Failed::new(refusal, reason),
                    None => refusal::denied(denied, asked, &policy.mode),
                });
            };
            let entered = arriving.by_code(code).await?;
            return entered.ok_or_else(|| match edge.failed_login(policy, login) {
                Some(lockout) => refusal::locked_out(lockout),
                None => refusal::code_invalid(),
            });
        }
    };
    match arriving {
        Some(arriving) if identity.needs_key => arriving.by_token(policy, identity).await,
        // Whom a proxy names, or who is alone on this machine, needs no pairing to be an operator; a node always does.
        Some(arriving) if identity.device.is_none() && (identity.is_shown() || asked.role == Role::Node) => {
            arriving.by_shared(policy, identity).await
        }
        // Without a device, or with a credential that names one by hand.
        Some(_) | None => unpaired(asked, identity, &policy.mode),
    }
}

/// Lets in whoever has a credential that asks for no pairing: it gets what the credential is good for, and what of it was asked.
fn unpaired(asked: &Asked, identity: Arc<Identity>, mode: &Mode) -> Result<Entered, Box<Failed>> {
    match (asked.role, identity.bound.role()) {
        (Role::Operator, Role::Operator) => {}
        (Role::Node, Role::Node) if identity.device.is_some() => {}
        (Role::Node, _) => {
            return Err(Failed::new(
                refusal::device_required(asked, mode),
                "node-without-device",
            ));
        }
        (Role::Operator, Role::Node) => return Err(Failed::new(refusal::node_only(), "node-as-operator")),
    }
    let grants = match &asked.scopes {
        Some(scopes) => Grants::new(asked.role, scopes.iter().map(String::as_str)).within(&identity.bound),
        None => identity.bound,
    };
    Ok(Entered {
        grants,
        pairing: None,
        token: None,
        identity,
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
