//! From a TCP socket to HTTP.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::response::Response;
use gatehouse_core::{Chain, Drain};
use hyper::{Request, body::Incoming as Body, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use self::overload::Overload;
use crate::{
    http::{
        Server,
        socket::{Ends, Socket},
    },
    limits::HEADERS_BYTES_MAX,
};

#[cfg(test)]
mod echo;
mod overload;

/// What the kernel may hold for a client that does not read. Its own default grows to 4 MiB per socket (measured).
const SEND_BUFFER_BYTES: usize = 256 * 1024;

/// What the kernel may hold of a client that is not read from. Its own default grows to 6 MiB per socket.
const RECEIVE_BUFFER_BYTES: usize = 256 * 1024;

/// How long a request's headers may take; also how long a kept-alive socket may stay silent.
const HEADERS_PATIENCE: Duration = Duration::from_secs(10);

/// Headers of one request: more than any browser and proxy add, less than an attacker would like.
const HEADERS_MAX: usize = 64;

/// A kernel without file descriptors needs a moment, not a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts until the drain starts.
pub(crate) async fn run(listener: TcpListener, server: Arc<Server>) {
    let edge = Arc::clone(&server.http.edge);
    let overload = Overload::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = edge.drain.requested() => return,
        };
        match accepted {
            Ok((stream, peer)) => admit(&server, &overload, stream, peer),
            Err(error) => {
                tracing::warn!(error = %error, "a socket could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Serves a socket if there is a permit for it.
fn admit(server: &Arc<Server>, overload: &Overload, stream: TcpStream, peer: SocketAddr) {
    let http = &server.http;
    let edge = &http.edge;
    let ends = Ends {
        peer: peer.ip(),
        // One that is over already has no end here; it is answered nothing.
        local: stream.local_addr().map_or(http.bound, |local| local.ip()),
        secure: false,
    };
    let client = http.peer_of(ends);
    let Some(permit) = edge.counter.enter(client.key(), client.reach) else {
        http.count("overload");
        overload.refuse(stream, &edge.drain);
        return;
    };
    let (server, drain) = (Arc::clone(server), edge.drain.clone());
    edge.drain.spawn_work("http", async move {
        let evicted = permit.evicted();
        let source = server.http.edge.policy().and_then(|policy| policy.tls.clone());
        let (stream, secure) = match source {
            None => (stream, false),
            Some(source) => {
                let tls = &server.http.edge.tls;
                // Boxed, because it is the exception and the task of a connection should be small.
                let taken = Box::pin(tls.take(&source, stream, ends, &drain));
                match evicted.run_until_cancelled(taken).await {
                    Some(Ok(taken)) => taken,
                    Some(Err(error)) => {
                        server.http.count(error.reason());
                        tracing::debug!(error = %Chain(&error), client.address = %ends.peer, "a socket is not served");
                        return;
                    }
                    None => return server.http.count("evicted"),
                }
            }
        };
        let socket = Socket::new(Ends { secure, ..ends }, permit);
        let answer = |request| server.serve(request, Arc::clone(&socket));
        tokio::select! {
            () = serve_http(stream, drain, answer, || socket.is_settled()) => (),
            () = evicted.cancelled() => server.http.count("evicted"),
            () = socket.overdue() => server.http.count("unread"),
        }
    });
}

/// Answers the requests of one socket until it is over or has become a WebSocket. `works`: an answer is under way.
async fn serve_http<A>(
    stream: TcpStream,
    drain: Drain,
    answer: impl Fn(Request<Body>) -> A,
    works: impl Fn() -> bool,
) where
    A: Future<Output = Response>,
{
    let socket = socket2::SockRef::from(&stream);
    let tuned = stream
        .set_nodelay(true)
        .and(socket.set_send_buffer_size(SEND_BUFFER_BYTES))
        .and(socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES));
    if let Err(error) = tuned {
        tracing::debug!(error = %error, "the options of a socket could not be set");
    }
    let service = service_fn(|request| {
        let answered = answer(request);
        async { Ok::<_, std::convert::Infallible>(answered.await) }
    });
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_PATIENCE);
    server.max_headers(HEADERS_MAX).max_buf_size(HEADERS_BYTES_MAX);
    let served = server
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(served);
    tokio::select! {
        _ = &mut served => return,
        () = drain.requested() => served.as_mut().graceful_shutdown(),
    }
    // An answer under way ends by its own bounds, or with the process.
    while timeout(HEADERS_PATIENCE, &mut served).await.is_err() && works() {}
}
