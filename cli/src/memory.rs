//! What nobody uses goes back: what the allocator keeps for a thread that waits, and what is large.
//!
//! The first second of a service allocates more than any later one, and each thread keeps some of what it freed then: 2 MiB a process,
//! a seventh of the whole gateway at rest. The allocator looks through what a thread keeps only while that thread allocates, so one that
//! has become idle keeps it for good.
//!
//! `.cargo/config.toml` gives large blocks an arena of their own. Without background threads that arena would keep nothing; with them, which
//! small blocks need, jemalloc lets it keep what was let go for as long as the others do. A flood of messages of 24 MiB, of which the edge
//! holds three at a time, took it to 227 MiB so, and to 77 without.

use std::{cell::Cell, time::Duration};

use tikv_jemalloc_ctl::{Access, AsName, Error};
use tokio::time::Instant;

/// A thread that works in between gives back no more often: filling its cache again takes some 50 us.
const PAUSE: Duration = Duration::from_millis(250);
/// Whether the calling thread keeps anything.
const THREAD_KEEPS: &str = "thread.tcache.enabled\0";
/// Larger than `oversize_threshold`: the arena is made with its first block.
const LARGE_BYTES: usize = 1 << 20;

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
    let _without_it_the_thread_is_slower = THREAD_KEEPS.name().write(true);
}

/// For a thread that starts something and then waits to the end.
pub(crate) fn keep_nothing() {
    let _then_it_keeps_some = THREAD_KEEPS.name().write(false);
}

/// Lets the arena of large blocks keep nothing.
///
/// # Errors
/// When the allocator knows no such arena: then memory goes back after a second.
pub(crate) fn give_large_back_at_once() -> Result<(), Error> {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(LARGE_BYTES)));
    let arenas: u32 = "arenas.narenas\0".name().read()?;
    // It is the last one.
    let key = format!("arena.{}.dirty_decay_ms\0", arenas.saturating_sub(1));
    key.as_str().name().write(0_isize)
}

#[cfg(test)]
mod tests {
    use std::{fs, hint::black_box};

    use super::*;

    const MIB: usize = 1 << 20;

    /// What this process holds, MiB.
    fn resident() -> usize {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: usize = line.unwrap().trim_end_matches("kB").trim().parse().unwrap();
        kib * 1024 / MIB
    }

    #[test]
    fn what_is_large_is_gone_as_soon_as_it_is_let_go() {
        give_large_back_at_once().unwrap();
        let before = resident();

        let mut held = Vec::new();
        for _ in 0..8 {
            held.push(black_box(vec![7_u8; 16 * MIB]));
        }
        assert!(resident() >= before + 100, "it is really held");
        drop(held);

        assert!(resident() < before + 20, "{} MiB are left", resident() - before);
    }

    #[test]
    fn a_thread_that_works_again_keeps_what_it_frees_and_one_that_only_started_something_does_not() {
        let keeps = || -> bool { THREAD_KEEPS.name().read().unwrap() };

        give_back();
        assert!(keeps());

        keep_nothing();
        assert!(!keeps());
    }
}
