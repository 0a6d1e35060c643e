//! Ranges of trusted proxies that are too wide to be proxies. Whoever is in such a range chooses the address that the gateway
//! takes a caller for, and so escapes lock-outs.

use std::net::Ipv6Addr;

use gatehouse_document::gateway::network;
use ipnet::{IpNet, Ipv6Net};

/// The widest IPv4 ranges that networks at home have: 10.0.0.0/8.
const IPV4_PREFIX_MIN: u8 = 8;

/// What one provider gives at most to one customer, and as wide as `fc00::/7` is not meant to be used: RFC 4193, RFC 6177.
const IPV6_PREFIX_MIN: u8 = 32;

/// All private and loopback ranges together are two and a bit of 2^24; ranges that cover more are the world in pieces.
const IPV4_ADDRESSES_MAX: u64 = 4 << 24;

/// Unique local addresses, all of them: what IPv6 has in place of 10.0.0.0/8.
const UNIQUE_LOCAL: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7);

/// The keys of ranges that are too wide, and what they do.
pub(super) fn wide(proxies: &[String]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut covered: u64 = 0;
    let mut is_wide = false;
    for (index, text) in proxies.iter().enumerate() {
        let Some(net) = network(text) else {
            continue;
        };
        let too_wide = match net {
            IpNet::V4(net) => {
                covered = covered.saturating_add(1 << (32 - u32::from(net.prefix_len())));
                net.prefix_len() < IPV4_PREFIX_MIN
            }
            IpNet::V6(net) => {
                covers_ipv4(net) || net.prefix_len() < IPV6_PREFIX_MIN && !UNIQUE_LOCAL.contains(&net)
            }
        };
        if too_wide {
            is_wide = true;
            let does = format!(
                "believes what {text:?} says about who is calling: anybody in it passes for any address, and no lock-out holds; \
                 name the address of your proxy"
            );
            found.push((format!("gateway.trustedProxies[{index}]"), does));
        }
    }
    if !is_wide && covered > IPV4_ADDRESSES_MAX {
        let does = "believe a large part of the internet about who is calling: anybody there passes for any address, and no \
                    lock-out holds; name the address of your proxy";
        found.push(("gateway.trustedProxies".to_owned(), does.to_owned()));
    }
    found
}

/// A range around all IPv4 addresses as IPv6 writes them: its IPv6 address is not what it covers.
fn covers_ipv4(net: Ipv6Net) -> bool {
    net.addr().to_ipv4_mapped().is_some() && net.prefix_len() < 96
}
