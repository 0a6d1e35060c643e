//! Calling another service of the gateway.

use std::{path::PathBuf, time::Duration};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::{net::UnixStream, sync::watch};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataMap, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};
use tower::service_fn;

mod step;
#[cfg(test)]
mod tests;
mod watched;

pub use self::step::Stepped;
use crate::{address::Address, secret::Secret, trace};

/// A peer on the same machine or network answers a connection at once, or is away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A peer that does not answer a ping in this time is away: TCP alone would not notice a silent network.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The same for a peer behind a Unix socket. Our own kernel says at once when it is gone; that it hangs is for its supervisor to
/// see, and pings on every stream that is held open would be most of what an idle gateway does.
const KEEP_ALIVE_LOCAL: Duration = Duration::from_secs(60);

/// Bytes of one answer that may lie unread. A reader that waits for a disk or a platform holds up its own peer and nobody else.
const STREAM_WINDOW: u32 = 128 * 1024;

/// The same for a connection. It is large for the sake of small messages: HTTP/2 breaks a connection off, with all calls on it, when what
/// unread frames lack to 256 bytes each comes to more than half of this. A full window of words of a model, some sixty bytes each, comes
/// to 420 KiB: thirty-nine readers may wait at the same time, and five for the smallest messages that there are. What is truly held is less
/// than 25 MiB, the windows of the 200 calls that a server takes at a time.
const CONNECTION_WINDOW: u32 = 32 * 1024 * 1024;

/// The way to a peer: each call is a step of its trace.
pub type PeerChannel = Stepped<Channel>;

/// What a client of a generated service is made from.
pub type PeerService = InterceptedService<PeerChannel, Authorize>;

/// A service of the gateway. Cheap to clone; it connects at the first call and again whenever the connection is lost.
/// While the peer is away, calls answer `UNAVAILABLE`.
#[derive(Clone, Debug)]
pub struct Peer {
    channel: PeerChannel,
    authorize: Authorize,
}

impl Peer {
    /// A peer that is connected to when it is first called. Must be made inside a runtime.
    ///
    /// # Panics
    /// When a TCP address is no URI authority: [`Address`] refuses those.
    #[must_use]
    pub fn lazy(address: &Address, credential: &Secret) -> Self {
        let keep_alive = match address {
            Address::Tcp(_) => KEEP_ALIVE,
            Address::Unix(_) => KEEP_ALIVE_LOCAL,
        };
        let endpoint = |uri: String| {
            bounded(Endpoint::from_shared(uri).expect("an address is a URI authority"))
                .tcp_nodelay(true)
                .http2_keep_alive_interval(keep_alive)
                .keep_alive_timeout(KEEP_ALIVE)
        };
        let channel = match address {
            Address::Tcp(host) => endpoint(format!("http://{host}")).connect_lazy(),
            Address::Unix(path) => {
                endpoint("http://localhost".into()).connect_with_connector_lazy(unix(path.clone()))
            }
        };
        Self {
            channel: Stepped::new(channel),
            authorize: Authorize::new(credential),
        }
    }

    /// A process of somebody else's, and how many connections to it were lost: the number changes without anybody asking. There are no
    /// pings, because servers of other languages take them for an attack: who waits for an answer has a deadline.
    #[must_use]
    pub fn watched(address: &Address, credential: &Secret) -> (Self, watch::Receiver<usize>) {
        let (channel, lost) = watched::connect(address);
        let peer = Self {
            channel: Stepped::new(channel),
            authorize: Authorize::new(credential),
        };
        (peer, lost)
    }

    /// For a generated client.
    #[must_use]
    pub fn service(&self) -> PeerService {
        InterceptedService::new(self.channel.clone(), self.authorize.clone())
    }

    /// For calls with bytes; [`Peer::prepare`] must be called on their metadata.
    #[must_use]
    pub fn channel(&self) -> PeerChannel {
        self.channel.clone()
    }

    /// Shows the credential, and gives the trace on.
    pub fn prepare(&self, metadata: &mut MetadataMap) {
        self.authorize.prepare(metadata);
    }
}

/// What holds for every connection.
fn bounded(endpoint: Endpoint) -> Endpoint {
    endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
}

fn unix(
    path: PathBuf,
) -> impl tower::Service<Uri, Response = TokioIo<UnixStream>, Error = std::io::Error, Future: Send> + Send + 'static
{
    service_fn(move |_: Uri| {
        let path = path.clone();
        async move { UnixStream::connect(path).await.map(TokioIo::new) }
    })
}

/// Adds the credential and the trace context to every call.
#[derive(Clone)]
pub struct Authorize {
    header: MetadataValue<Ascii>,
}

impl Authorize {
    fn new(credential: &Secret) -> Self {
        let mut header: MetadataValue<Ascii> = format!("Bearer {}", credential.expose())
            .parse()
            .expect("a credential is printable text");
        header.set_sensitive(true); // HTTP/2 must not keep it in its header table
        Self { header }
    }

    fn prepare(&self, metadata: &mut MetadataMap) {
        metadata.insert("authorization", self.header.clone());
        trace::attach(metadata);
    }
}

impl std::fmt::Debug for Authorize {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Authorize")
    }
}

impl Interceptor for Authorize {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        self.prepare(request.metadata_mut());
        Ok(request)
    }
}
