//! What the configuration says about who is let in, in a form that can be asked for each request.

use std::collections::HashSet;

use gatehouse_core::net::host_of;
use gatehouse_document::{Gateway, gateway::network};
use ipnet::IpNet;

/// Which requests are let up to the handshake.
#[derive(Debug, Clone, Default)]
pub(crate) struct AdmissionPolicy {
    /// Origins that may connect, in lower case.
    pub(crate) origins: HashSet<String>,
    /// Names that `Host` may carry beside loopback and addresses, in lower case, without port.
    pub(crate) hosts: HashSet<String>,
    pub(crate) proxies: Vec<IpNet>,
}

impl AdmissionPolicy {
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
            let range = network(text);
            if range.is_none() {
                tracing::warn!(
                    entry = text,
                    "gateway.trustedProxies has an entry that is not an address or a range"
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
