//! Accepting. A failed accept never ends a server: when the process is out of descriptors it waits for some to come back.

use std::{io, os::unix::fs::MetadataExt, path::Path, time::Duration};

use futures::{Stream, stream::unfold};
use tokio::{
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    time::sleep,
};

use super::connection::Watched;

/// Out of descriptors or memory, the next accept would fail at once: this is the pause in which others let go of some.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

pub(super) fn unix(listener: UnixListener) -> impl Stream<Item = io::Result<Watched<UnixStream>>> {
    Box::pin(unfold(listener, |listener| async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((Ok(Watched::new(stream)), listener)),
                Err(error) => pause(&error).await,
            }
        }
    }))
}

pub(super) fn tcp(listener: TcpListener) -> impl Stream<Item = io::Result<Watched<TcpStream>>> {
    Box::pin(unfold(listener, |listener| async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    // A reply must not wait for the next one to fill a packet.
                    let _ = stream.set_nodelay(true);
                    return Some((Ok(Watched::new(stream)), listener));
                }
                Err(error) => pause(&error).await,
            }
        }
    }))
}

async fn pause(error: &io::Error) {
    tracing::warn!(%error, "a connection could not be accepted");
    sleep(ACCEPT_PAUSE).await;
}

/// Which file this is, to tell a successor's socket from ours.
pub(crate) fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path)
        .ok()
        .map(|file| (file.dev(), file.ino()))
}
