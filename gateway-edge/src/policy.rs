//! What the configuration says about the door, read once per revision into a form that the door can use.

use std::{collections::HashSet, net::IpAddr, time::Duration};

use gatehouse_core::{config::Revision, drain::plan, net::host_of};
use gatehouse_document::{Document, Gateway};

use crate::{auth::Credentials, throttle::Limits};

/// One revision, ready for use.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) hash: String,
    /// Who may come in.
    pub(crate) credentials: Credentials,
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
    /// Reads a revision. `None` when nobody could come in with it: there is always the gateway token.
    pub(crate) fn new(revision: &Revision<Document>) -> Option<Self> {
        let gateway = &revision.value.gateway;
        let rate = &gateway.auth.rate_limit;
        let credentials = Credentials::read(&revision.credentials);
        (!credentials.is_empty()).then(|| Self {
            hash: revision.hash.clone(),
            credentials,
            limits: Limits {
                attempts_max: rate.max_attempts.max(1),
                window: Duration::from_millis(rate.window_ms),
                lockout: Duration::from_millis(rate.lockout_ms),
                exempt_loopback: rate.exempt_loopback,
            },
            door: Door::new(gateway),
            drain: plan::answers(Some(gateway.drain_seconds.into())),
        })
    }
}

impl Door {
    pub(crate) fn new(gateway: &Gateway) -> Self {
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

#[cfg(test)]
mod tests {
    use gatehouse_contract::{Grants, Role};
    use gatehouse_document::{
        gateway::{ATTEMPTS_MAX, DRAIN_SECONDS_MAX, LOGIN_MS, OperatorScope},
        samples,
    };
    use gatehouse_proto::config::v1::Credential;

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

    fn revision(config: &str, credentials: Vec<Credential>) -> Revision<Document> {
        Revision {
            hash: "h".into(),
            credentials,
            value: serde_json::from_str(config).unwrap(),
        }
    }

    fn shared() -> Credential {
        Credential {
            id: "shared".into(),
            digest: "0f".repeat(32),
            role: "operator".into(),
            ..Credential::default()
        }
    }

    #[test]
    fn a_revision_without_a_credential_is_not_taken() {
        let torn = Credential {
            digest: "0f".into(),
            ..shared()
        };

        assert!(Policy::new(&revision("{}", vec![shared()])).is_some());
        assert!(Policy::new(&revision("{}", Vec::new())).is_none());
        assert!(Policy::new(&revision("{}", vec![torn])).is_none());
    }

    #[test]
    fn the_document_and_the_contracts_know_the_same_scopes() {
        let mut document: Vec<&str> = OperatorScope::ALL
            .into_iter()
            .map(OperatorScope::as_str)
            .collect();
        let mut contract: Vec<&str> = Grants::all(Role::Operator).scopes().collect();

        document.sort_unstable();
        contract.sort_unstable();
        assert_eq!(document, contract);
        for scope in OperatorScope::ALL {
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
        }
    }

    #[test]
    fn the_bounds_of_the_document_are_applied() {
        let read = |sample: &str| {
            let value: serde_json::Value = json5::from_str(sample).unwrap();
            Policy::new(&revision(&value.to_string(), vec![shared()])).unwrap()
        };

        let (most, least) = (read(samples::MAXIMAL), read(samples::MINIMAL));

        let limits = |attempts_max, ms, exempt_loopback| Limits {
            attempts_max,
            window: Duration::from_millis(ms),
            lockout: Duration::from_millis(ms),
            exempt_loopback,
        };
        assert_eq!(most.limits, limits(ATTEMPTS_MAX, LOGIN_MS.1, false));
        assert_eq!(least.limits, limits(1, LOGIN_MS.0, true));
        assert_eq!(most.drain, Duration::from_secs(DRAIN_SECONDS_MAX.into()));
        assert_eq!(least.drain, Duration::ZERO);
        assert_eq!(most.door.proxies.len(), 2);
        assert!(most.door.hosts.contains("home.example.org") && most.door.hosts.contains("ui.example.org"));
    }
}
