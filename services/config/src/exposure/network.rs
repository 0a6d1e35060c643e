//! Ranges of trusted proxies that are too wide to be proxies. Whoever is in such a range chooses the address that the gateway
//! takes a caller for, and so escapes lock-outs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The widest IPv4 ranges that networks at home have: 10.0.0.0/8.
const IPV4_PREFIX_MIN: u8 = 8;

/// What one provider gives at most to one customer, and as wide as `fc00::/7` is not meant to be used: RFC 4193, RFC 6177.
const IPV6_PREFIX_MIN: u8 = 32;

/// All private and loopback ranges together are two and a bit of 2^24; ranges that cover more are the world in pieces.
const IPV4_ADDRESSES_MAX: u64 = 4 << 24;

/// Unique local addresses, all of them: what IPv6 has in place of 10.0.0.0/8.
const UNIQUE_LOCAL: (Ipv6Addr, u8) = (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7);

/// The keys of ranges that are too wide, and what they do.
pub(super) fn wide(proxies: &[String]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut covered: u64 = 0;
    let mut is_wide = false;
    for (index, text) in proxies.iter().enumerate() {
        let Some((address, prefix)) = parse(text) else {
            continue;
        };
        let too_wide = match address {
            IpAddr::V4(_) => {
                covered = covered.saturating_add(1 << (32 - u32::from(prefix.min(32))));
                prefix < IPV4_PREFIX_MIN
            }
            IpAddr::V6(address) => prefix < IPV6_PREFIX_MIN && !is_unique_local(address, prefix),
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

/// The address and the prefix; an IPv4 range that is written as IPv6 is an IPv4 range.
fn parse(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address.parse::<IpAddr>().ok()?, Some(prefix.parse::<u8>().ok()?)),
        None => (text.parse::<IpAddr>().ok()?, None),
    };
    Some(match address {
        IpAddr::V4(address) => (address.into(), prefix.unwrap_or(32)),
        IpAddr::V6(address) => {
            let prefix = prefix.unwrap_or(128);
            match address.to_ipv4_mapped() {
                Some(inner) if prefix >= 96 => (inner.into(), prefix - 96),
                // A range around all mapped addresses: its one IPv6 address is not what it covers.
                Some(_) => (Ipv4Addr::UNSPECIFIED.into(), 0),
                None => (address.into(), prefix),
            }
        }
    })
}

fn is_unique_local(address: Ipv6Addr, prefix: u8) -> bool {
    let (local, least) = UNIQUE_LOCAL;
    let mask = u128::MAX << (128 - u32::from(least));
    prefix >= least && (u128::from(address) & mask) == u128::from(local)
}
