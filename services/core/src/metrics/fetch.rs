//! Asking another process of this machine for its page.

use std::{io, path::Path, time::Duration};

use http::{Request, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::{net::UnixStream, time::timeout};
use tokio_util::task::AbortOnDropHandle;

use super::page::Page;

/// The largest page that is read. One with every label in use has some 200 KiB.
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The page of the process behind this socket.
///
/// # Errors
/// When it does not answer in time, or with something else.
pub async fn fetch(socket: &Path, deadline: Duration) -> io::Result<Page> {
    timeout(deadline, exchange(socket))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

async fn exchange(socket: &Path) -> io::Result<Page> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    // Its end is the answer's: whoever gives up ends it.
    let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let request = Request::get("/metrics")
        .header(header::HOST, "localhost")
        .header(header::ACCEPT, "application/openmetrics-text")
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let answer = sender.send_request(request).await.map_err(io::Error::other)?;
    if !answer.status().is_success() {
        return Err(io::Error::other(format!("the answer is {}", answer.status())));
    }
    let body = Limited::new(answer.into_body(), PAGE_BYTES_MAX).collect().await;
    let body = body.map_err(io::Error::other)?.to_bytes();
    let text = std::str::from_utf8(&body).map_err(io::Error::other)?;
    Page::read(text).map_err(io::Error::other)
}
