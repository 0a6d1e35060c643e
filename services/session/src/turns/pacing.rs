//! When the rendition that repeats the whole text goes out. Its bytes grow with the square of the answer, so it is paced by
//! bytes and not by a clock: at once while the answer is short, more rarely as it grows, and never more than a connection is
//! meant to carry. Two budgets for each run and one for all of them, because every screen sees every run.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What a frame costs beside the text that it repeats: the fields around it, in both events.
const FRAME_BYTES: usize = 600;

/// Between two frames of one run: what a model writes faster than that is joined. A text of 2 KB waits 2 ms.
const RUN_BURST: Budget = Budget {
    bytes_a_second: 1024 * 1024,
    saved_bytes: 0,
};
/// Over a whole answer: what is saved up shows the first 2 KB of an answer of 200 tokens a second token by token, and 20 KB
/// cost half of what a frame every 50 ms would.
const RUN: Budget = Budget {
    bytes_a_second: 192 * 1024,
    saved_bytes: 384 * 1024,
};
/// Of all runs together, which is what one connection gets at most: four long answers at full pace, and sixteen that begin.
const CONNECTION: Budget = Budget {
    bytes_a_second: 1024 * 1024,
    saved_bytes: 2 * 1024 * 1024,
};

/// Of one run, for the detailed events that repeat the whole text as well: 2 KB eight times a second, 20 KB every 1.2 s. The
/// clients that are known draw from the chat events.
const DETAIL: Budget = Budget {
    bytes_a_second: 16 * 1024,
    saved_bytes: 0,
};

/// So many bytes a second, and what may be spent at once after a quiet time.
#[derive(Clone, Copy, Debug)]
struct Budget {
    bytes_a_second: u32,
    saved_bytes: u32,
}

impl Budget {
    fn time_of(self, bytes: usize) -> Duration {
        let micros =
            bytes.saturating_mul(1_000_000) / usize::try_from(self.bytes_a_second).unwrap_or(usize::MAX);
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }

    fn saved(self) -> Duration {
        Duration::from_secs(1) * self.saved_bytes / self.bytes_a_second
    }
}

/// What is left of a budget, as the moment at which everything spent so far is paid for.
#[derive(Debug)]
struct Account {
    budget: Budget,
    paid: Option<Instant>,
}

impl Account {
    const fn new(budget: Budget) -> Self {
        Self { budget, paid: None }
    }

    /// When something may be spent again. A frame may overdraw; the next one waits for it.
    fn ready(&self, now: Instant) -> Instant {
        let ready = self.paid.and_then(|paid| paid.checked_sub(self.budget.saved()));
        ready.map_or(now, |ready| ready.max(now))
    }

    fn spend(&mut self, bytes: usize, now: Instant) {
        let from = self.paid.map_or(now, |paid| paid.max(now));
        self.paid = Some(from + self.budget.time_of(bytes));
    }
}

/// What all runs of this process may spend together.
#[derive(Clone, Debug)]
pub(super) struct Shared(Arc<Mutex<Account>>);

impl Default for Shared {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Account::new(CONNECTION))))
    }
}

impl Shared {
    fn ready(&self, now: Instant) -> Instant {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ready(now)
    }

    fn spend(&self, bytes: usize, now: Instant) {
        let mut account = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        account.spend(bytes, now);
    }
}

/// What waits to be shown.
#[derive(Debug)]
pub(super) struct Pacer {
    pending: String,
    burst: Account,
    run: Account,
    all: Shared,
    detail: Account,
}

/// What goes out now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The text since the last piece.
    pub(super) delta: String,
    /// Whether the detailed event repeats the whole text too.
    pub(super) detail_whole: bool,
}

impl Pacer {
    pub(super) fn new(all: Shared) -> Self {
        Self {
            pending: String::new(),
            burst: Account::new(RUN_BURST),
            run: Account::new(RUN),
            all,
            detail: Account::new(DETAIL),
        }
    }

    pub(super) fn push(&mut self, delta: &str) {
        self.pending.push_str(delta);
    }

    /// When to look again; `None` while nothing waits.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        (!self.pending.is_empty()).then(|| {
            self.burst
                .ready(now)
                .max(self.run.ready(now))
                .max(self.all.ready(now))
        })
    }

    /// What goes out now, if it is time.
    pub(super) fn take_due(&mut self, now: Instant, text_bytes: usize) -> Option<Piece> {
        if self.due(now)? > now {
            return None;
        }
        self.take_as(now, text_bytes, false)
    }

    /// Whatever waits, whether it is time or not: the run is at its end.
    pub(super) fn take(&mut self, now: Instant, text_bytes: usize) -> Option<Piece> {
        self.take_as(now, text_bytes, true)
    }

    fn take_as(&mut self, now: Instant, text_bytes: usize, last: bool) -> Option<Piece> {
        if self.pending.is_empty() {
            return None;
        }
        let detail_whole = last || self.detail.ready(now) <= now;
        let repeated = if detail_whole { text_bytes * 2 } else { text_bytes };
        if detail_whole {
            self.detail.spend(text_bytes, now);
        }
        let bytes = repeated + 2 * self.pending.len() + FRAME_BYTES; // both events carry what is new
        self.burst.spend(bytes, now);
        self.run.spend(bytes, now);
        self.all.spend(bytes, now);
        Some(Piece {
            delta: std::mem::take(&mut self.pending),
            detail_whole,
        })
    }
}

#[cfg(test)]
mod tests;
