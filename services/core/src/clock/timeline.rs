//! How the time of day went, seen from the monotonic clock: so that ages stay true when somebody sets the time of day.
//!
//! What is stored carries the time of day, because it outlives the process. Its age is the difference to now only as long as
//! nobody sets the clock; a step of a year would make everything that waits a year old, or not yet made. Within one process the
//! monotonic clock tells steps from time that went by. What was stored before the process began is believed to be as old
//! as it looked when the process began.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// A difference between the two clocks that is a step: more than slewing makes of an idle hour (500 ppm, `adjtimex(2)`).
const STEP_MS: i64 = 2_000;
/// Steps that are remembered. Somebody who sets the clock more often than this within the age of what is stored loses the
/// precision of the oldest.
const STEPS_MAX: usize = 32;

/// A stretch in which nobody set the time of day. Milliseconds, of the day since 1970 and of the process.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    day: (i64, i64),
    steady: (i64, i64),
}

/// All stretches of one process, oldest first.
#[derive(Debug)]
pub(super) struct Timeline {
    began: Instant,
    stretches: VecDeque<Stretch>,
}

impl Timeline {
    /// Begins with this time of day.
    pub(super) fn new(day: i64) -> Self {
        let first = Stretch {
            day: (day, day),
            steady: (0, 0),
        };
        Self {
            began: Instant::now(),
            stretches: VecDeque::from([first]),
        }
    }

    /// Takes note of the time of day. Said before anything is stored with it, so that no step goes unnoticed in between.
    pub(super) fn look(&mut self, day: i64) {
        let steady = self.steady();
        if let Some(last) = self.stretches.back_mut() {
            let (by_day, by_process) = (day - last.day.1, steady - last.steady.1);
            if by_day.abs_diff(by_process) <= STEP_MS.unsigned_abs() {
                (last.day.1, last.steady.1) = (day.max(last.day.1), steady);
                return;
            }
            tracing::warn!(
                step_ms = by_day.saturating_sub(by_process),
                "the machine's clock was set; what waits keeps its age"
            );
        }
        if self.stretches.len() >= STEPS_MAX {
            self.stretches.pop_front();
        }
        self.stretches.push_back(Stretch {
            day: (day, day),
            steady: (steady, steady),
        });
    }

    /// How long ago this time of day was. One that was there twice, because the clock was set back over it, is taken for the
    /// later one: nothing young is ever taken for old. Call [`Self::look`] before.
    pub(super) fn age(&self, then: i64) -> Duration {
        let now = self.steady();
        let since = |steady: i64| millis(now.saturating_sub(steady));
        let within = self
            .stretches
            .iter()
            .rev()
            .find(|stretch| (stretch.day.0..=stretch.day.1.saturating_add(STEP_MS)).contains(&then));
        if let Some(stretch) = within {
            return since(
                stretch
                    .steady
                    .1
                    .saturating_sub(stretch.day.1.saturating_sub(then))
                    .min(now),
            );
        }
        match (
            self.stretches.front(),
            self.stretches.iter().find(|stretch| stretch.day.0 > then),
        ) {
            // Before this process began.
            (Some(first), _) if then < first.day.0 => {
                since(first.steady.0) + millis(first.day.0.saturating_sub(then))
            }
            // In a stretch that nobody lived through: just before the step that skipped it.
            (_, Some(later)) => since(later.steady.0),
            // In the future: stored by an earlier process before the clock was set back. At least as old as this one.
            (_, None) => since(0),
        }
    }

    /// The time of day as it was so long ago. What is stored with an earlier one is older, unless the clock was set back since.
    pub(super) fn before(&self, ago: Duration) -> i64 {
        let then = self
            .steady()
            .saturating_sub(i64::try_from(ago.as_millis()).unwrap_or(i64::MAX));
        let stretch = self
            .stretches
            .iter()
            .rev()
            .find(|stretch| stretch.steady.0 <= then);
        match (stretch, self.stretches.front()) {
            (Some(stretch), _) => stretch.day.1.saturating_add((then - stretch.steady.1).min(0)),
            (None, Some(first)) => first.day.0.saturating_sub(first.steady.0.saturating_sub(then)),
            (None, None) => i64::MIN,
        }
    }

    fn steady(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}

fn millis(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}
