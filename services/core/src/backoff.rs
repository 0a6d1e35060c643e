//! How long to wait before trying again: doubling, bounded, and never in step with others.

use std::time::Duration;

/// A growing wait.
///
/// ```
/// use std::time::Duration;
///
/// use gatehouse_core::backoff::Backoff;
///
/// let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
/// let (first, second) = (backoff.next(), backoff.next());
/// assert!(first <= Duration::from_millis(100) && second <= Duration::from_millis(200));
/// assert!(first >= Duration::from_millis(50), "not all at once, and not at once");
/// backoff.reset(); // after a success
/// assert!(backoff.next() <= Duration::from_millis(100));
/// ```
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    /// Waits `first`, then twice as long each time, up to `max`.
    #[must_use]
    pub const fn new(first: Duration, max: Duration) -> Self {
        Self {
            first,
            max,
            next: first,
        }
    }

    /// The next wait: between half of it and all of it, so that many who failed together do not come back together.
    #[expect(
        clippy::should_implement_trait,
        reason = "a wait is not an item of a sequence"
    )]
    pub fn next(&mut self) -> Duration {
        let full = self.next;
        self.next = full.saturating_mul(2).min(self.max);
        full.mul_f64(0.5 + random_share() / 2.0)
    }

    /// Begins anew, after a success.
    pub const fn reset(&mut self) {
        self.next = self.first;
    }
}

/// A number from 0 to 1. Fairness needs no more than this; without randomness it is a constant.
fn random_share() -> f64 {
    getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_its_bound_and_begins_anew() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));

        for full in [100, 200, 350, 350] {
            let wait = backoff.next();
            assert!(
                wait >= Duration::from_millis(full / 2) && wait <= Duration::from_millis(full),
                "{wait:?} of {full}"
            );
        }
        backoff.reset();

        assert!(backoff.next() <= Duration::from_millis(100));
    }
}
