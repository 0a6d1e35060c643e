//! One batch to all connections, by as many threads as the machine has for it.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{available_parallelism, panicking},
};

use tokio::{
    sync::{Notify, Semaphore},
    task::spawn_blocking,
};

use crate::{connection::Connection, event::Event};

/// Connections for each thread. With 200 a second thread makes the last of them half a millisecond earlier, but all of them
/// together cost a tenth more: it has to be woken, and two who write get in each other's way in the kernel.
const SHARE_MIN: usize = 150;

/// Connections that a thread takes at once: a hundred microseconds of work, which is how long it may keep the others waiting.
const TAKEN: usize = 20;

/// Places for threads that help, one for each processor beside the first. A helper that has not come to run yet keeps its place,
/// so that a machine without time for helpers does not gather them.
static HELPERS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(0, |count| count.get() - 1)));

/// Sends a batch, and returns when everybody has it: the next one comes after it on every socket.
///
/// # Panics
/// When a delivery panicked in any of the threads.
pub(super) async fn out(connections: Arc<[Arc<Connection>]>, events: Vec<Event>) {
    share(connections, move |connection, joined| {
        connection.deliver(&events, joined);
    })
    .await;
}

/// Does something for all items, by several threads if they are many. Each thread takes as many as it comes to. One that gets no
/// processor takes none, and nobody waits for it.
async fn share<T, F>(items: Arc<[T]>, each: F)
where
    T: Send + Sync + 'static,
    F: Fn(&T, &mut Vec<u8>) + Send + Sync + 'static,
{
    let helpers = (items.len() / SHARE_MIN).saturating_sub(1);
    let work = Arc::new(Work {
        untaken: AtomicUsize::new(0),
        left: AtomicUsize::new(items.len()),
        panicked: AtomicBool::new(false),
        done: Notify::new(),
        items,
        each,
    });
    for _ in 0..helpers {
        let Ok(place) = HELPERS.try_acquire() else { break };
        let work = Arc::clone(&work);
        // Tasks would wait behind this one: a worker keeps the last that was spawned on it for itself.
        spawn_blocking(move || {
            work.run();
            drop(place);
        });
    }
    work.run();
    while work.left.load(Ordering::Acquire) > 0 {
        work.done.notified().await;
    }
    assert!(!work.panicked.load(Ordering::Relaxed), "a delivery panicked");
}

#[derive(Debug)]
struct Work<T, F> {
    items: Arc<[T]>,
    each: F,
    /// The place of the first item that no thread has taken.
    untaken: AtomicUsize,
    /// Items that are not done yet.
    left: AtomicUsize,
    panicked: AtomicBool,
    /// Rings when the last of them is done.
    done: Notify,
}

impl<T, F: Fn(&T, &mut Vec<u8>)> Work<T, F> {
    /// Takes items until none is left to take.
    fn run(&self) {
        let mut joined = Vec::new();
        while let Some(taken) = self.take() {
            for item in taken.items {
                (self.each)(item, &mut joined);
            }
        }
    }

    fn take(&self) -> Option<Taken<'_, T, F>> {
        let first = self.untaken.fetch_add(TAKEN, Ordering::Relaxed);
        let rest = self.items.get(first..).filter(|rest| !rest.is_empty())?;
        Some(Taken {
            work: self,
            items: rest.get(..TAKEN).unwrap_or(rest),
        })
    }
}

/// Items that one thread works on. They count as done at its end, whatever that is: nobody waits for a thread that has panicked.
struct Taken<'w, T, F> {
    work: &'w Work<T, F>,
    items: &'w [T],
}

impl<T, F> Drop for Taken<'_, T, F> {
    fn drop(&mut self) {
        let Self { work, items } = self;
        if panicking() {
            work.panicked.store(true, Ordering::Relaxed);
        }
        if work.left.fetch_sub(items.len(), Ordering::AcqRel) == items.len() {
            work.done.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn every_item_has_had_its_turn_once_when_it_returns() {
        for count in [0, 1, TAKEN, TAKEN + 1, SHARE_MIN * 3 + 7] {
            let turns: Arc<[AtomicUsize]> = (0..count).map(|_| AtomicUsize::new(0)).collect();
            for round in 1..=50 {
                share(Arc::clone(&turns), |turn, _| {
                    turn.fetch_add(1, Ordering::Relaxed);
                })
                .await;

                let all = turns.iter().all(|turn| turn.load(Ordering::Relaxed) == round);
                assert!(all, "{count} items, round {round}");
            }
        }
    }

    #[tokio::test]
    async fn a_panic_in_any_thread_is_told_and_nobody_waits_for_it() {
        for bad in [0, SHARE_MIN, SHARE_MIN * 4 - 1] {
            let items: Arc<[usize]> = (0..SHARE_MIN * 4).collect();
            let sharing = tokio::spawn(share(items, move |item, _| assert!(*item != bad, "bad item")));

            let ended = timeout(Duration::from_secs(10), sharing).await.expect("an end");

            assert!(ended.unwrap_err().is_panic());
        }
    }
}
