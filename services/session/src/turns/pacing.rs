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
mod tests {
    use super::*;

    /// What an answer showed: how long each token waited, by the length of the text with it, and the bytes of all frames.
    struct Shown {
        waits: Vec<(usize, Duration)>,
        bytes: usize,
    }

    /// An answer of tokens of five bytes, `gap` apart, shown as a run shows it.
    async fn answer(pacer: &mut Pacer, text_bytes: usize, gap: Duration) -> Shown {
        let mut shown = Shown {
            waits: Vec::new(),
            bytes: 0,
        };
        let mut written = Vec::new();
        let mut text = 0;
        let mut piece = |now: Instant, text: usize, piece: &Piece, written: &mut Vec<(usize, Instant)>| {
            let repeats = if piece.detail_whole { 2 } else { 1 };
            shown.bytes += repeats * text + 2 * piece.delta.len() + FRAME_BYTES;
            shown
                .waits
                .extend(written.drain(..).map(|(at, came)| (at, now - came)));
        };
        while text < text_bytes {
            text += 5;
            let next = Instant::now() + gap;
            pacer.push("word ");
            written.push((text, Instant::now()));
            loop {
                let now = Instant::now();
                if let Some(due) = pacer.take_due(now, text) {
                    piece(now, text, &due, &mut written);
                }
                match pacer.due(now) {
                    Some(due) if due < next => tokio::time::sleep_until(due).await,
                    Some(_) | None => break,
                }
            }
            tokio::time::sleep_until(next).await;
        }
        let now = Instant::now();
        if let Some(last) = pacer.take(now, text) {
            piece(now, text, &last, &mut written);
        }
        shown
    }

    /// What the same answer cost when a frame went out every 50 ms and both events repeated the text.
    fn paced_by_a_clock(text_bytes: usize, took: Duration) -> usize {
        let pace = Duration::from_millis(50);
        let frames = usize::try_from(took.as_millis() / pace.as_millis()).unwrap();
        let middle: usize = (0..=frames)
            .map(|frame| 2 * text_bytes * frame / frames.max(1))
            .sum();
        middle + 2 * text_bytes + FRAME_BYTES * (frames + 2)
    }

    fn alone() -> Pacer {
        Pacer::new(Shared::default())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_two_thousand_bytes_are_shown_token_by_token_at_the_pace_of_a_fast_model() {
        for gap in [5, 10, 20, 50] {
            let shown = answer(&mut alone(), 20_000, Duration::from_millis(gap)).await;

            let late: Vec<_> = shown
                .waits
                .iter()
                .filter(|(at, wait)| *at <= 2_000 && !wait.is_zero())
                .collect();
            assert!(late.is_empty(), "{gap} ms: {late:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_costs_no_more_bytes_than_a_frame_every_fifty_milliseconds_would() {
        for (gap_us, text) in [
            (5_000, 20_000),
            (10_000, 20_000),
            (1_000, 20_000),
            (20, 20_000),
            (5_000, 100_000),
        ] {
            let gap = Duration::from_micros(gap_us);
            let began = Instant::now();

            let shown = answer(&mut alone(), text, gap).await;

            let before = paced_by_a_clock(text, began.elapsed());
            assert!(
                shown.bytes <= before,
                "{gap:?} {text}: {} after {before}",
                shown.bytes
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_text_is_repeated_less_often_and_still_shown_to_its_end() {
        let began = Instant::now();
        let shown = answer(&mut alone(), 400_000, Duration::from_millis(1)).await;

        assert_eq!(shown.waits.last().map(|(at, _)| *at), Some(400_000));
        let allowed =
            f64::from(RUN.bytes_a_second) * began.elapsed().as_secs_f64() + f64::from(RUN.saved_bytes);
        #[expect(clippy::cast_precision_loss, reason = "some millions")]
        let bytes = shown.bytes as f64;
        // The last frame goes out whatever was spent, and the one before it may overdraw.
        assert!(bytes <= allowed + 4.0 * 400_000.0, "{bytes} of {allowed}");
    }

    #[tokio::test(start_paused = true)]
    async fn all_runs_together_keep_to_what_one_connection_gets() {
        let began = Instant::now();
        let shared = Shared::default();
        let runs = (0..64).map(|_| {
            let shared = shared.clone();
            tokio::spawn(async move {
                let shown = answer(&mut Pacer::new(shared), 20_000, Duration::from_millis(5)).await;
                shown.bytes.saturating_sub(20_000 * 4) // the last piece goes out whatever was spent
            })
        });
        let mut bytes = 0;
        for run in runs.collect::<Vec<_>>() {
            bytes += run.await.unwrap();
        }

        let allowed = f64::from(CONNECTION.bytes_a_second) * began.elapsed().as_secs_f64()
            + f64::from(CONNECTION.saved_bytes);
        #[expect(clippy::cast_precision_loss, reason = "some millions")]
        let bytes = bytes as f64;
        assert!(bytes <= allowed + 100_000.0, "{bytes} of {allowed}");
    }
}
