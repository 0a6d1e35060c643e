//! The gateway on the local network, by multicast DNS (RFC 6762, RFC 6763): a process of its own that says where the gateway is, and the
//! command that looks who says so.
//!
//! Nothing depends on this process. Without multicast, in a storm of conflicts or when it dies, the gateway is ready and serves; it holds no
//! credential and no connection to a service. What it says is for everybody who listens and can be said by anybody: no secret, no path and
//! no name of a person or machine is in it, and whoever reads it must believe none of it.

mod announce;
mod browse;
mod interfaces;
mod name;
mod place;

pub(crate) use self::{announce::run as announce, browse::run as discover};

use mdns_sd::{IfKind, IfPredicate, ServiceDaemon};

use crate::exit::{Exit, Failed};

/// What clients of OpenClaw look for.
const SERVICE: &str = "_openclaw-gw._tcp.local.";

/// Interfaces on which no household is: bridges of containers and virtual machines, tunnels. How their names begin.
const ELSEWHERE: &[&str] = &[
    "br-",
    "cali",
    "cni",
    "docker",
    "flannel",
    "podman",
    "tailscale",
    "tap",
    "tun",
    "utun",
    "veth",
    "virbr",
    "vmnet",
    "wg",
    "zt",
];

/// A daemon on the interfaces that are meant: one that was named, else those where a household is.
fn daemon(interface: Option<&str>) -> Result<ServiceDaemon, Failed> {
    let failed = |error: mdns_sd::Error| {
        Failed::new(Exit::Failed, format!("cannot use multicast DNS: {error}"))
            .next("the gateway works without it: name its address with --url")
    };
    let daemon = ServiceDaemon::new().map_err(failed)?;
    let named = interface.map(str::to_owned);
    let is_other = IfPredicate::new(move |found| match &named {
        Some(named) => found.name != *named,
        None => found.is_loopback() || !is_at_home(&found.name),
    });
    daemon
        .disable_interface(IfKind::Predicate(is_other))
        .map_err(failed)?;
    Ok(daemon)
}

fn is_at_home(interface: &str) -> bool {
    !ELSEWHERE.iter().any(|begin| interface.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_networks_of_containers_and_tunnels_are_left_alone() {
        for name in ["eth0", "wlan0", "enp3s0", "br0", "en0"] {
            assert!(is_at_home(name), "{name}");
        }
        for name in ["docker0", "br-1a2b3c", "veth12", "tailscale0", "wg0", "tun0"] {
            assert!(!is_at_home(name), "{name}");
        }
    }
}
