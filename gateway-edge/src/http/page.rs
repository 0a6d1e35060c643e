//! The page that says how to connect: what this is, whether it is well, and what other clients need. It stands at `/connect`, and at the
//! gateway's address where nothing else does.
//!
//! Anybody may read it, so it says nothing that the probes do not say. It has no script and loads nothing but its own sign.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    response::Response,
};
use gatehouse_core::net::{host_of, is_localhost};
use http::{HeaderMap, StatusCode, header};

use super::{
    context::Http,
    respond::respond,
    socket::{Ends, Socket},
};
use crate::{admission::AdmissionPolicy, limits::VERSION, ready::Report};

/// What the page may load: its own style, which is known by its digest, and its sign.
pub(super) const CSP: &str = "default-src 'none'; style-src 'sha256-XWzloY6TnaB8IuQZY4cosrz+6fE0psR11jDlM4uZLuA='; img-src 'self'; base-uri 'none'; \
                              form-action 'none'; frame-ancestors 'none'";

const STYLE: &str = include_str!("page/page.css");
const SIGN: &str = include_str!("page/favicon.svg");
const SIGN_OF_OLD: &[u8] = include_bytes!("page/favicon.ico");

pub(super) async fn sign() -> Response {
    respond(StatusCode::OK, "image/svg+xml", SIGN)
}

/// For browsers that ask for it whatever the page says.
pub(super) async fn sign_of_old() -> Response {
    respond(StatusCode::OK, "image/vnd.microsoft.icon", SIGN_OF_OLD)
}

/// The page at its own address.
pub(super) async fn connect(
    State(http): State<Arc<Http>>,
    Extension(socket): Extension<Arc<Socket>>,
    request: Request,
) -> Response {
    page(http, socket.ends, request.into_parts().0.headers).await
}

/// The page, as the gateway is now and by the address that was asked.
pub(super) async fn page(http: Arc<Http>, ends: Ends, headers: HeaderMap) -> Response {
    let report = http.readiness.report(&http.edge, &http.fed).await;
    let none = AdmissionPolicy::default();
    let policy = http.edge.policy();
    let policy = policy.as_ref().map_or(&none, |policy| &policy.admission);
    let address = Address::of(policy, ends, &headers);
    let refused = policy.client_of(http.way(ends), &headers).err();
    let notice = refused.map(|rejection| rejection.message);
    let page = render(&address, &report, http.edge.uptime_ms(), notice);
    respond(StatusCode::OK, "text/html; charset=utf-8", page)
}

/// The address in the browser's own address bar, as clients write it.
#[derive(Debug)]
struct Address {
    /// Name and port.
    authority: String,
    is_secure: bool,
}

impl Address {
    fn of(policy: &AdmissionPolicy, ends: Ends, headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        // Every request here has one that was looked at.
        let authority = text(header::HOST.as_str())
            .unwrap_or("localhost")
            .to_ascii_lowercase();
        // Only a proxy of ours is believed what it says of the way to it.
        let by_proxy = policy.trusts(ends.peer) && text("x-forwarded-proto") == Some("https");
        let is_secure = ends.secure || by_proxy || policy.origins.contains(&format!("https://{authority}"));
        Self { authority, is_secure }
    }

    fn name(&self) -> &str {
        host_of(&self.authority)
    }

    fn port(&self) -> &str {
        let port = self.authority.rsplit_once(':').map(|(_, port)| port);
        let is_port = |port: &&str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let standard = if self.is_secure { "443" } else { "80" };
        port.filter(is_port)
            .filter(|_| self.name() != self.authority)
            .unwrap_or(standard)
    }

    /// Whether it leads to this machine from this machine alone.
    fn is_loopback(&self) -> bool {
        let name = self.name();
        is_localhost(name)
            || name
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.to_canonical().is_loopback())
    }
}

fn render(address: &Address, report: &Report, uptime_ms: u64, notice: Option<&str>) -> String {
    let (class, state, detail) = condition(report);
    let authority = escaped(&address.authority);
    let (ws, http, tls) = if address.is_secure {
        ("wss", "https", "on")
    } else {
        ("ws", "http", "off")
    };
    let notice = notice.map(|text| {
        let text = escaped(text);
        format!("<section class=\"notice\"><h2>Clients that come this way are refused</h2><p>{text}.</p></section>\n")
    });
    let phone = if address.is_loopback() {
        "<p class=\"quiet\">A phone does not reach this address, which is the gateway's machine for itself. Let the gateway listen in \
         your network (<code>gateway.bind</code>, or <code>gatehouse up --bind 0.0.0.0</code>) and open this page by the address that \
         the machine has there.</p>\n"
    } else {
        ""
    };
    format!(
        include_str!("page/page.html"),
        css = STYLE,
        class = class,
        state = state,
        detail = escaped(&detail),
        notice = notice.unwrap_or_default(),
        socket = format_args!("{ws}://{authority}"),
        http = format_args!("{http}://{authority}"),
        name = escaped(address.name()),
        port = escaped(address.port()),
        tls = tls,
        phone = phone,
        version = VERSION,
        uptime = spoken(uptime_ms / 1000),
    )
}

/// How it is: for the eye, in a word and in a sentence.
fn condition(report: &Report) -> (&'static str, &'static str, String) {
    if !report.ready {
        let away = report.failing.join(", ");
        return (
            "bad",
            "not ready",
            format!("It takes no messages now; not ready: {away}."),
        );
    }
    if report.degraded.is_empty() {
        return ("good", "ready", String::new());
    }
    let away = report.degraded.join(", ");
    (
        "fair",
        "ready in part",
        format!("It takes messages; away for now: {away}."),
    )
}

/// So many seconds in its largest unit.
fn spoken(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Text that is no markup. A `Host` may hold any character.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests;
