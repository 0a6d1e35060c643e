//! One batch to all connections, by as many threads as the machine has for it.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{available_parallelism, panicking},
};

use tokio::{sync::Notify, task::spawn_blocking};

use crate::{connection::Connection, event::Event};

/// Connections for each thread. With 200 a second thread makes the last of them half a millisecond earlier, but all of them
/// together cost a tenth more: it has to be woken, and two who write get in each other's way in the kernel.
const SHARE_MIN: usize = 150;

/// Connections that a thread takes at once: a hundred microseconds of work, which is how long it may keep the others waiting.
const TAKEN: usize = 20;

/// Asked once: the answer is read from files, which would be slower than what it is for.
static THREADS: LazyLock<usize> = LazyLock::new(|| available_parallelism().map_or(1, usize::from));

/// Sends a batch, and returns when everybody has it: the next one comes after it on every socket.
///
/// Each thread takes as many connections as it comes to. One that gets no processor takes none, and nobody waits for it.
///
/// # Panics
/// When a delivery panicked in any of the threads.
pub(super) async fn out(connections: Arc<[Arc<Connection>]>, events: Vec<Event>) {
    let threads = (connections.len() / SHARE_MIN).clamp(1, *THREADS);
    let batch = Arc::new(Batch {
        untaken: AtomicUsize::new(0),
        left: AtomicUsize::new(connections.len()),
        panicked: AtomicBool::new(false),
        done: Notify::new(),
        connections,
        events,
    });
    for _ in 1..threads {
        let batch = Arc::clone(&batch);
        // Tasks would wait behind this one: a worker keeps the last that was spawned on it for itself.
        spawn_blocking(move || batch.deliver());
    }
    batch.deliver();
    while batch.left.load(Ordering::Acquire) > 0 {
        batch.done.notified().await;
    }
    assert!(!batch.panicked.load(Ordering::Relaxed), "a delivery panicked");
}

#[derive(Debug)]
struct Batch {
    connections: Arc<[Arc<Connection>]>,
    events: Vec<Event>,
    /// The place of the first connection that no thread has taken.
    untaken: AtomicUsize,
    /// Connections that do not have the batch yet.
    left: AtomicUsize,
    panicked: AtomicBool,
    /// Rings when the last of them has it.
    done: Notify,
}

impl Batch {
    /// Takes connections until none is left to take.
    fn deliver(&self) {
        let mut joined = Vec::new();
        while let Some(taken) = self.take() {
            for connection in taken.connections {
                connection.deliver(&self.events, &mut joined);
            }
        }
    }

    fn take(&self) -> Option<Taken<'_>> {
        let first = self.untaken.fetch_add(TAKEN, Ordering::Relaxed);
        let rest = self.connections.get(first..).filter(|rest| !rest.is_empty())?;
        Some(Taken {
            batch: self,
            connections: rest.get(..TAKEN).unwrap_or(rest),
        })
    }
}

/// Connections that one thread delivers to. They count as done at its end, whatever that is: nobody waits for a thread that
/// has panicked.
struct Taken<'b> {
    batch: &'b Batch,
    connections: &'b [Arc<Connection>],
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let Self { batch, connections } = self;
        if panicking() {
            batch.panicked.store(true, Ordering::Relaxed);
        }
        if batch.left.fetch_sub(connections.len(), Ordering::AcqRel) == connections.len() {
            batch.done.notify_one();
        }
    }
}
