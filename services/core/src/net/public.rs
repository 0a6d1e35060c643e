//! Which addresses are those of the Internet. What others name as the place to send something to is looked up once, every answer is
//! judged, and the connection goes to what was judged: a name that means something else a moment later changes nothing.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::{net::lookup_host, time::timeout};

/// Finding the addresses of a name.
const LOOK_UP_WITHIN: Duration = Duration::from_secs(5);

/// Addresses of one name that are taken: the first is tried first.
const ADDRESSES_MAX: usize = 8;

/// IPv4 networks that are not the Internet (RFC 6890 and its registry), and one address of a cloud's own services that looks as if it
/// were: Azure's.
const NOT_V4: [(Ipv4Addr, u32); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(169, 254, 0, 0), 16), // also where clouds tell a machine its secrets
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The IPv6 networks inside 2000::/3 that are not: special assignments with Teredo, examples, 6to4, and more examples.
const NOT_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether an address is one of the Internet, however it is written. One that holds an IPv4 address is what that one is.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => {
            let bits = ip.to_bits();
            let low = u32::try_from(bits & u128::from(u32::MAX)).unwrap_or(0);
            if bits - u128::from(low) == super::NAT64 {
                return is_public_v4(Ipv4Addr::from_bits(low));
            }
            // What the Internet uses at all (RFC 4291, 2.4).
            bits >> 125 == 1
                && !NOT_V6
                    .iter()
                    .any(|(net, length)| net.to_bits() >> (128 - length) == bits >> (128 - length))
        }
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let is_in =
        |(net, length): &(Ipv4Addr, u32)| net.to_bits() >> (32 - length) == ip.to_bits() >> (32 - length);
    !NOT_V4.iter().any(is_in)
}

/// Whether an address is where a cloud tells a machine its secrets, or this machine's own: nothing is ever sent there for others.
#[must_use]
pub fn is_off_limits(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_multicast()
                || ip == Ipv4Addr::new(168, 63, 129, 16)
                || ip == Ipv4Addr::new(100, 100, 100, 200) // Alibaba's
        }
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_multicast()
                || ip.is_unicast_link_local()
                || ip == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254) // Amazon's
        }
    }
}

/// Why nothing is sent to a name.
#[derive(Debug, thiserror::Error)]
pub enum NotPublic {
    /// It has no address.
    #[error("its name leads nowhere")]
    Unknown(#[source] Option<io::Error>),
    /// One of its addresses is not one of the Internet.
    #[error("its name leads to an address that is not one of the Internet")]
    Private,
}

/// The addresses of a name, each of which `may` be used. One that may not refuses all: whoever answers so means it.
///
/// # Errors
/// When it has none, or one that may not be used.
pub async fn look_up(
    host: &str,
    port: u16,
    may: impl Fn(IpAddr) -> bool,
) -> Result<Vec<SocketAddr>, NotPublic> {
    let found = timeout(LOOK_UP_WITHIN, lookup_host((host, port))).await;
    let found = found.map_err(|_| NotPublic::Unknown(None))?;
    let found = found.map_err(|error| NotPublic::Unknown(Some(error)))?;
    let addresses: Vec<SocketAddr> = found.take(ADDRESSES_MAX).collect();
    if addresses.is_empty() {
        return Err(NotPublic::Unknown(None));
    }
    if !addresses.iter().all(|address| may(address.ip())) {
        return Err(NotPublic::Private);
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_of_the_internet_are_told_from_all_others_however_they_are_written() {
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "172.15.255.255",
            "172.32.0.0",
            "100.63.0.1",
            "100.128.0.1",
            "223.255.255.255",
            "2606:4700:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ] {
            assert!(is_public(ip(public)), "{public}");
        }
        for other in [
            "0.0.0.0",
            "0.1.2.3",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.0.1",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(ip(other)), "{other}");
        }
    }

    #[test]
    fn what_is_off_limits_is_so_for_everybody() {
        for never in [
            "127.0.0.1",
            "169.254.169.254",
            "::1",
            "::ffff:127.0.0.1",
            "fe80::1",
            "fd00:ec2::254",
            "0.0.0.0",
        ] {
            assert!(is_off_limits(ip(never)), "{never}");
        }
        for own in ["192.168.1.7", "10.0.0.1", "fd12::1", "1.1.1.1"] {
            assert!(!is_off_limits(ip(own)), "{own}");
        }
    }

    #[tokio::test]
    async fn a_name_with_one_address_that_may_not_be_used_is_refused() {
        let found = look_up("127.0.0.1", 80, |_| true).await.unwrap();
        assert_eq!(found, ["127.0.0.1:80".parse().unwrap()]);

        assert!(matches!(
            look_up("127.0.0.1", 80, is_public).await,
            Err(NotPublic::Private)
        ));
        assert!(matches!(
            look_up("", 80, |_| true).await,
            Err(NotPublic::Unknown(_))
        ));
    }
}
