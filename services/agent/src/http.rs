//! The clients for all providers. A key must not follow a redirect to another host, and tokens must not wait for each other.

use std::time::Duration;

use gatehouse_core::net::is_localhost;
use url::{Host, Url};

/// A provider on the same machine or across the world accepts a connection in this time, or is away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How soon a connection on which nothing comes is asked whether its other end still lives, and how often: a request may wait for
/// minutes, and a server that lost its power says nothing. Found within a minute.
const KEEPALIVE: Duration = Duration::from_secs(20);
const KEEPALIVE_RETRIES: u32 = 4;
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// One client for this machine and one for the rest of the world.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    /// Takes the proxy of the environment, if there is one.
    abroad: reqwest::Client,
    /// Takes none: a proxy knows nothing of this machine's own servers, and would be told the key.
    here: reqwest::Client,
}

impl Http {
    pub(crate) fn new() -> reqwest::Result<Self> {
        let builder = || {
            reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .connect_timeout(CONNECT_TIMEOUT)
                .tcp_keepalive(KEEPALIVE)
                .tcp_keepalive_interval(KEEPALIVE_INTERVAL)
                .tcp_keepalive_retries(KEEPALIVE_RETRIES)
                .http2_keep_alive_interval(KEEPALIVE)
                .http2_keep_alive_timeout(KEEPALIVE)
                .tcp_nodelay(true)
                .user_agent(concat!("gatehouse/", env!("CARGO_PKG_VERSION")))
        };
        Ok(Self {
            abroad: builder().build()?,
            here: builder().no_proxy().build()?,
        })
    }

    /// The client for an address.
    pub(crate) fn to(&self, url: &Url) -> reqwest::Client {
        if is_this_machine(url) {
            self.here.clone()
        } else {
            self.abroad.clone()
        }
    }
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback() || ip.is_unspecified(),
        Some(Host::Ipv6(ip)) => {
            let ip = ip.to_canonical();
            ip.is_loopback() || ip.is_unspecified()
        }
        Some(Host::Domain(name)) => is_localhost(name),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_this_machine_are_known_by_what_they_are() {
        for here in [
            "http://127.0.0.1:11434/v1",
            "http://127.9.9.9",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0.0.0.0:1",
            "http://[::1]:1",
            "http://[::ffff:127.0.0.1]:1",
            "http://[::]:1",
            "http://localhost:1",
            "http://LOCALHOST.:1",
            "http://ollama.localhost",
        ] {
            assert!(is_this_machine(&Url::parse(here).unwrap()), "{here}");
        }
        for abroad in [
            "http://127.evil.example",
            "http://localhost.evil.example",
            "http://notlocalhost",
            "http://10.0.0.1",
            "https://api.openai.com",
            "http://[2001:db8::1]",
        ] {
            assert!(!is_this_machine(&Url::parse(abroad).unwrap()), "{abroad}");
        }
    }
}
