//! Sockets for which there is no permit. Each is told so by name; none gets a server.

use std::{net::Shutdown, sync::Arc, time::Duration};

use gatehouse_core::Drain;
use tokio::{net::TcpStream, sync::Semaphore, time::timeout};

use crate::{http::respond, limits::HEADERS_BYTES_MAX};

/// Refused sockets that are kept until their peers have read why. Beyond it they are closed at once, and may hear a reset.
const LINGERING_MAX: usize = 64;

/// A peer that wants to know reads within this time.
const LINGER_MAX: Duration = Duration::from_secs(1);

/// Refuses sockets.
#[derive(Debug)]
pub(crate) struct Overload {
    answer: Vec<u8>,
    lingering: Arc<Semaphore>,
}

impl Default for Overload {
    fn default() -> Self {
        let body = respond::overloaded().told();
        let head = format!(
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: {}\r\nRetry-After: 1\r\n\
             X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
            body.len()
        );
        Self {
            answer: [head.as_bytes(), &body].concat(),
            lingering: Arc::new(Semaphore::new(LINGERING_MAX)),
        }
    }
}

impl Overload {
    /// Says why, and lets the socket go.
    pub(crate) fn refuse(&self, stream: TcpStream, drain: &Drain) {
        let socket = socket2::SockRef::from(&stream);
        // Writable at once, or the peer is not worth waiting for.
        if socket.send(&self.answer).is_err() || socket.shutdown(Shutdown::Write).is_err() {
            return;
        }
        let Ok(permit) = Arc::clone(&self.lingering).try_acquire_owned() else {
            return;
        };
        drain.spawn_work("overload", async move {
            // A socket that is closed over a request nobody read is reset, and the reset overtakes the answer.
            let _ = timeout(LINGER_MAX, read_to_end(&stream)).await;
            drop((stream, permit));
        });
    }
}

/// Drops what the peer says until it has closed too, or has said more than a request.
async fn read_to_end(stream: &TcpStream) {
    let mut read = 0;
    while read <= HEADERS_BYTES_MAX && stream.readable().await.is_ok() {
        match stream.try_read(&mut [0; 1024]) {
            Ok(0) => return,
            Ok(count) => read += count,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => (),
            Err(_) => return,
        }
    }
}
