//! One batch to all connections, by as many threads as the machine has for it.

use std::{
    panic::resume_unwind,
    sync::{Arc, LazyLock},
    thread::available_parallelism,
};

use tokio::task::spawn_blocking;

use crate::{connection::Connection, event::Event};

/// Fewer connections than this are not worth another thread: waking one costs about as much as ten writes.
const SHARE_MIN: usize = 100;

/// Asked once: the answer is read from files, which would be slower than what it is for.
static THREADS: LazyLock<usize> = LazyLock::new(|| available_parallelism().map_or(1, usize::from));

/// Sends a batch, and returns when everybody has it: the next one comes after it on every socket.
pub(super) async fn out(connections: Arc<[Arc<Connection>]>, events: Vec<Event>) {
    let shares = (connections.len() / SHARE_MIN).clamp(1, *THREADS);
    let share = connections.len().div_ceil(shares).max(1);
    let events: Arc<[Event]> = events.into();
    // Tasks would wait behind this one: a worker keeps the last that was spawned on it for itself.
    let others: Vec<_> = (1..shares)
        .map(|number| {
            let (connections, events) = (Arc::clone(&connections), Arc::clone(&events));
            spawn_blocking(move || deliver(connections.chunks(share).nth(number), &events))
        })
        .collect();
    deliver(connections.chunks(share).next(), &events);
    for other in others {
        if let Err(error) = other.await
            && let Ok(panic) = error.try_into_panic()
        {
            resume_unwind(panic);
        }
    }
}

fn deliver(connections: Option<&[Arc<Connection>]>, events: &[Event]) {
    for connection in connections.unwrap_or_default() {
        connection.deliver(events);
    }
}
