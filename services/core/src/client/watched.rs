//! A channel whose lost connections are counted, so that the end of a process is noticed when it ends and not at the next call.

use std::{
    io,
    path::PathBuf,
    pin::Pin,
    task::{Context, Poll},
};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
    sync::watch,
};
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use crate::address::Address;

/// A channel to an address, and how many of its connections were lost so far.
pub(super) fn connect(address: &Address) -> (Channel, watch::Receiver<usize>) {
    let (count, lost) = watch::channel(0);
    // Neither TLS nor a virtual host: the connector knows where to go.
    let endpoint = super::bounded(Endpoint::from_static("http://localhost"));
    let address = address.clone();
    let connector = service_fn(move |_: Uri| {
        let (address, count) = (address.clone(), count.clone());
        async move {
            let socket = Socket::connect(address).await?;
            Ok::<_, io::Error>(TokioIo::new(Counted { socket, count }))
        }
    });
    (endpoint.connect_with_connector_lazy(connector), lost)
}

enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    async fn connect(address: Address) -> io::Result<Self> {
        match address {
            Address::Tcp(host) => {
                let socket = TcpStream::connect(host).await?;
                socket.set_nodelay(true)?;
                Ok(Self::Tcp(socket))
            }
            Address::Unix(path) => Self::connect_unix(path).await,
        }
    }

    async fn connect_unix(path: PathBuf) -> io::Result<Self> {
        UnixStream::connect(path).await.map(Self::Unix)
    }
}

/// A connection that is counted when it is over.
struct Counted {
    socket: Socket,
    count: watch::Sender<usize>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.count.send_modify(|lost| *lost = lost.wrapping_add(1));
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Tcp(socket) => Pin::new(socket).poll_read(context, into),
            Socket::Unix(socket) => Pin::new(socket).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.socket {
            Socket::Tcp(socket) => Pin::new(socket).poll_write(context, from),
            Socket::Unix(socket) => Pin::new(socket).poll_write(context, from),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Tcp(socket) => Pin::new(socket).poll_flush(context),
            Socket::Unix(socket) => Pin::new(socket).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Tcp(socket) => Pin::new(socket).poll_shutdown(context),
            Socket::Unix(socket) => Pin::new(socket).poll_shutdown(context),
        }
    }
}
