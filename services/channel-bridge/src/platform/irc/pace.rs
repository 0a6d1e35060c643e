//! One budget for every line that goes to the server: messages, the questions behind them, joins, all of it. A server counts lines
//! and not what they are for, and throws out who sends more than it grants: forty JOINs at once are a flood like any other.
//!
//! The answer to a PING goes first, because the server ends a connection that does not give it. It counts all the same.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::adapter::Rate;

/// A message and the question behind it.
pub(crate) const LINES_PER_MESSAGE: u32 = 2;
/// What every server grants: five at once, then one in two seconds (RFC 1459, section 8.10). With less, questions alone would
/// use all of it.
const FLOOR: Rate = Rate {
    burst: 5,
    per_second: 0.5,
};
/// Lines that wait. More than all rooms, whose JOINs come at once; beyond it the oldest is left out.
const WAITING_MAX: usize = 256;

/// Lines on their way out.
#[derive(Debug)]
pub(crate) struct Pace {
    rate: Rate,
    tokens: f64,
    seen: Instant,
    urgent: VecDeque<String>,
    waiting: VecDeque<String>,
}

impl Pace {
    /// For an account that says so many messages.
    pub(crate) fn new(messages: Rate, now: Instant) -> Self {
        let rate = Rate {
            burst: messages.burst.saturating_mul(LINES_PER_MESSAGE).max(FLOOR.burst),
            per_second: (messages.per_second * f64::from(LINES_PER_MESSAGE)).max(FLOOR.per_second),
        };
        Self {
            rate,
            tokens: f64::from(rate.burst),
            seen: now,
            urgent: VecDeque::new(),
            waiting: VecDeque::new(),
        }
    }

    /// A line in its turn.
    pub(crate) fn push(&mut self, line: String) {
        keep(&mut self.waiting, line);
    }

    /// A line before all others.
    pub(crate) fn push_urgent(&mut self, line: String) {
        keep(&mut self.urgent, line);
    }

    /// Whether so much waits that nothing should be added without need.
    pub(crate) fn is_crowded(&self) -> bool {
        self.waiting.len() > usize::try_from(self.rate.burst).unwrap_or(usize::MAX)
    }

    /// Whether a message could leave at once, with the question behind it.
    pub(crate) fn is_free(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.waiting.is_empty() && self.tokens >= f64::from(LINES_PER_MESSAGE)
    }

    /// The next line that may go now.
    pub(crate) fn next(&mut self, now: Instant) -> Option<String> {
        self.refill(now);
        if let Some(line) = self.urgent.pop_front() {
            self.tokens -= 1.0;
            return Some(line);
        }
        if self.tokens < 1.0 {
            return None;
        }
        let line = self.waiting.pop_front()?;
        self.tokens -= 1.0;
        Some(line)
    }

    /// When the next line may go.
    pub(crate) fn due(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then(|| self.has(1.0))
    }

    /// When [`Self::is_free`] is true, if nothing more is to be written.
    pub(crate) fn free_at(&self) -> Instant {
        #[expect(clippy::cast_precision_loss, reason = "at most a few hundred lines")]
        let before = self.waiting.len() as f64;
        self.has(before + f64::from(LINES_PER_MESSAGE))
    }

    fn has(&self, tokens: f64) -> Instant {
        let missing = (tokens - self.tokens).max(0.0) / self.rate.per_second;
        // A millisecond more: what is asked a hair too early would be asked again and again.
        self.seen + Duration::from_secs_f64(missing) + Duration::from_millis(u64::from(missing > 0.0))
    }

    fn refill(&mut self, now: Instant) {
        let grown = now.saturating_duration_since(self.seen).as_secs_f64() * self.rate.per_second;
        self.tokens = (self.tokens + grown).min(f64::from(self.rate.burst));
        self.seen = now;
    }
}

fn keep(lines: &mut VecDeque<String>, line: String) {
    if lines.len() >= WAITING_MAX {
        lines.pop_front();
    }
    lines.push_back(line);
}

#[cfg(test)]
mod tests {
    use tokio::time::{self, Duration, Instant};

    use super::{Pace, WAITING_MAX};
    use crate::adapter::Rate;

    fn pace() -> Pace {
        Pace::new(
            Rate {
                burst: 5,
                per_second: 0.5,
            },
            Instant::now(),
        )
    }

    fn all(pace: &mut Pace) -> Vec<String> {
        std::iter::from_fn(|| pace.next(Instant::now())).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn lines_of_every_kind_share_one_budget() {
        let mut pace = pace();
        for n in 0..14 {
            pace.push(format!("JOIN #{n}"));
        }
        assert_eq!(all(&mut pace).len(), 10);
        assert!(!pace.is_free(Instant::now()));

        time::sleep_until(pace.due().unwrap()).await;
        assert_eq!(all(&mut pace), ["JOIN #10"]);
        time::sleep_until(pace.free_at()).await;
        assert_eq!(all(&mut pace).len(), 3);
        assert!(
            pace.is_free(Instant::now()),
            "a message and its question fit behind them"
        );
        assert_eq!(pace.due(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_to_a_ping_goes_first_and_counts() {
        let mut pace = pace();
        for n in 0..12 {
            pace.push(format!("{n}"));
        }
        assert_eq!(all(&mut pace).len(), 10);

        pace.push_urgent("PONG :x".into());

        assert_eq!(all(&mut pace), ["PONG :x"]);
        time::advance(Duration::from_secs(1)).await;
        assert!(all(&mut pace).is_empty(), "it was paid for");
        time::advance(Duration::from_millis(1100)).await;
        assert_eq!(all(&mut pace), ["10"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_bounded_and_a_slow_account_can_still_ask() {
        let mut pace = Pace::new(
            Rate {
                burst: 1,
                per_second: 0.01,
            },
            Instant::now(),
        );
        for n in 0..WAITING_MAX * 2 {
            pace.push(format!("{n}"));
        }
        assert_eq!(pace.waiting.len(), WAITING_MAX);
        assert_eq!(all(&mut pace).len(), 5);
        time::advance(Duration::from_secs(2)).await;
        assert_eq!(all(&mut pace).len(), 1);
    }
}
