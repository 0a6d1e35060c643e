//! What to tell a person who was not let in or not served: what happened, and what to do now.

use gatehouse_contract::Map;
use tokio_tungstenite::tungstenite::{self, http::StatusCode};

use super::Refusal;
use crate::{
    exit::{Exit, Failed},
    gateway::Gateway,
};

/// Nobody listens there, or somebody else does.
pub(super) fn unreachable(gateway: &Gateway, error: &tungstenite::Error) -> Failed {
    let url = &gateway.url;
    let (message, next) = match (error, &gateway.absent) {
        (tungstenite::Error::Io(_), Some(absent)) => (
            format!("no gateway runs in {}, and none answers at {url}", absent.what),
            absent.next.clone(),
        ),
        (tungstenite::Error::Io(io), None) if io.kind() == std::io::ErrorKind::ConnectionRefused => (
            format!("no gateway answers at {url}"),
            "start one with `gatehouse up`, or name another with --url".to_owned(),
        ),
        (tungstenite::Error::Http(response), _) if response.status() == StatusCode::FORBIDDEN => (
            format!("the gateway at {url} does not accept connections made in this way (403)"),
            "behind a proxy: set gateway.publicOrigin and gateway.trustedProxies in its configuration"
                .to_owned(),
        ),
        (tungstenite::Error::Http(response), _) => (
            format!("what answers at {url} is not a gateway ({})", response.status()),
            "check the address, and that nothing else has the port".to_owned(),
        ),
        (tungstenite::Error::Tls(_), _) => (
            format!("{url} does not prove who it is: {error}"),
            "a gateway with a certificate of its own is trusted by --tls-fingerprint; `gatehouse up` prints it there".to_owned(),
        ),
        (tungstenite::Error::Io(io), _) if is_of_tls(io) => (
            format!("{url} does not prove who it is: {io}"),
            "a gateway with a certificate of its own is trusted by --tls-fingerprint; `gatehouse up` prints it there".to_owned(),
        ),
        (other, _) => (
            format!("no gateway answers at {url}: {other}"),
            "check the address with --url, and that the gateway runs".to_owned(),
        ),
    };
    Failed::new(Exit::Unavailable, message).next(next)
}

/// Whether it was the certificate, and not the way to the gateway.
fn is_of_tls(error: &std::io::Error) -> bool {
    error.get_ref().is_some_and(|cause| cause.is::<rustls::Error>())
}

/// The gateway answered the handshake with a refusal.
pub(super) fn handshake_refused(refusal: &Refusal, gateway: &Gateway) -> Failed {
    let code = refusal
        .details
        .get("code")
        .and_then(serde_json::Value::as_str)
        .unwrap_or_default();
    let exit = match refusal.code.as_str() {
        "UNAVAILABLE" => Exit::Unavailable,
        _ => Exit::Refused,
    };
    let next = match code {
        "AUTH_RATE_LIMITED" => {
            let seconds = refusal.retry_after_ms.unwrap_or(60_000).div_ceil(1000);
            format!("too many wrong tokens: try again in {seconds} s")
        }
        _ if exit == Exit::Unavailable => "it is starting or stopping: try again in a moment".to_owned(),
        _ => token_step(gateway),
    };
    Failed::new(
        exit,
        format!("the gateway at {} refused: {}", gateway.url, refusal.message),
    )
    .next(next)
}

/// The gateway closed the socket during the handshake.
pub(super) fn closed_in_handshake(reason: &str, gateway: &Gateway) -> Failed {
    Failed::new(
        Exit::Refused,
        format!("the gateway at {} closed the connection: {reason}", gateway.url),
    )
    .next(token_step(gateway))
}

fn token_step(gateway: &Gateway) -> String {
    gateway.no_token.clone().unwrap_or_else(|| {
        "check the token: `gatehouse token show` on the gateway's machine prints it; give it with --token or GATEHOUSE_TOKEN"
            .to_owned()
    })
}

/// A method was refused.
pub(crate) fn refused(method: &str, refusal: &Refusal) -> Failed {
    let detail = |name: &str| refusal.details.get(name).and_then(serde_json::Value::as_str);
    let reason = detail("reason").unwrap_or_default();
    // A node that was there has refused: nobody is away.
    let exit = match refusal.details.get("nodeError") {
        Some(said) if said.is_object() && !refusal.retryable => Exit::Failed,
        Some(_) | None => Exit::of_refusal(&refusal.code, reason),
    };
    let failed = Failed::new(exit, format!("{}: {}", refusal.code, refusal.message))
        .about(refusal.code.clone(), detail("path").map(str::to_owned));
    if refusal.message.starts_with("unknown method") {
        let near = nearest(method);
        let hint = near.map_or_else(String::new, |name| format!("did you mean {name}? "));
        return failed.next(format!("{hint}`gatehouse methods` lists them all"));
    }
    if refusal.message.contains("unexpected property") && Map::core().method(method).is_some() {
        return failed.next(format!("`gatehouse methods {method}` shows what it takes"));
    }
    if reason == "missing-scope" {
        return failed.next(
            "your token does not hold it: /new begins another conversation beside this one, which needs no more; or ask the gateway's \
             owner for a token that does",
        );
    }
    let scope = refusal
        .details
        .get("missingScope")
        .and_then(serde_json::Value::as_str);
    match (scope, refusal.retryable) {
        (Some(scope), _) => failed.next(scope_step(scope, detail("userId"), detail("deviceId"))),
        (None, true) if failed.exit == Exit::Busy => {
            let seconds = refusal.retry_after_ms.unwrap_or(1_000).div_ceil(1_000);
            failed.next(format!("try again in {seconds} s"))
        }
        (None, true) => failed.next("try again in a moment; `gatehouse status` shows what is missing"),
        (None, false) => failed,
    }
}

/// Where a scope is granted depends on whose credential it is.
fn scope_step(scope: &str, user: Option<&str>, device: Option<&str>) -> String {
    match (user, device) {
        (Some(user), _) => format!(
            "this token of {user} may not: an administrator makes one that may, with `gatehouse users token {user} --scope {scope}`"
        ),
        (None, Some(_)) => format!(
            "this device may not: let it ask for {scope} when it connects, and approve that with `gatehouse devices approve`"
        ),
        (None, None) => {
            format!(
                "this token may not: gateway.auth.tokenScopes of the gateway's configuration must contain {scope}"
            )
        }
    }
}

/// The method whose name is most like this one, if any is like it. A word alone is compared with the parts of names as well, because
/// people remember `history` and not `chat.history`.
pub(crate) fn nearest(name: &str) -> Option<&'static str> {
    let likeness = |method: &str| {
        let whole = strsim::jaro_winkler(name, method);
        let parts = method.rsplit('.').next().filter(|_| !name.contains('.'));
        let last = parts.map_or(0.0, |last| strsim::jaro_winkler(name, last) - 0.01);
        whole.max(last)
    };
    Map::core()
        .methods()
        .map(|method| (likeness(&method.name), method.name.as_str()))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests;
