//! The connection that a call came by, as far as a handler may know it: whether it has ended.
//!
//! A process that is gone has closed its connections, whatever it died of; its kernel did that. So who holds a fact about a
//! caller that is true only while the caller lives waits for this and needs no timer.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, transport::server::Connected};

/// Tells connections apart.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A connection, seen by a handler.
#[derive(Clone, Debug)]
pub struct Connection {
    id: u64,
    ended: CancellationToken,
}

impl Connection {
    /// The connection that a call came by. `None` for a call that came by none, in a test.
    #[must_use]
    pub fn of<T>(request: &Request<T>) -> Option<Self> {
        request.extensions().get().cloned()
    }

    /// Its number in this process.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// Waits until it has ended.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

/// A socket that tells of its end.
pub(super) struct Watched<S> {
    socket: S,
    connection: Connection,
    _end: DropGuard,
}

impl<S> Watched<S> {
    pub(super) fn new(socket: S) -> Self {
        let ended = CancellationToken::new();
        Self {
            socket,
            _end: ended.clone().drop_guard(),
            connection: Connection {
                id: NEXT.fetch_add(1, Ordering::Relaxed),
                ended,
            },
        }
    }
}

impl<S> Connected for Watched<S> {
    type ConnectInfo = Connection;

    fn connect_info(&self) -> Connection {
        self.connection.clone()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
