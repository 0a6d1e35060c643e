//! Who asks by HTTP: the token of `Authorization: Bearer`, under the same lock-out as the handshake.

use std::sync::Arc;

use gatehouse_contract::Grants;
use gatehouse_core::{Kind, Secret};
use http::{HeaderMap, Uri, header};

use super::{
    context::Http,
    respond::{self, Refused, starting},
    socket::Ends,
};
use crate::{
    admission::{Client, Sender},
    auth::{Denied, Identity},
    error::Refusal,
    policy::Policy,
    throttle::Login,
};

/// The header by which a request takes less than its token gives: scopes, with spaces or commas between them.
const SCOPES: [&str; 2] = ["gatehouse-scopes", "x-openclaw-scopes"];

/// Who asks.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) client: Client,
    pub(super) identity: Arc<Identity>,
    /// What the credential may be used for, or what of it the request asked for.
    pub(super) grants: Grants,
}

/// Decides who asks.
pub(super) fn authenticate(
    http: &Http,
    ends: Ends,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Known, Refused> {
    let sender = http.admitted(|policy| policy.admit(http.way(ends), uri, headers))?;
    let Some(policy) = http.edge.policy() else {
        return Err(Box::new(respond::refusal(&starting())));
    };
    let user = user(http, ends, headers);
    let shown = bearer(headers);
    let decided = decide(http, &policy, sender, user.as_deref(), headers, shown.as_ref());
    let identity = decided.map_err(|denied| unauthenticated(http, sender, denied))?;
    Ok(Known {
        client: sender.client,
        grants: narrowed(&identity.bound, headers).map_err(|told| Box::new(respond::refusal(&told)))?,
        identity,
    })
}

/// The token that comes with an upgrade. One that is there has to be good: whoever shows a wrong one gets no socket.
pub(super) fn of_upgrade(
    http: &Http,
    sender: Sender,
    user: Option<&str>,
    headers: &HeaderMap,
) -> Result<Option<Secret>, Refused> {
    let shown = bearer(headers);
    if shown.is_none() && !names_bearer(headers) {
        return Ok(None);
    }
    // Not known yet: the handshake decides, or asks to come back.
    if let Some(policy) = http.edge.policy() {
        match decide(http, &policy, sender, user, headers, shown.as_ref()) {
            // The device proves its key in the handshake.
            Ok(_) | Err(Denied::ForeignDevice) => (),
            Err(denied) => return Err(unauthenticated(http, sender, denied)),
        }
    }
    Ok(shown)
}

fn decide(
    http: &Http,
    policy: &Policy,
    sender: Sender,
    user: Option<&str>,
    headers: &HeaderMap,
    shown: Option<&Secret>,
) -> Result<Arc<Identity>, Denied> {
    let Sender { client, browser } = sender;
    let login = Login { client, browser };
    // A token that is meant and cannot be read is none, and nobody's word takes its place.
    if shown.is_none() && names_bearer(headers) {
        return http.edge.decide(policy, login, &[], None);
    }
    http.edge.authenticate(policy, login, user, &[shown], None)
}

fn unauthenticated(http: &Http, sender: Sender, denied: Denied) -> Refused {
    let (reason, refusal) = refused(denied);
    http.count(reason);
    tracing::info!(client.address = %sender.client.ip, reason, "an HTTP request was not authenticated");
    Box::new(respond::refusal(&refusal))
}

/// Who a trusted proxy says that it let in.
pub(super) fn user(http: &Http, ends: Ends, headers: &HeaderMap) -> Option<Box<str>> {
    let policy = http.edge.policy()?;
    let is_proxy = policy.admission.trusts(ends.peer);
    policy.mode.user(is_proxy, ends.peer, headers)
}

/// What a client is told that has no good credential, and the reason for the metrics.
fn refused(denied: Denied) -> (&'static str, Refusal) {
    let unauthenticated =
        |code: &'static str, message| Refusal::new(Kind::Unauthenticated, message).detail("code", code);
    match denied {
        Denied::LockedOut(lockout) => {
            let message = "too many failed logins from this address; wait before trying again";
            let refusal = Refusal::new(Kind::Exhausted, message)
                .detail("code", "AUTH_RATE_LIMITED")
                .retry_after(lockout.wait);
            ("throttled", refusal)
        }
        Denied::Missing => {
            let message = "the request shows no token; send one header Authorization: Bearer, with the token of `gatehouse token show`";
            ("no-token", unauthenticated("AUTH_TOKEN_MISSING", message))
        }
        Denied::Unknown => {
            let message = "the token does not match; `gatehouse token show` prints the gateway's";
            ("token-mismatch", unauthenticated("AUTH_TOKEN_MISMATCH", message))
        }
        Denied::ForeignDevice => {
            let message = "this token is a device's, which proves its key in a handshake; connect a WebSocket to /ws with it";
            (
                "device-token",
                unauthenticated("AUTH_DEVICE_TOKEN_MISMATCH", message),
            )
        }
        Denied::Expired => {
            let message = "the token is over its time; ask the operator for a new one";
            ("token-expired", unauthenticated("AUTH_TOKEN_EXPIRED", message))
        }
    }
}

/// What of the token's grants the request takes: all of them unless it says less.
fn narrowed(bound: &Grants, headers: &HeaderMap) -> Result<Grants, Refusal> {
    let mut asked = SCOPES.iter().flat_map(|name| headers.get_all(*name)).peekable();
    if asked.peek().is_none() {
        return Ok(*bound);
    }
    let mut scopes = Vec::new();
    for value in asked {
        let value = value.to_str().map_err(|_| {
            Refusal::invalid("the header with the scopes is not a list of them")
                .detail("code", "SCOPES_INVALID")
        })?;
        scopes.extend(value.split([' ', ',']).filter(|scope| !scope.is_empty()));
    }
    Ok(Grants::new(bound.role(), scopes).within(bound))
}

/// Whether a request means to show a token, there or not.
fn names_bearer(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::AUTHORIZATION)
        .iter()
        .filter_map(|value| value.as_bytes().split(|byte| byte.is_ascii_whitespace()).next())
        .any(|scheme| scheme.eq_ignore_ascii_case(b"bearer"))
}

/// The token of a request. Of two headers neither counts: a proxy in front may have looked at the other one.
pub(super) fn bearer(headers: &HeaderMap) -> Option<Secret> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok().filter(|_| values.next().is_none())?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| Secret::new(token))
}
