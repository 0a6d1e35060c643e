//! Turns for calls whose answers may have megabytes, or for which megabytes are read.
//!
//! Such an answer is in memory three times before its first byte is written: as rows, as a message, as bytes. A place for a call
//! is no bound for that: two hundred pages of a long transcript, asked for at once, are two gigabytes. So only a few are made
//! at a time, and the others wait. A connection has one of them at most, so that the next one's turn comes soon whatever the others
//! have asked for.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Large answers at once. A page of history has 12 MiB at most, so this is 144 MiB of the 256 that a service has in the compose
/// file; there are two readers of the database to fill them.
const AT_ONCE: usize = 4;

/// Who has a turn, and who waits for one.
#[derive(Debug)]
pub(super) struct LargeAnswers {
    all: Arc<Semaphore>,
    /// Bounded by the places for calls: who neither has a turn nor waits is forgotten.
    connections: Mutex<HashMap<Arc<str>, Connection>>,
}

#[derive(Debug)]
struct Connection {
    one: Arc<Semaphore>,
    /// Its calls that have a turn or wait.
    calls: usize,
}

/// A turn. Dropping it lets the next one in.
#[derive(Debug)]
#[expect(dead_code, reason = "held for what its end does")]
pub(super) struct Turn {
    // `None` only when a semaphore was closed, which nobody does.
    of_all: Option<OwnedSemaphorePermit>,
    of_connection: Option<OwnedSemaphorePermit>,
    call: Call,
}

/// A call of a connection, counted.
#[derive(Debug)]
struct Call {
    answers: Arc<LargeAnswers>,
    connection: Arc<str>,
}

impl LargeAnswers {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            all: Arc::new(Semaphore::new(AT_ONCE)),
            connections: Mutex::default(),
        })
    }

    /// Waits for a turn, in the order of coming.
    pub(super) async fn turn(self: Arc<Self>, connection: Arc<str>) -> Turn {
        let one = self.enter(&connection);
        let call = Call {
            answers: Arc::clone(&self),
            connection,
        };
        let of_connection = one.acquire_owned().await.ok();
        let of_all = Arc::clone(&self.all).acquire_owned().await.ok();
        Turn {
            of_all,
            of_connection,
            call,
        }
    }

    fn enter(&self, connection: &Arc<str>) -> Arc<Semaphore> {
        let mut connections = self.connections();
        let entry = connections.entry(Arc::clone(connection));
        let entry = entry.or_insert_with(|| Connection {
            one: Arc::new(Semaphore::new(1)),
            calls: 0,
        });
        entry.calls += 1;
        Arc::clone(&entry.one)
    }

    fn connections(&self) -> MutexGuard<'_, HashMap<Arc<str>, Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let mut connections = self.answers.connections();
        let Some(entry) = connections.get_mut(&self.connection) else {
            return;
        };
        entry.calls -= 1;
        if entry.calls == 0 {
            connections.remove(&self.connection);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    fn ask(answers: &Arc<LargeAnswers>, connection: usize) -> impl Future<Output = Turn> + use<> {
        Arc::clone(answers).turn(connection.to_string().into())
    }

    #[tokio::test]
    async fn a_few_are_made_at_once_and_the_next_waits_for_one_of_them() {
        let answers = LargeAnswers::new();
        let mut turns = Vec::new();
        for connection in 0..AT_ONCE {
            turns.push(ask(&answers, connection).now_or_never().expect("a turn at once"));
        }
        let mut next = Box::pin(ask(&answers, AT_ONCE));
        assert!(next.as_mut().now_or_never().is_none());

        turns.pop();

        assert!(next.now_or_never().is_some());
    }

    #[tokio::test]
    async fn who_asks_for_hundreds_on_one_connection_leaves_the_next_one_its_turn() {
        let answers = LargeAnswers::new();
        let _first = ask(&answers, 0).now_or_never().expect("a turn at once");
        let mut greedy: Vec<_> = (0..300).map(|_| Box::pin(ask(&answers, 0))).collect();
        for waiting in &mut greedy {
            assert!(waiting.as_mut().now_or_never().is_none());
        }

        assert!(ask(&answers, 1).now_or_never().is_some());
    }

    #[tokio::test]
    async fn who_has_gone_is_forgotten_also_while_it_waited() {
        let answers = LargeAnswers::new();
        let first = ask(&answers, 0).now_or_never().expect("a turn at once");
        let mut given_up = Box::pin(ask(&answers, 0));
        assert!(given_up.as_mut().now_or_never().is_none());

        drop(given_up);
        drop(first);

        assert!(answers.connections().is_empty());
        assert_eq!(answers.all.available_permits(), AT_ONCE);
    }
}
