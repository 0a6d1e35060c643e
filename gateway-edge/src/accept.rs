//! From a TCP socket to a conversation.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use gatehouse_core::Drain;
use http_body_util::Full;
use hyper::{
    Request, Response, body::Incoming as Body, server::conn::http1, service::service_fn, upgrade::Upgraded,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};

use crate::{
    admission::Place,
    close::Close,
    connection::{Connection, inbound::Inbound},
    edge::Edge,
    handshake,
    http::{Ends, Http},
    metrics::Reason,
    outbox::Outbox,
    profile::Arrival,
    route,
};

pub(crate) mod crowd;
#[cfg(test)]
mod echo;

/// What the kernel may hold for a client that does not read. Its own default grows to 4 MiB per socket (measured).
const SEND_BUFFER_BYTES: usize = 256 * 1024;

/// What the kernel may hold of a client that is not read from. Its own default grows to 6 MiB per socket.
const RECEIVE_BUFFER_BYTES: usize = 256 * 1024;

/// How long a request's headers may take; also how long a kept-alive socket may stay silent.
const HEADERS_PATIENCE: Duration = Duration::from_secs(10);

/// Headers of one request: more than any browser and proxy add, less than an attacker would like.
const HEADERS_MAX: usize = 64;
const HEADERS_BYTES_MAX: usize = 16 * 1024;

/// Largest message before the handshake (v4).
const FIRST_FRAME_MAX: usize = 64 * 1024;

/// A kernel without file descriptors needs a moment, not a busy loop.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts until the drain starts.
pub(crate) async fn run(listener: TcpListener, http: Arc<Http>) {
    let edge = Arc::clone(&http.edge);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = edge.drain.requested() => return,
        };
        match accepted {
            Ok((stream, peer)) => greet(&http, stream, peer),
            Err(error) => {
                tracing::warn!(error = %error, "a socket could not be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn greet(http: &Arc<Http>, stream: TcpStream, peer: SocketAddr) {
    let edge = &http.edge;
    let ends = Ends {
        peer: peer.ip(),
        // One that is over already has no end here; it is answered nothing.
        local: stream.local_addr().map_or(http.bound, |local| local.ip()),
    };
    let client = http.peer_of(ends);
    let Some(place) = edge.counter.enter(client.key(), client.reach) else {
        edge.metrics
            .turned_away
            .get_or_create(&Reason { reason: "crowd" })
            .inc();
        http.crowd.turn_away(stream, &edge.drain);
        return;
    };
    let (http, drain) = (Arc::clone(http), edge.drain.clone());
    edge.drain.spawn_work("http", async move {
        let evicted = place.evicted();
        let held = Arc::new(Mutex::new(Some(place)));
        let answer = |request| http.serve(request, ends, Arc::clone(&held));
        tokio::select! {
            () = speak_http(stream, drain, answer) => (),
            () = evicted.cancelled() => http.count("evicted"),
        }
    });
}

/// Answers the requests of one socket until it is over or has become a WebSocket.
async fn speak_http<A>(stream: TcpStream, drain: Drain, answer: impl Fn(Request<Body>) -> A)
where
    A: Future<Output = Response<Full<Bytes>>>,
{
    let socket = socket2::SockRef::from(&stream);
    let tuned = stream
        .set_nodelay(true)
        .and(socket.set_send_buffer_size(SEND_BUFFER_BYTES))
        .and(socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES));
    if let Err(error) = tuned {
        tracing::debug!(error = %error, "a socket could not be tuned");
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
    let _ = timeout(HEADERS_PATIENCE, served).await;
}

/// The bare socket and what it has said already: an idle connection holds nothing of the HTTP server that it came from.
fn bare(upgraded: Upgraded) -> Option<(TcpStream, Bytes)> {
    let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else {
        tracing::error!("an upgraded socket is not the one that was accepted");
        return None;
    };
    Some((parts.io.into_inner(), parts.read_buf))
}

/// Serves one connection from its challenge to its last words.
pub(crate) async fn converse(edge: Arc<Edge>, upgraded: Upgraded, arrival: Arrival, mut place: Place) {
    static NUMBERS: AtomicU64 = AtomicU64::new(1);
    let Some((stream, early)) = bare(upgraded) else {
        return;
    };
    let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
    let id = uuid::Uuid::new_v4().to_string();
    let outbox = Outbox::new(edge.limits.outbox_bytes_max, edge.budgets.waiting.lease());
    let connection = Arc::new(Connection::new(number, id, arrival, stream, outbox));
    let lease = edge.budgets.unauthenticated.lease();
    let shares = Arc::clone(&edge.shares);
    let mut inbound = Inbound::new(Arc::clone(&connection), &early, FIRST_FRAME_MAX, lease, shares);
    drop(early); // it keeps the HTTP server's whole buffer alive
    connection.send(handshake::challenge(edge.clock.now_ms()));

    let ended = |reason: &'static str, close: &Close| {
        edge.metrics.handshakes.get_or_create(&Reason { reason }).inc();
        connection.close(close);
    };
    let evicted = place.evicted();
    let first = Box::pin(timeout(
        edge.limits.handshake_max,
        evicted.run_until_cancelled(inbound.next()),
    ));
    match first.await {
        Ok(Some(Some(text))) => handshake::answer(&edge, &connection, &text),
        Ok(Some(None)) => (),
        Ok(None) => {
            ended("evicted", &Close::EVICTED);
            // It is told, and not waited for: whoever needed its place has it already.
            connection.cut();
        }
        Err(_) => ended("too-late", &Close::SILENT),
    }
    drop(evicted);
    if let Some(profile) = connection.profile.get() {
        place.known();
        inbound.allow(profile.payload_max(), edge.budgets.messages.lease());
        listen(&edge, &connection, &mut inbound).await;
    }
    drop(inbound); // what it holds is needed elsewhere
    edge.hub.leave(&connection);
    if connection.is_slow() {
        edge.metrics.slow_consumers.inc();
    }
    if connection.is_flooded() {
        edge.metrics.floods.inc();
        tracing::info!(client.address = %connection.arrival.ip, "a flood of control frames or fragments was closed");
    }
    connection.finish().await;
}

/// Takes messages of a known caller until the connection is over.
async fn listen(edge: &Arc<Edge>, connection: &Arc<Connection>, inbound: &mut Inbound) {
    while let Some(text) = inbound.next().await {
        let idle = connection.in_flight.load(Ordering::Relaxed) == 0;
        let taken = route::take(edge, connection, text).await;
        inbound.taken(taken, idle);
    }
}
