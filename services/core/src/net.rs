//! What an address says about who is behind it: which addresses count as one peer, which of them many peers share, and which
//! host names nobody else can own. Every bound, lock-out and `Host` check goes by these functions, so that what one of them
//! counts as one no other counts as many.

pub mod public;

use std::{
    fmt, fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// The network of one IPv6 customer: whoever has one address of it has all (RFC 6177).
const CUSTOMER: u128 = !(u64::MAX as u128);

/// The well-known prefix of NAT64 (RFC 6052): the IPv4 address is in its last 32 bits.
const NAT64: u128 = 0x0064_ff9b << 96;

/// Names of a network at home. No server of the Internet answers for them, or only for one owner who gives none away: multicast
/// DNS (RFC 6762), home networks (RFC 8375), private ones (ICANN, 2024), what routers call theirs (RFC 6762, appendix G; the root
/// has none of them, and `home` and `corp` are withheld for good), and AVM's name for its own routers.
const AT_HOME: [&str; 11] = [
    ".local",
    ".home.arpa",
    ".internal",
    ".lan",
    ".home",
    ".localdomain",
    ".intranet",
    ".private",
    ".corp",
    ".fritz.box",
    ".speedport.ip",
];

/// One peer, as bounds and lock-outs count it, however its address is written.
///
/// IPv4 written as IPv6 is IPv4, loopback is one peer whichever of its addresses is used, and an IPv6 network of 64 bits is one
/// peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerKey(IpAddr);

impl PeerKey {
    /// The peer that this address belongs to.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        let ip = ip.to_canonical();
        if ip.is_loopback() {
            return Self(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        let IpAddr::V6(v6) = ip else { return Self(ip) };
        let bits = v6.to_bits();
        let low = u32::try_from(bits & u128::from(u32::MAX)).unwrap_or(0);
        if bits - u128::from(low) == NAT64 {
            return Self::of(IpAddr::V4(Ipv4Addr::from_bits(low)));
        }
        Self(IpAddr::V6(Ipv6Addr::from_bits(bits & CUSTOMER)))
    }
}

impl fmt::Display for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(ip) => ip.fmt(f),
            IpAddr::V6(ip) => write!(f, "{ip}/64"),
        }
    }
}

/// Addresses of this network behind which many peers stand: its gateways. A container sees every client of its host under the
/// address of the bridge, which is its gateway.
#[derive(Clone, Debug, Default)]
pub struct Gateways(Vec<IpAddr>);

impl Gateways {
    /// Reads the routes of this process's network. Where there are none to read, there are no gateways.
    #[must_use]
    pub fn of_this_network() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self::parse(&read("/proc/net/route"), &read("/proc/net/ipv6_route"))
    }

    /// From the text of the kernel's two tables (proc(5)). IPv4 addresses are written as the bytes lie in memory.
    fn parse(v4: &str, v6: &str) -> Self {
        let v4 = v4.lines().filter_map(|line| {
            let gateway = u32::from_str_radix(line.split_whitespace().nth(2)?, 16).ok()?;
            Some(IpAddr::V4(Ipv4Addr::from(gateway.to_ne_bytes())))
        });
        let v6 = v6.lines().filter_map(|line| {
            let next_hop = u128::from_str_radix(line.split_whitespace().nth(4)?, 16).ok()?;
            Some(IpAddr::V6(Ipv6Addr::from_bits(next_hop)))
        });
        Self(v4.chain(v6).filter(|ip| !ip.is_unspecified()).collect())
    }

    /// Whether this is the address of one of them.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.0.contains(&ip.to_canonical())
    }
}

/// The addresses of this machine, as its network has them now, loopback aside. None where the kernel does not tell.
#[must_use]
pub fn own_addresses() -> Vec<IpAddr> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    own(&read("/proc/net/fib_trie"), &read("/proc/net/if_inet6"))
}

/// The address of this machine in a tailnet: Tailscale gives out 100.64.0.0/10 and fd7a:115c:a1e0::/48.
#[must_use]
pub fn tailnet_address() -> Option<IpAddr> {
    let mut of_tailnet: Vec<IpAddr> = own_addresses().into_iter().filter(is_of_tailnet).collect();
    of_tailnet.sort(); // IPv4 first
    of_tailnet.first().copied()
}

fn is_of_tailnet(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => matches!(ip.octets(), [100, 64..=127, ..]),
        IpAddr::V6(ip) => matches!(ip.segments(), [0xfd7a, 0x115c, 0xa1e0, ..]),
    }
}

/// From the text of the kernel's two tables. In the first, an address stands on the line before the one that says what it is.
fn own(v4: &str, v6: &str) -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = Vec::new();
    let mut last = None;
    for line in v4.lines() {
        if let Some(address) = line.trim().strip_prefix("|-- ") {
            last = address.parse::<Ipv4Addr>().ok();
        } else if line.trim() == "/32 host LOCAL" {
            found.extend(last.map(IpAddr::V4));
        }
    }
    let v6 = v6.lines().filter_map(|line| {
        let digits = line.split_whitespace().next()?;
        Some(IpAddr::V6(Ipv6Addr::from_bits(
            u128::from_str_radix(digits, 16).ok()?,
        )))
    });
    found.extend(v6);
    let is_link_local = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    found.retain(|ip| !ip.is_loopback() && !is_link_local(ip));
    found.sort();
    found.dedup();
    found
}

/// The name in `name:port`, `[::1]:port` or `name`, without brackets.
#[must_use]
pub fn host_of(authority: &str) -> &str {
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((address, rest)) = authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let ends = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
        // What is neither an address nor one with a port is no name of anything.
        return if ends { address } else { authority };
    }
    match authority.rsplit_once(':') {
        Some((name, port)) if is_port(port) && !name.contains(':') => name,
        _ => authority,
    }
}

/// What kind of name a `Host` is, as far as DNS rebinding is concerned: a page whose owner makes the page's own name point
/// here can reach only what answers to that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostName {
    /// An address, or a name of this machine: it cannot be made to point elsewhere.
    Fixed,
    /// A name that is none on the Internet: one without a dot, as container networks use them, or one of those that are kept
    /// for the network at home. Pages have no business with them.
    Plain,
    /// Anything else: somebody may own it.
    Owned,
}

impl HostName {
    /// The kind of this name, which comes without its port.
    #[must_use]
    pub fn of(name: &str) -> Self {
        if is_localhost(name) {
            return Self::Fixed;
        }
        let name = name.to_ascii_lowercase();
        match name.parse::<IpAddr>() {
            Ok(ip) if ip.is_unspecified() => Self::Owned,
            Ok(_) => Self::Fixed,
            Err(_) if name.contains([':', '@']) || !labels(&name) => Self::Owned,
            Err(_) if !name.contains('.') || AT_HOME.iter().any(|end| name.ends_with(end)) => Self::Plain,
            Err(_) => Self::Owned,
        }
    }
}

/// Whether a name is this machine's own wherever it is asked for: `localhost` and every name below it, in any case, with or without
/// the dot of the root (RFC 6761, 6.3).
#[must_use]
pub fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Whether a name consists of labels, each with something in it.
fn labels(name: &str) -> bool {
    name.split('.').all(|label| !label.is_empty())
}

#[cfg(test)]
mod tests;
