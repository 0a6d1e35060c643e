//! Whether turns may be waiting. While none is, the end of a run wakes nobody, and an idle process does nothing at all.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

/// What the dispatcher is told. It begins with "something may be waiting": a dead process may have left it.
#[derive(Debug)]
pub(super) struct Backlog {
    waiting: AtomicBool,
    freed: AtomicU64,
    wake: Notify,
}

impl Backlog {
    pub(super) fn new() -> Self {
        Self {
            waiting: AtomicBool::new(true),
            freed: AtomicU64::new(0),
            wake: Notify::new(),
        }
    }

    /// A turn waits that the dispatcher has not seen.
    pub(super) fn grew(&self) {
        self.waiting.store(true, Ordering::SeqCst);
        self.wake.notify_one();
    }

    /// A session or a slot has become free: if something waits, it may begin.
    pub(super) fn freed(&self) {
        self.freed.fetch_add(1, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) {
            self.wake.notify_one();
        }
    }

    /// How often something became free. The dispatcher asks before it looks for what may begin.
    pub(super) fn count_freed(&self) -> u64 {
        self.freed.load(Ordering::SeqCst)
    }

    /// The dispatcher is about to look what waits: what is stored from now on says so with [`Backlog::grew`].
    pub(super) fn looking(&self) {
        self.waiting.store(false, Ordering::SeqCst);
    }

    /// The dispatcher has seen turns that wait. What became free since it counted was told to nobody: it looks again.
    pub(super) fn seen_waiting(&self, counted: u64) {
        self.waiting.store(true, Ordering::SeqCst);
        if self.count_freed() != counted {
            self.wake.notify_one();
        }
    }

    /// Waits until somebody had something to tell.
    pub(super) async fn changed(&self) {
        self.wake.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn what_becomes_free_while_the_dispatcher_looks_is_not_lost() {
        let backlog = Backlog::new();
        let counted = backlog.count_freed();
        backlog.looking();
        backlog.freed(); // nothing is known to wait: nobody is woken
        assert!(backlog.changed().now_or_never().is_none());

        backlog.seen_waiting(counted);

        assert!(backlog.changed().now_or_never().is_some());
        backlog.seen_waiting(backlog.count_freed());
        assert!(
            backlog.changed().now_or_never().is_none(),
            "it does not wake itself"
        );
        backlog.freed();
        assert!(backlog.changed().now_or_never().is_some());
    }
}
