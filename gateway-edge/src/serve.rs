//! One WebSocket connection, from its challenge to its last words.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

use crate::{
    admission::Permit,
    close::Close,
    connection::{
        Connection,
        inbound::{Inbound, Text},
    },
    edge::Edge,
    handshake,
    metrics::Reason,
    nodes,
    outbox::Outbox,
    profile::{Arrival, Challenge},
    route,
};

/// Largest message before the handshake (v4).
const FIRST_FRAME_MAX: usize = 64 * 1024;

/// Who has said nothing for so long at the plain door waits for a challenge. A script speaks at once.
const SILENCE: Duration = Duration::from_secs(1);

/// The bare socket and what it has said already: an idle connection holds nothing of the HTTP server that it came from.
pub(crate) fn bare(upgraded: Upgraded) -> Option<(TcpStream, Bytes)> {
    let Ok(parts) = upgraded.downcast::<TokioIo<TcpStream>>() else {
        tracing::error!("an upgraded socket is not the one that was accepted");
        return None;
    };
    Some((parts.io.into_inner(), parts.read_buf))
}

/// Serves one connection from its challenge to its last words.
pub(crate) async fn serve_connection(
    edge: Arc<Edge>,
    upgraded: Upgraded,
    arrival: Arrival,
    mut permit: Permit,
) {
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
    let nonce = handshake::nonce();

    let ended = |reason: &'static str, close: &Close| {
        edge.metrics.handshakes.get_or_create(&Reason { reason }).inc();
        connection.close(close);
    };
    let evicted = permit.evicted();
    let first = Box::pin(timeout(
        edge.limits.handshake_max,
        evicted.run_until_cancelled(first_message(&edge, &connection, &nonce, &mut inbound)),
    ));
    match first.await {
        // Boxed, because it is once in a connection's life and its task should be small.
        Ok(Some(Some(first))) => {
            Box::pin(handshake::answer(&edge, &connection, &nonce, &first.text)).await;
        }
        Ok(Some(None)) => (),
        Ok(None) => {
            ended("evicted", &Close::EVICTED);
            // It is told, and not waited for: whoever needed its permit has it already.
            connection.cut();
        }
        Err(_) => ended("too-late", &Close::SILENT),
    }
    drop(evicted);
    if let Some(profile) = connection.profile.get() {
        permit.known();
        nodes::attach(&edge, &connection);
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

/// What a client says first, after its challenge if it waits for one.
async fn first_message(
    edge: &Edge,
    connection: &Connection,
    nonce: &str,
    inbound: &mut Inbound,
) -> Option<Text> {
    let challenge = || connection.send(handshake::challenge(nonce, edge.clock.now()));
    match connection.arrival.challenge {
        Challenge::AtOnce => challenge(),
        Challenge::WhenSilent => match timeout(SILENCE, inbound.next()).await {
            Ok(first) => return first,
            Err(_) => challenge(),
        },
        Challenge::Never => (),
    }
    inbound.next().await
}

/// Takes messages of a known caller until the connection is over.
async fn listen(edge: &Arc<Edge>, connection: &Arc<Connection>, inbound: &mut Inbound) {
    while let Some(message) = inbound.next().await {
        let idle = connection.in_flight.load(Ordering::Relaxed) == 0;
        let taken = route::take(edge, connection, message).await;
        inbound.taken(taken, idle);
    }
}
