//! What the configuration says about the door, read once per revision into a form that the door can use.

use std::{collections::HashSet, net::IpAddr, time::Duration};

use gatehouse_contract::{Grants, Role};
use gatehouse_core::{drain::plan, net::host_of};
use serde::Deserialize;

use crate::throttle::Limits;

/// The sections of the configuration that concern the edge. Lenient: the config service has checked them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct View {
    pub(crate) gateway: GatewayView,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct GatewayView {
    pub(crate) public_origin: Option<String>,
    pub(crate) trusted_proxies: Vec<String>,
    pub(crate) control_ui: ControlUiView,
    pub(crate) auth: AuthView,
    pub(crate) drain_seconds: Option<u64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ControlUiView {
    pub(crate) allowed_origins: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct AuthView {
    pub(crate) token_scopes: Option<Vec<String>>,
    pub(crate) rate_limit: RateLimitView,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct RateLimitView {
    pub(crate) max_attempts: Option<u32>,
    pub(crate) window_ms: Option<u64>,
    pub(crate) lockout_ms: Option<u64>,
    pub(crate) exempt_loopback: Option<bool>,
}

/// One revision, ready for use.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) hash: String,
    /// SHA-256 of the gateway token.
    pub(crate) token_digest: [u8; 32],
    /// What the gateway token is bound to.
    pub(crate) bound: Grants,
    pub(crate) limits: Limits,
    pub(crate) door: Door,
    /// How long answers may go on when the gateway ends.
    pub(crate) drain: Duration,
}

/// Which requests are let up to the handshake.
#[derive(Debug, Clone, Default)]
pub(crate) struct Door {
    /// Origins that may connect, in lower case.
    pub(crate) origins: HashSet<String>,
    /// Names that `Host` may carry beside loopback and addresses, in lower case, without port.
    pub(crate) hosts: HashSet<String>,
    pub(crate) proxies: Vec<Range>,
}

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    address: IpAddr,
    bits: u8,
}

impl Range {
    /// Reads `192.0.2.0/24`, or a single address.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let address = address.parse::<IpAddr>().ok()?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(whole);
        (bits <= whole).then_some(Self { address, bits })
    }

    /// Whether the address lies in it. An IPv4 address written as IPv6 is the same address.
    pub(crate) fn contains(&self, ip: IpAddr) -> bool {
        match (self.address, ip.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                net.to_bits() & mask == ip.to_bits() & mask
            }
            (IpAddr::V6(net), IpAddr::V6(ip)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                net.to_bits() & mask == ip.to_bits() & mask
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl Policy {
    /// Reads a revision. `None` when the digest is not one: then nobody can log in, which is right.
    pub(crate) fn new(hash: &str, token_digest: &str, view: &View) -> Option<Self> {
        let gateway = &view.gateway;
        let rate = &gateway.auth.rate_limit;
        let default = Limits::default();
        let bound = match &gateway.auth.token_scopes {
            Some(scopes) => Grants::new(Role::Operator, scopes.iter().map(String::as_str)),
            None => Grants::all(Role::Operator),
        };
        Some(Self {
            hash: hash.to_owned(),
            token_digest: digest(token_digest)?,
            bound,
            limits: Limits {
                attempts_max: rate.max_attempts.unwrap_or(default.attempts_max).max(1),
                window: rate.window_ms.map_or(default.window, Duration::from_millis),
                lockout: rate.lockout_ms.map_or(default.lockout, Duration::from_millis),
                exempt_loopback: rate.exempt_loopback.unwrap_or(default.exempt_loopback),
            },
            door: Door::new(gateway),
            drain: plan::answers(gateway.drain_seconds),
        })
    }
}

impl Door {
    fn new(gateway: &GatewayView) -> Self {
        let listed = gateway
            .control_ui
            .allowed_origins
            .iter()
            .chain(&gateway.public_origin);
        let origins: HashSet<String> = listed
            .map(|origin| origin.trim_end_matches('/').to_ascii_lowercase())
            .collect();
        let hosts = origins
            .iter()
            .filter_map(|origin| origin.split_once("://"))
            .map(|(_, host)| host_of(host));
        let proxies = gateway.trusted_proxies.iter().filter_map(|text| {
            let range = Range::parse(text);
            if range.is_none() {
                tracing::warn!(
                    entry = text,
                    "gateway.trustedProxies has an entry that is no address or range"
                );
            }
            range
        });
        Self {
            hosts: hosts.map(str::to_owned).collect(),
            proxies: proxies.collect(),
            origins,
        }
    }
}

fn digest(hex: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let mut digits = hex.chars().map(|digit| digit.to_digit(16));
    for byte in &mut digest {
        let (high, low) = (digits.next()??, digits.next()??);
        *byte = u8::try_from(high << 4 | low).ok()?;
    }
    digits.next().is_none().then_some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_its_addresses_however_they_are_written() {
        let holds = |range: &str, ip: &str| Range::parse(range).unwrap().contains(ip.parse().unwrap());

        assert!(holds("10.0.0.0/8", "10.200.3.4") && holds("10.0.0.0/8", "::ffff:10.1.1.1"));
        assert!(!holds("10.0.0.0/8", "11.0.0.1") && holds("0.0.0.0/0", "11.0.0.1"));
        assert!(holds("192.0.2.7", "192.0.2.7") && !holds("192.0.2.7", "192.0.2.8"));
        assert!(holds("fd00::/8", "fd12::1") && !holds("fd00::/8", "10.0.0.1") && holds("::/0", "fe80::1"));
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "host", "::1/129", "1.2.3.4/x"] {
            assert_eq!(Range::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_revision_without_a_digest_lets_nobody_in() {
        let view = View::default();

        assert!(Policy::new("h", &"0f".repeat(32), &view).is_some());
        for bad in ["", "0f", "zz", &"0f".repeat(33)] {
            assert!(Policy::new("h", bad, &view).is_none());
        }
    }

    #[test]
    fn token_scopes_narrow_what_the_token_is_bound_to() {
        let view: View =
            serde_json::from_str(r#"{"gateway":{"auth":{"tokenScopes":["operator.read"]},"port":1}}"#)
                .unwrap();

        let policy = Policy::new("h", &"0f".repeat(32), &view).unwrap();

        assert_eq!(policy.bound.scopes().collect::<Vec<_>>(), ["operator.read"]);
    }
}
