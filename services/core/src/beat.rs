//! One slow beat for all processes of a machine: whatever has to be looked at now and then is looked at in the same moment.
//!
//! What an idle process costs is how often it wakes, and hardly what it does then. Six processes that each look after five
//! things at times of their own wake forty times a second; on a common beat they wake together, once in ten seconds.

use std::{
    sync::LazyLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::time::Instant;

/// The time between two beats. Short enough for a disk that hangs to show within 15 seconds.
pub const BEAT: Duration = Duration::from_secs(10);

/// The time between two signs of life: that a process is gone is known from its connections, and that it hangs is seen by
/// whoever asks it, so these are for nobody in a hurry.
pub const SIGN_OF_LIFE: Duration = BEAT.saturating_mul(3);

/// A moment on the beat. The time of day gives the phase, so that processes agree on it; should it be set, they drift apart,
/// and nothing worse.
static PHASE: LazyLock<(Instant, Duration)> = LazyLock::new(|| {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (Instant::now(), remainder(since, SIGN_OF_LIFE))
});

/// Waits for the next beat.
///
/// # Cancel safety
/// Nothing is lost.
pub async fn next() {
    tokio::time::sleep_until(coming()).await;
}

/// Waits for the next beat on which signs of life are given, and what changes seldom is looked at: every third.
///
/// # Cancel safety
/// Nothing is lost.
pub async fn next_sign_of_life() {
    tokio::time::sleep_until(after(Instant::now(), SIGN_OF_LIFE)).await;
}

/// When the next beat is.
#[must_use]
pub fn coming() -> Instant {
    after(Instant::now(), BEAT)
}

/// The first moment after another that is on a period. One that is all but there is left out: a timer may be a little early.
fn after(now: Instant, period: Duration) -> Instant {
    const EARLY: Duration = Duration::from_millis(100);
    let (began, phase) = *PHASE;
    let passed = now.saturating_duration_since(began) + phase + EARLY;
    now + EARLY + period.saturating_sub(remainder(passed, period))
}

/// How far into a period a time is.
fn remainder(time: Duration, period: Duration) -> Duration {
    let nanos = time.as_nanos() % period.as_nanos();
    Duration::from_nanos(u64::try_from(nanos).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Timers are exact to a millisecond.
    fn is(time: Duration, expected: Duration) -> bool {
        time.abs_diff(expected) < Duration::from_millis(5)
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_at_different_times_wakes_at_the_same_moment_and_once_in_each_beat() {
        next().await;
        let first = Instant::now();
        next().await;
        assert!(is(first.elapsed(), BEAT));

        for (beats, late) in [(2, 1), (3, 4_000), (4, 9_890), (6, 9_910)] {
            tokio::time::advance(Duration::from_millis(late)).await;
            next().await;
            assert!(
                is(first.elapsed(), beats * BEAT),
                "{late} ms into a beat: {:?}",
                first.elapsed()
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_sign_of_life_is_given_on_every_third_beat() {
        next_sign_of_life().await;
        let first = Instant::now();

        next().await;
        next().await;
        next().await;

        assert!(is(first.elapsed(), SIGN_OF_LIFE));
        next_sign_of_life().await;
        assert!(is(first.elapsed(), 2 * SIGN_OF_LIFE));
    }
}
