//! What a new revision takes away from connections that are open: in which order they end.
//!
//! The edge hears of a revision by itself, usually before the answer to the request that made it has come back. Whoever made
//! it must get that answer, because it may be the only copy of the new token. So connections that the revision does not allow
//! any more can do nothing from the first moment on, but they end in order: first the answers that are under way from the
//! config service are sent, then the others are closed, then those who asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::timeout};

use crate::{close::Close, connection::Connection};

/// A change of the configuration is durable before it is answered; a disk that needs longer than this is broken.
const ANSWERS_MAX: Duration = Duration::from_secs(2);

/// The calls to the config service that are not answered yet. Bounded by the requests that connections may have under way.
#[derive(Debug, Default)]
pub(crate) struct ConfigCalls {
    state: Mutex<Calls>,
    ended: Notify,
}

#[derive(Debug, Default)]
struct Calls {
    next: u64,
    /// The connection of each.
    open: BTreeMap<u64, u64>,
}

/// One call; dropped when its answer is on its way to the client.
#[derive(Debug)]
pub(crate) struct ConfigCall {
    calls: Arc<ConfigCalls>,
    number: u64,
}

impl ConfigCalls {
    /// A call of this connection begins.
    pub(crate) fn begin(self: &Arc<Self>, connection: u64) -> ConfigCall {
        let mut calls = self.lock();
        let number = calls.next;
        calls.next += 1;
        calls.open.insert(number, connection);
        ConfigCall {
            calls: Arc::clone(self),
            number,
        }
    }

    /// Ends connections that may do nothing any more.
    pub(crate) async fn close(&self, revoked: Vec<Arc<Connection>>) {
        let numbers: BTreeSet<u64> = revoked.iter().map(|connection| connection.number).collect();
        let (askers, calls) = self.askers(&numbers);
        if timeout(ANSWERS_MAX, self.answered(&calls)).await.is_err() {
            tracing::warn!(
                "a call to the config service was not answered in time; its connection is closed without the answer"
            );
        }
        let (asked, others): (Vec<_>, Vec<_>) = revoked
            .into_iter()
            .partition(|connection| askers.contains(&connection.number));
        for connection in others.iter().chain(&asked) {
            connection.close(&Close::AUTH_CHANGED);
        }
    }

    /// Those of the connections that wait for an answer, and their calls.
    fn askers(&self, among: &BTreeSet<u64>) -> (BTreeSet<u64>, BTreeSet<u64>) {
        let calls = self.lock();
        let mine = calls
            .open
            .iter()
            .filter(|(_, connection)| among.contains(connection));
        mine.map(|(call, connection)| (*connection, *call)).unzip()
    }

    /// Waits until none of these calls is open.
    async fn answered(&self, calls: &BTreeSet<u64>) {
        loop {
            let ended = self.ended.notified();
            if self.lock().open.keys().all(|call| !calls.contains(call)) {
                return;
            }
            ended.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ConfigCall {
    fn drop(&mut self) {
        self.calls.lock().open.remove(&self.number);
        self.calls.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn answers_of_revoked_connections_are_waited_for_and_those_of_others_are_not() {
        let calls = Arc::new(ConfigCalls::default());
        let _others = calls.begin(7);
        let mine = calls.begin(1);
        let (askers, open) = calls.askers(&BTreeSet::from([1, 2]));
        assert_eq!(askers, BTreeSet::from([1]));

        let waiting = calls.answered(&open);
        tokio::pin!(waiting);
        assert!(timeout(Duration::from_millis(1), &mut waiting).await.is_err());
        let later = calls.begin(1);
        drop(mine);
        timeout(Duration::from_millis(1), &mut waiting).await.unwrap();
        drop(later);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_never_comes_is_not_waited_for_for_ever() {
        let calls = Arc::new(ConfigCalls::default());
        let _hangs = calls.begin(1);
        let (_, open) = calls.askers(&BTreeSet::from([1]));
        let begun = Instant::now();

        let waited = timeout(ANSWERS_MAX, calls.answered(&open)).await;

        assert!(waited.is_err() && begun.elapsed() == ANSWERS_MAX);
    }
}
