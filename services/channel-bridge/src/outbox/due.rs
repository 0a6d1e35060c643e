//! When what waits is due, by the monotonic clock.
//!
//! A row says the time of day before which it is not touched, because it outlives the process. It is read once, when the row is
//! first seen with it, and held against the monotonic clock from then on: somebody who sets the time of day neither
//! hastens nor delays a retry. A time further ahead than the longest wait that anybody ever writes down was written before
//! the clock was set back: it is due now.

use gatehouse_core::Timestamp;
use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

/// The due times of the rows that were seen last.
#[derive(Debug)]
pub(crate) struct Dues {
    wait_max: Duration,
    // Bounded by the rows that are looked at in one go.
    seen: HashMap<i64, (Timestamp, Instant)>,
}

impl Dues {
    /// Nothing seen yet. `wait_max` is the longest wait that is ever written down.
    pub(crate) fn new(wait_max: Duration) -> Self {
        Self {
            wait_max,
            seen: HashMap::new(),
        }
    }

    /// Takes the rows of one look, each with its place and its time, and forgets those that are gone.
    pub(crate) fn look(&mut self, rows: impl Iterator<Item = (i64, Timestamp)>, now: Timestamp) {
        let mut before = std::mem::take(&mut self.seen);
        for (seq, next_at) in rows {
            let known = before.remove(&seq).filter(|(known, _)| *known == next_at);
            let due = known.unwrap_or_else(|| {
                let wait = next_at.since(now);
                let wait = if wait > self.wait_max {
                    Duration::ZERO
                } else {
                    wait
                };
                (next_at, Instant::now() + wait)
            });
            self.seen.insert(seq, due);
        }
    }

    /// How long a row still waits. `None`: it is due.
    pub(crate) fn wait(&self, seq: i64) -> Option<Duration> {
        let (_, due) = self.seen.get(&seq)?;
        Some(due.saturating_duration_since(Instant::now())).filter(|wait| !wait.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use std::{iter::once, time::Duration};

    use tokio::time;

    use super::{Dues, Timestamp};

    const NOW: Timestamp = Timestamp::from_ms(1_790_000_000_000);
    const HOUR: i64 = 3_600_000;
    const YEAR: i64 = 365 * 24 * HOUR;
    const MAX: Duration = Duration::from_secs(300);

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_neither_hastens_nor_delays_what_waits() {
        for step in [HOUR, -HOUR, YEAR, -YEAR, 60_000, -60_000] {
            let mut dues = Dues::new(MAX);
            dues.look(once((1, NOW.plus_ms(10_000))), NOW);
            time::advance(Duration::from_secs(4)).await;

            dues.look(once((1, NOW.plus_ms(10_000))), NOW.plus_ms(4_000 + step));
            assert_eq!(dues.wait(1), Some(Duration::from_secs(6)), "{step}");
            time::advance(Duration::from_secs(6)).await;
            assert_eq!(dues.wait(1), None, "{step}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_further_ahead_than_the_longest_wait_is_due() {
        let mut dues = Dues::new(MAX);
        dues.look(
            [
                (1, NOW.plus_ms(HOUR)),
                (2, NOW.plus_ms(YEAR)),
                (3, Timestamp::MAX),
                (4, NOW.plus_ms(300_000)),
            ]
            .into_iter(),
            NOW,
        );

        assert_eq!((dues.wait(1), dues.wait(2), dues.wait(3)), (None, None, None));
        assert_eq!(dues.wait(4), Some(MAX));
    }

    #[tokio::test(start_paused = true)]
    async fn a_row_that_is_put_off_again_waits_anew_and_one_that_is_gone_is_forgotten() {
        let mut dues = Dues::new(MAX);
        dues.look(
            [(1, NOW.plus_ms(1_000)), (2, NOW.plus_ms(1_000))].into_iter(),
            NOW,
        );
        time::advance(Duration::from_secs(1)).await;

        dues.look(once((1, NOW.plus_ms(5_000))), NOW.plus_ms(1_000));

        assert_eq!(dues.wait(1), Some(Duration::from_secs(4)));
        assert_eq!(dues.seen.len(), 1);
    }
}
