//! What an operator gives the edge.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use gatehouse_core::{Env, settings::SettingsError};
use tokio::net::{TcpListener, TcpSocket};

use crate::{
    admission::Bounds,
    budget,
    limits::{BUFFERED_BYTES_MAX, PAYLOAD_MAX},
};

/// OpenClaw's, so that clients find the listener.
const PORT: u16 = 18_789;

/// Where `/metrics` is served unless told otherwise; when it is taken, the edge goes on without.
pub(crate) const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 18_790);

/// Sockets that the kernel keeps until they are accepted: as many as have a place. With the usual 128 the SYNs of a thousand
/// clients that come back at once, or of one that floods, cost everybody else a second (the first retransmission).
const ACCEPT_QUEUE_MAX: u32 = 4096;

/// What the edge alone is given.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `GATEHOUSE_BIND` and `GATEHOUSE_PORT`: where clients connect; default 127.0.0.1:18789. Port 0 takes a free one.
    pub public: SocketAddr,
    /// `GATEHOUSE_CONTROL_UI`: the folder of a Control UI, before what the configuration names.
    pub control_ui: Option<PathBuf>,
    /// Its bounds.
    pub limits: Limits,
}

/// The bounds of the listener and its connections. The protocol fixes most; tests make them small.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long a socket may take to say `connect`.
    pub handshake_max: Duration,
    /// Bytes that wait for one socket.
    pub outbox_bytes_max: usize,
    /// Bytes that wait for all sockets together, beside the bodies of events, which they share.
    pub waiting_bytes_max: usize,
    /// Requests of one connection under way.
    pub requests_max: usize,
    /// Long waits of one connection under way, on top of them.
    pub waits_max: usize,
    /// Their bytes.
    pub request_bytes_max: usize,
    /// Sockets without a token, all together.
    pub unauthenticated_max: usize,
    /// The same, of one peer that is not shared by many.
    pub unauthenticated_of_one_max: usize,
    /// Sockets of all kinds.
    pub sockets_max: usize,
    /// How long the body of a webhook may take before it has to keep the rate.
    pub webhook_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let Bounds {
            unauthenticated_max,
            unauthenticated_of_one_max,
            sockets_max,
        } = Bounds::default();
        Self {
            handshake_max: Duration::from_secs(15),
            outbox_bytes_max: BUFFERED_BYTES_MAX,
            waiting_bytes_max: budget::WAITING_MAX,
            requests_max: 256,
            // A screen follows a few runs. What a service grants one connection is shared with others beside it.
            waits_max: 128,
            // One request of the largest size must pass, and another beside it.
            request_bytes_max: 2 * PAYLOAD_MAX,
            unauthenticated_max,
            unauthenticated_of_one_max,
            sockets_max,
            webhook_grace: Duration::from_secs(2),
        }
    }
}

impl Settings {
    /// Reads the variables.
    ///
    /// # Errors
    /// Every variable that is set and cannot be read.
    pub(crate) fn read(env: &Env) -> Result<Self, SettingsError> {
        let (port, ip) = match (
            env.parse::<u16>("GATEHOUSE_PORT"),
            env.parse::<IpAddr>("GATEHOUSE_BIND"),
        ) {
            (Ok(port), Ok(ip)) => (port, ip),
            (port, ip) => return Err(SettingsError(port.err().into_iter().chain(ip.err()).collect())),
        };
        let public = SocketAddr::new(
            ip.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            port.unwrap_or(PORT),
        );
        Ok(Self {
            public,
            control_ui: env.get("GATEHOUSE_CONTROL_UI").map(PathBuf::from),
            limits: Limits::default(),
        })
    }

    /// On a free port of loopback, for tests.
    #[must_use]
    pub fn for_tests(limits: Limits) -> Self {
        let public = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self {
            public,
            control_ui: None,
            limits,
        }
    }
}

/// As `TcpListener::bind`, with a longer queue.
pub(crate) fn listen(public: SocketAddr) -> io::Result<TcpListener> {
    let socket = match public {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restart must not wait for the last sockets of the one before.
    socket.set_reuseaddr(true)?;
    socket.bind(public)?;
    socket.listen(ACCEPT_QUEUE_MAX)
}

/// Where programs on this machine look for a gateway that listens on one address of the network: their clients know loopback.
pub(crate) fn beside(public: SocketAddr) -> Option<SocketAddr> {
    let ip = public.ip().to_canonical();
    let is_reached = ip.is_loopback() || ip.is_unspecified();
    (!is_reached).then(|| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), public.port()))
}

#[cfg(test)]
mod tests {
    use gatehouse_core::{Address, service::Settings};

    use super::*;
    use crate::App;

    fn read(env: &Env) -> Result<Settings<App>, SettingsError> {
        Settings::read(env)
    }

    #[test]
    fn defaults_let_clients_find_the_edge_and_nobody_else() {
        let settings = read(&Env::default()).unwrap();

        assert_eq!(settings.own.public, "127.0.0.1:18789".parse().unwrap());
        let metrics = settings.common.metrics.unwrap();
        assert_eq!(metrics.address, Address::Tcp(METRICS.to_string()));
        assert!(!metrics.is_required);
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let env = Env::of([
            ("GATEHOUSE_PORT", "door"),
            ("GATEHOUSE_BIND", "lan"),
            ("GATEHOUSE_SESSION_ADDRESS", "?"),
        ]);

        let SettingsError(mistakes) = read(&env).unwrap_err();

        assert_eq!(mistakes.len(), 3, "{mistakes:?}");
    }

    #[test]
    fn beside_an_address_of_the_network_loopback_is_listened_on() {
        let beside = |public: &str| beside(public.parse().unwrap()).map(|address| address.to_string());

        assert_eq!(beside("100.101.2.3:18789").as_deref(), Some("127.0.0.1:18789"));
        assert_eq!(beside("[fd7a:115c:a1e0::9]:5").as_deref(), Some("127.0.0.1:5"));
        for reached in ["127.0.0.1:5", "0.0.0.0:5", "[::1]:5", "[::]:5"] {
            assert_eq!(beside(reached), None, "{reached}");
        }
    }

    #[test]
    fn metrics_that_were_asked_for_must_work_and_can_be_off() {
        let metrics = |value| {
            let settings = read(&Env::of([("GATEHOUSE_METRICS_LISTEN", value)])).unwrap();
            settings.common.metrics
        };

        assert_eq!(metrics("off"), None);
        let asked = metrics("127.0.0.1:9").unwrap();
        assert_eq!(asked.address, Address::Tcp("127.0.0.1:9".to_owned()));
        assert!(asked.is_required);
    }
}
