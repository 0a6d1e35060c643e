//! Where the page of metrics is wanted.

use std::{fmt, net::SocketAddr, str::FromStr};

/// Where the page is unless told otherwise; when that is taken, for example by a second gateway, a free port is.
pub(crate) const DEFAULT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 18_790);

/// Where the page is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Nowhere.
    Off,
    /// There, or the gateway does not start.
    At(SocketAddr),
}

/// Why a text says no place for metrics.
#[derive(Debug)]
pub(crate) struct NoPlace;

impl fmt::Display for NoPlace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("write a port (0 takes a free one), an address such as 127.0.0.1:18790, or `off`")
    }
}

impl std::error::Error for NoPlace {}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::At(address) => address.fmt(f),
        }
    }
}

impl FromStr for Wanted {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        if text == "off" {
            return Ok(Self::Off);
        }
        let port = text.parse().map(|port| SocketAddr::new(DEFAULT.ip(), port));
        port.or_else(|_| text.parse()).map(Self::At).map_err(|_| NoPlace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_port_an_address_or_off() {
        for (text, wanted) in [
            ("off", Wanted::Off),
            ("0", Wanted::At("127.0.0.1:0".parse().unwrap())),
            ("9464", Wanted::At("127.0.0.1:9464".parse().unwrap())),
            ("0.0.0.0:9464", Wanted::At("0.0.0.0:9464".parse().unwrap())),
            ("[::1]:9464", Wanted::At("[::1]:9464".parse().unwrap())),
        ] {
            assert_eq!(text.parse::<Wanted>().unwrap(), wanted, "{text}");
        }
        for text in ["", "on", "70000", "localhost", "unix:/x"] {
            let error = text.parse::<Wanted>().unwrap_err();
            assert!(error.to_string().contains("127.0.0.1:18790"), "{text}");
        }
    }
}
