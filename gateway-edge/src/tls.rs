//! TLS, ended in front of the edge: each encrypted socket is led through a pair of sockets of our own, and what comes out is served as
//! one that was never encrypted, with the true peer. So the way of a socket without TLS stays as it is, down to the system call.
//!
//! Whether it is on, and with which certificate, is a matter of the newest revision. While it is on, other machines must speak it;
//! programs on this one need not.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use gatehouse_core::Drain;
use rustls::ServerConfig;
use tokio::{
    io::{AsyncWriteExt, copy_bidirectional_with_sizes},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};
use tokio_rustls::TlsAcceptor;

pub(crate) use self::certificate::Source;
use self::certificate::{Loaded, Stamp};
use crate::ends::Ends;

mod certificate;
mod self_signed;

/// A phone on a poor line shakes hands within a second or two.
const PATIENCE: Duration = Duration::from_secs(10);

/// The first byte of a TLS connection: a record of the handshake (RFC 8446, 5.1).
const HANDSHAKE: u8 = 22;

/// What is on its way in each direction. Frames of an answer are smaller.
const PIPE_BYTES: usize = 8 * 1024;

/// How often the files of a certificate are looked at, at most: only when somebody comes.
const LOOK_EACH: Duration = Duration::from_secs(1);

/// What a browser is told that speaks HTTP where TLS is spoken.
const PLAIN_HTTP: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 85\r\n\
    X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n\
    the gateway speaks TLS with other machines: use https:// or wss:// with this address\n";

/// In the folder of sockets: the fingerprint of the certificate that is shown, for the commands of this home.
pub(crate) const FINGERPRINT: &str = "edge.tls";

/// Ends TLS.
#[derive(Debug)]
pub(crate) struct Terminator {
    /// Where a certificate of our own is kept.
    folder: PathBuf,
    /// Where the fingerprint is written for the commands of this home.
    fingerprint: PathBuf,
    state: Mutex<Option<State>>,
}

#[derive(Debug)]
struct State {
    source: Source,
    stamp: Option<Stamp>,
    looked: Instant,
    config: Arc<ServerConfig>,
}

/// Why a socket is not served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotServed {
    #[error("the peer said nothing in time")]
    Late,
    #[error("the peer speaks no TLS")]
    Plain,
    #[error("the handshake of TLS failed")]
    Handshake(#[source] io::Error),
    #[error("there is no certificate: {0}")]
    NoCertificate(String),
    #[error("the socket failed")]
    Socket(#[source] io::Error),
}

impl NotServed {
    /// For the metrics.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Late => "tls-late",
            Self::Plain => "tls-expected",
            Self::Handshake(_) => "tls-failed",
            Self::NoCertificate(_) => "tls-no-certificate",
            Self::Socket(_) => "tls-socket",
        }
    }
}

impl Terminator {
    /// One that keeps its own certificate in `folder`, and tells the fingerprint in a file.
    pub(crate) fn new(folder: PathBuf, fingerprint: PathBuf) -> Self {
        Self {
            folder,
            fingerprint,
            state: Mutex::default(),
        }
    }

    /// The socket to serve in place of one that came in, and whether what is said on it is encrypted.
    pub(crate) async fn take(
        self: &Arc<Self>,
        source: &Source,
        mut stream: TcpStream,
        ends: Ends,
        drain: &Drain,
    ) -> Result<(TcpStream, bool), NotServed> {
        let mut first = [0];
        match timeout(PATIENCE, stream.peek(&mut first)).await {
            Err(_) => return Err(NotServed::Late),
            Ok(Err(error)) => return Err(NotServed::Socket(error)),
            Ok(Ok(_)) if first == [HANDSHAKE] => (),
            Ok(Ok(_)) if ends.is_of_this_machine() => return Ok((stream, false)),
            Ok(Ok(_)) => {
                let told = async {
                    stream.write_all(PLAIN_HTTP).await?;
                    stream.shutdown().await
                };
                let _ = timeout(PATIENCE, told).await;
                return Err(NotServed::Plain);
            }
        }
        let config = self.config(source).await.map_err(NotServed::NoCertificate)?;
        stream.set_nodelay(true).map_err(NotServed::Socket)?;
        let mut shaken = timeout(PATIENCE, TlsAcceptor::from(config).accept(stream))
            .await
            .map_err(|_| NotServed::Late)?
            .map_err(NotServed::Handshake)?;
        let (mut near, far) = timeout(PATIENCE, pair())
            .await
            .map_err(|_| NotServed::Late)?
            .map_err(NotServed::Socket)?;
        drain.spawn_work("tls", async move {
            // Either end may go first; the other is told, and a failure has no one else to be told to.
            let _ = copy_bidirectional_with_sizes(&mut shaken, &mut near, PIPE_BYTES, PIPE_BYTES).await;
        });
        Ok((far, true))
    }

    /// Loads the certificate now, so that a mistake is said before somebody comes.
    pub(crate) async fn prepare(self: &Arc<Self>, source: &Source) {
        if let Err(error) = self.config(source).await {
            tracing::error!(error, "TLS has no certificate: other machines are not served");
        }
    }

    /// Nobody pins a certificate that is not shown any more.
    pub(crate) fn rest(&self) {
        let _ = std::fs::remove_file(&self.fingerprint);
    }

    async fn config(self: &Arc<Self>, source: &Source) -> Result<Arc<ServerConfig>, String> {
        if let Some(config) = self.recent(source) {
            return Ok(config);
        }
        let (terminator, source) = (Arc::clone(self), source.clone());
        let loading = tokio::task::spawn_blocking(move || terminator.load(&source));
        loading.await.unwrap_or_else(|error| Err(error.to_string()))
    }

    /// What was looked at a moment ago.
    fn recent(&self, source: &Source) -> Option<Arc<ServerConfig>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = state.as_ref()?;
        (state.source == *source && state.looked.elapsed() < LOOK_EACH).then(|| Arc::clone(&state.config))
    }

    /// Looks at the files, and reads them if they are others than before. A pair that cannot be read leaves the last one in use: its
    /// owner is in the middle of replacing it.
    fn load(&self, source: &Source) -> Result<Arc<ServerConfig>, String> {
        let stamp = source.stamp();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = state.as_mut().filter(|known| known.source == *source) {
            known.looked = Instant::now();
            if known.stamp == stamp {
                return Ok(Arc::clone(&known.config));
            }
        }
        match source.load(&self.folder) {
            Ok(Loaded { config, fingerprint }) => {
                tracing::info!(
                    fingerprint,
                    "TLS is on; clients pin its certificate by this SHA-256"
                );
                self.tell(&fingerprint);
                *state = Some(State {
                    source: source.clone(),
                    stamp,
                    looked: Instant::now(),
                    config: Arc::clone(&config),
                });
                Ok(config)
            }
            Err(error) => match state.as_mut().filter(|known| known.source == *source) {
                Some(known) => {
                    tracing::warn!(error, "a new certificate cannot be used: the last one stays");
                    known.stamp = stamp;
                    Ok(Arc::clone(&known.config))
                }
                None => Err(error),
            },
        }
    }

    fn tell(&self, fingerprint: &str) {
        let written = std::fs::write(&self.fingerprint, format!("{fingerprint}\n"));
        if let Err(error) = written {
            tracing::warn!(%error, "the fingerprint cannot be written for the commands of this home");
        }
    }
}

/// Two ends of one connection within this process. Its listener takes one, from us, and is gone.
async fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await?;
    let near = TcpStream::connect(listener.local_addr()?).await?;
    let own = near.local_addr()?;
    loop {
        let (far, peer) = listener.accept().await?;
        // Somebody else on this machine may have been faster.
        if peer == own {
            return Ok((near, far));
        }
    }
}

/// Where the edge keeps what TLS needs.
pub(crate) fn folder(home: &Path) -> PathBuf {
    home.join("edge").join("tls")
}

#[cfg(test)]
mod tests;
