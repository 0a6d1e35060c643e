//! What the allocator keeps at hand for a thread is given back when the thread has nothing to do.
//!
//! The first second of a service allocates more than any later one, and each thread keeps some of what it freed then: 2.5 MiB a process,
//! a fifth of the whole gateway at rest. The allocator looks through what a thread keeps only while that thread allocates, so one that has
//! become idle keeps it for good.

use std::{cell::Cell, time::Duration};

use tikv_jemalloc_ctl::{Access, AsName};
use tokio::time::Instant;

/// A thread that works in between gives back no more often: filling its cache again takes some 50 us.
const PAUSE: Duration = Duration::from_millis(250);
/// Whether the calling thread keeps anything.
const CACHE: &str = "thread.tcache.enabled\0";

thread_local! {
    static GIVEN_BACK: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// For a thread that is about to wait.
pub(crate) fn give_back() {
    let now = Instant::now();
    let early = |before: Instant| now.duration_since(before) < PAUSE;
    if GIVEN_BACK.get().is_some_and(early) {
        return;
    }
    GIVEN_BACK.set(Some(now));
    keep_nothing();
    let _without_it_the_thread_is_slower = CACHE.name().write(true);
}

/// For a thread that starts something and then waits to the end.
pub(crate) fn keep_nothing() {
    let _then_it_keeps_some = CACHE.name().write(false);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeps() -> bool {
        CACHE.name().read().expect("a name that the allocator knows")
    }

    #[test]
    fn a_thread_that_works_again_keeps_what_it_frees_and_one_that_only_started_something_does_not() {
        give_back();
        assert!(keeps());

        keep_nothing();
        assert!(!keeps());
    }
}
