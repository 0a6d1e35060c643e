//! What an operator gives the edge.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use gatehouse_core::{Credentials, Env, Listener, Service, ServiceSettings, settings::SettingsError};
use tokio::net::{TcpListener, TcpSocket};

use crate::{App, Error, admission::Bounds, budget, hello, outbox};

/// OpenClaw's, so that clients find the door.
const PORT: u16 = 18_789;

/// Where `/metrics` is served unless told otherwise; when it is taken, the edge goes on without.
const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 18_790);

/// Sockets that the kernel keeps until they are accepted: as many as have a place. With the usual 128 the SYNs of a thousand
/// clients that come back at once, or of one that floods, cost everybody else a second (the first retransmission).
const ACCEPT_QUEUE_MAX: u32 = 4096;

/// Everything the edge is given.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What every service is given.
    pub service: ServiceSettings,
    /// `GATEHOUSE_BIND` and `GATEHOUSE_PORT`: where clients connect; default 127.0.0.1:18789. Port 0 takes a free one.
    pub public: SocketAddr,
    /// Where `/metrics` is served, and whether the edge may go on without.
    pub(crate) metrics: Option<(SocketAddr, Need)>,
    pub(crate) limits: Limits,
}

/// Whether something must work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Asked for by name.
    Must,
    /// A default.
    May,
}

/// The bounds of the door. The protocol fixes most; tests make them small.
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
    pub strangers_max: usize,
    /// The same, of one peer that is not shared by many.
    pub strangers_of_one_max: usize,
    /// Sockets of all kinds.
    pub sockets_max: usize,
    /// How long the body of a webhook may take before it has to keep the rate.
    pub webhook_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let Bounds {
            strangers_max,
            strangers_of_one_max,
            sockets_max,
        } = Bounds::default();
        Self {
            handshake_max: Duration::from_secs(15),
            outbox_bytes_max: outbox::BYTES_MAX,
            waiting_bytes_max: budget::WAITING_MAX,
            requests_max: 256,
            // A screen follows a few runs. What a service grants one connection is shared with others beside it.
            waits_max: 128,
            // One request of the largest size must pass, and another beside it.
            request_bytes_max: 2 * hello::PAYLOAD_MAX,
            strangers_max,
            strangers_of_one_max,
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
    pub fn read(env: &Env) -> Result<Self, SettingsError> {
        let mut mistakes = Vec::new();
        let service = match ServiceSettings::read(env, Service::Edge) {
            Ok(service) => Some(service),
            Err(SettingsError(more)) => {
                mistakes.extend(more);
                None
            }
        };
        let port = env.parse::<u16>("GATEHOUSE_PORT").unwrap_or_else(|mistake| {
            mistakes.push(mistake);
            None
        });
        let ip = env.parse::<IpAddr>("GATEHOUSE_BIND").unwrap_or_else(|mistake| {
            mistakes.push(mistake);
            None
        });
        let (Some(service), true) = (service, mistakes.is_empty()) else {
            return Err(SettingsError(mistakes));
        };
        let metrics = match (env.get("GATEHOUSE_METRICS_LISTEN"), service.metrics) {
            (None, _) => Some((METRICS, Need::May)),
            (Some(_), Some(address)) => Some((address, Need::Must)),
            (Some(_), None) => None,
        };
        let public = SocketAddr::new(
            ip.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            port.unwrap_or(PORT),
        );
        Ok(Self {
            service,
            public,
            metrics,
            limits: Limits::default(),
        })
    }

    /// On a free port of loopback, without metrics, for tests.
    #[must_use]
    pub fn for_tests(service: ServiceSettings) -> Self {
        let public = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        Self {
            service,
            public,
            metrics: None,
            limits: Limits::default(),
        }
    }

    /// With other bounds.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Binds. Nothing runs yet.
    ///
    /// # Errors
    /// When an address cannot be bound or the credentials cannot be read.
    pub async fn build(self) -> Result<App, Error> {
        let credentials = Credentials::load(&self.service)
            .await
            .map_err(Error::Credential)?;
        let public = self.public;
        let door = listen(public).map_err(|source| Error::Bind {
            address: public,
            source,
        })?;
        let address = door.local_addr().map_err(|source| Error::Bind {
            address: public,
            source,
        })?;
        let own = Listener::bind(&self.service.listen)
            .await
            .map_err(Error::Listen)?;
        Ok(App::new(self, credentials, door, address, own))
    }
}

/// As `TcpListener::bind`, with a longer queue.
fn listen(public: SocketAddr) -> io::Result<TcpListener> {
    let socket = match public {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restart must not wait for the last sockets of the one before.
    socket.set_reuseaddr(true)?;
    socket.bind(public)?;
    socket.listen(ACCEPT_QUEUE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_let_clients_find_the_door_and_nobody_else() {
        let settings = Settings::read(&Env::default()).unwrap();

        assert_eq!(settings.public, "127.0.0.1:18789".parse().unwrap());
        assert_eq!(settings.metrics, Some((METRICS, Need::May)));
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let env = Env::of([
            ("GATEHOUSE_PORT", "door"),
            ("GATEHOUSE_BIND", "lan"),
            ("GATEHOUSE_SESSION_ADDRESS", "?"),
        ]);

        let SettingsError(mistakes) = Settings::read(&env).unwrap_err();

        assert_eq!(mistakes.len(), 3, "{mistakes:?}");
    }

    #[test]
    fn metrics_that_were_asked_for_must_work_and_can_be_off() {
        let metrics = |value| {
            Settings::read(&Env::of([("GATEHOUSE_METRICS_LISTEN", value)]))
                .unwrap()
                .metrics
        };

        assert_eq!(metrics("off"), None);
        assert_eq!(
            metrics("127.0.0.1:9"),
            Some(("127.0.0.1:9".parse().unwrap(), Need::Must))
        );
    }
}
