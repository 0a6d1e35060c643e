//! `gateway`: where clients connect and who may come in.

mod control_ui;

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::{IpNet, Ipv4Net};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::control_ui::ControlUi;
use super::{PathInput, SecretInput, http::Http, nodes::Nodes};

/// The longest that answers under way may go on after a stop was asked for, in seconds.
pub const DRAIN_SECONDS_MAX: u32 = 300;

/// Failed logins at most before a lock-out.
pub const ATTEMPTS_MAX: u32 = 10_000;

/// The shortest and the longest window and lock-out, in milliseconds: a second and a day.
pub const LOGIN_MS: (u64, u64) = (1_000, 86_400_000);

/// Reads an entry of `trustedProxies`: an IP address, or a range of them. An IPv4 range that is written as IPv6 is an IPv4 range.
/// `None`: neither.
pub fn network(text: &str) -> Option<IpNet> {
    let net = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address),
        Err(_) => text.parse().ok()?,
    };
    let inner = match net {
        IpNet::V6(net) => net.addr().to_ipv4_mapped().zip(net.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    match inner {
        Some((address, prefix)) => Ipv4Net::new(address, prefix).ok().map(IpNet::V4),
        None => Some(net),
    }
}

/// Where clients connect.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Gateway {
    /// Where the gateway runs. Only `local` can be run; it is here because OpenClaw's documents have it.
    pub mode: GatewayMode,
    /// The TCP port of WebSocket and HTTP.
    #[schemars(range(min = 1, max = 65535), extend("x-at-start" = "edge"))]
    pub port: u16,
    /// The address to listen on.
    #[schemars(extend("x-at-start" = "edge"))]
    pub bind: Bind,
    /// The IP address to listen on with `bind: "custom"`.
    #[schemars(extend("x-at-start" = "edge"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_bind_host: Option<String>,
    /// Who may come in.
    pub auth: GatewayAuth,
    /// Pages in a browser.
    pub control_ui: ControlUi,
    /// What programs may ask by HTTP that know OpenAI's API.
    pub http: Http,
    /// Encryption of what other machines send.
    pub tls: Tls,
    /// Devices that come to the gateway.
    pub nodes: Nodes,
    /// Reverse proxies whose `X-Forwarded-For` is believed: IP addresses or CIDR ranges. Requests with forwarding headers
    /// from anybody else are not taken for local ones.
    pub trusted_proxies: Vec<String>,
    /// The origin under which people reach the gateway, for example `https://home.example.org`. Its host is accepted in
    /// `Host`, itself in `Origin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_origin: Option<String>,
    /// How long answers under way may go on after a stop was asked for, in seconds; what has not ended then is cut short, and
    /// what was written of it is kept. Containers need a `stop_grace_period` that is longer by 20 seconds.
    #[schemars(range(min = 0, max = DRAIN_SECONDS_MAX))]
    pub drain_seconds: u32,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            mode: GatewayMode::default(),
            port: 18_789, // OpenClaw's, so that clients find it
            bind: Bind::default(),
            custom_bind_host: None,
            auth: GatewayAuth::default(),
            control_ui: ControlUi::default(),
            http: Http::default(),
            tls: Tls::default(),
            nodes: Nodes::default(),
            trusted_proxies: Vec::new(),
            public_origin: None,
            drain_seconds: 30, // long enough for most answers, short enough to wait for
        }
    }
}

/// Where the gateway runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GatewayMode {
    /// Here.
    #[default]
    Local,
}

/// The address to listen on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Bind {
    /// 127.0.0.1: this machine only.
    #[default]
    Loopback,
    /// The same as `loopback`; OpenClaw's documents have it. What others can reach is said by name.
    Auto,
    /// 0.0.0.0: every address of this machine.
    Lan,
    /// The address of this machine in its tailnet; 127.0.0.1 while it has none.
    Tailnet,
    /// The address in `customBindHost`.
    Custom,
    /// An IP address.
    #[serde(untagged)]
    Address(String),
}

/// Who may come in.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct GatewayAuth {
    /// What a caller shows.
    pub mode: AuthMode,
    /// The gateway token, better as a reference. Unset: a random one is kept in `config/token` of the data folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretInput>,
    /// The password that is asked for with `mode: "password"`, better as a reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretInput>,
    /// The operator scopes that the gateway token, or the password, can be used for. Unset: all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_scopes: Option<Vec<OperatorScope>>,
    /// How a proxy says who a caller is, with `mode: "trusted-proxy"`.
    pub trusted_proxy: TrustedProxy,
    /// The operator scopes of people, by the name that the proxy gives them, with `mode: "trusted-proxy"`. Somebody who is not listed
    /// may do nothing. Unset: everybody whom the proxy lets in may do what the gateway token may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_scopes: Option<BTreeMap<String, Vec<OperatorScope>>>,
    /// How failed logins are slowed down.
    pub rate_limit: RateLimit,
}

/// How a proxy says who a caller is. It must take these headers out of what callers send.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct TrustedProxy {
    /// The header with the name of who was let in, for example `x-forwarded-user`. Required with `mode: "trusted-proxy"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_header: Option<String>,
    /// Headers that must be there too.
    pub required_headers: Vec<String>,
    /// Who may come in, by the name in the header. Empty: everybody whom the proxy lets in.
    pub allow_users: Vec<String>,
    /// Whether a proxy on this machine is believed. Every program on it can say then who it is.
    pub allow_loopback: bool,
}

/// What a caller shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AuthMode {
    /// The gateway token.
    #[default]
    Token,
    /// The password, in place of the gateway token.
    Password,
    /// The gateway token, or nothing where a listed proxy says who it is.
    TrustedProxy,
    /// Nothing, on this machine. Only with `bind: "loopback"`.
    None,
}

/// What an operator may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OperatorScope {
    /// Everything.
    #[serde(rename = "operator.admin")]
    Admin,
    /// Look at things.
    #[serde(rename = "operator.read")]
    Read,
    /// Talk and change conversations; contains reading.
    #[serde(rename = "operator.write")]
    Write,
    /// Decide on approvals.
    #[serde(rename = "operator.approvals")]
    Approvals,
    /// Decide on pairings.
    #[serde(rename = "operator.pairing")]
    Pairing,
    /// Answer questions.
    #[serde(rename = "operator.questions")]
    Questions,
}

impl OperatorScope {
    /// Every one.
    pub const ALL: [Self; 6] = [
        Self::Admin,
        Self::Read,
        Self::Write,
        Self::Approvals,
        Self::Pairing,
        Self::Questions,
    ];

    /// The word in the document and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "operator.admin",
            Self::Read => "operator.read",
            Self::Write => "operator.write",
            Self::Approvals => "operator.approvals",
            Self::Pairing => "operator.pairing",
            Self::Questions => "operator.questions",
        }
    }
}

/// How failed logins are slowed down.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct RateLimit {
    /// Failed logins of one address within the window before it is locked out.
    #[schemars(range(min = 1, max = ATTEMPTS_MAX))]
    pub max_attempts: u32,
    /// The window, in milliseconds.
    #[schemars(range(min = LOGIN_MS.0, max = LOGIN_MS.1))]
    pub window_ms: u64,
    /// How long an address is locked out, in milliseconds.
    #[schemars(range(min = LOGIN_MS.0, max = LOGIN_MS.1))]
    pub lockout_ms: u64,
    /// Whether programs on this machine are never locked out. Pages in a browser always can be.
    pub exempt_loopback: bool,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            max_attempts: 10,
            window_ms: 60_000,
            lockout_ms: 300_000,
            exempt_loopback: true,
        } // OpenClaw's figures
    }
}

/// Encryption of what other machines send. Programs on this machine may do without.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Tls {
    /// Whether other machines must speak TLS.
    pub enabled: bool,
    /// The certificate with its chain, PEM. It is read anew when it changes. Unset: one is made and kept, and clients pin its fingerprint.
    /// Only set by editing the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-by-hand" = true))]
    pub cert_path: Option<PathInput>,
    /// Its key, PEM. Only set by editing the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-by-hand" = true))]
    pub key_path: Option<PathInput>,
}

#[cfg(test)]
mod tests;
