//! One slow beat for all processes of a machine: whatever has to be looked at now and then is looked at in the same moment.
//!
//! What an idle process costs is how often it wakes, and hardly what it does then. Six processes that each look after five
//! things at times of their own wake forty times a second. So each has one beat, and it is given from outside: the question of a
//! supervisor (`up`, the check of a container) wakes a process anyway, and what is due is done then. Its own timer is for a process
//! that nobody asks. It is set later than the next question, so that it never goes off where there are questions: a timer of tokio
//! wakes its process three times before it is due.

use std::{
    sync::LazyLock,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// The time between two beats. That a process is gone is known from its connections, and that it hangs is seen by whoever asks it,
/// so nobody is in a hurry.
pub const BEAT: Duration = Duration::from_secs(30);

/// A question that comes so long before a beat is taken for it.
const EARLY: Duration = Duration::from_secs(5);

/// So long after the time of a beat its question counts as missing.
const LATE: Duration = Duration::from_secs(10);

/// The beat of this process.
static BEATS: LazyLock<Beats> = LazyLock::new(Beats::new);

/// A moment on the beat, and the questions that were taken for one.
#[derive(Debug)]
struct Beats {
    began: Instant,
    /// How far into a beat that was. The time of day gives it, so that processes agree on it that nobody asks; should it be set, they
    /// drift apart, and nothing worse.
    phase: Duration,
    struck: watch::Sender<Option<Instant>>,
}

/// Takes a question from outside for the beat, unless the last one was just now.
pub(crate) fn strike() {
    BEATS.strike();
}

/// Waits for the next beat.
///
/// # Cancel safety
/// Nothing is lost.
pub async fn next() {
    BEATS.next().await;
}

/// When the next beat is at the latest.
#[must_use]
pub fn coming() -> Instant {
    BEATS.coming()
}

impl Beats {
    fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            began: Instant::now(),
            phase: remainder(since, BEAT),
            struck: watch::Sender::new(None),
        }
    }

    fn strike(&self) {
        let now = Instant::now();
        self.struck.send_if_modified(|last| {
            let is_due = last.is_none_or(|last| now.saturating_duration_since(last) >= BEAT - EARLY);
            if is_due {
                *last = Some(now);
            }
            is_due
        });
    }

    async fn next(&self) {
        let mut struck = self.struck.subscribe();
        tokio::select! {
            _ = struck.changed() => {}
            () = sleep_until(self.coming()) => {}
        }
    }

    fn coming(&self) -> Instant {
        let now = Instant::now();
        let last = *self.struck.borrow();
        let expected = last.map(|last| last + BEAT + LATE).filter(|at| *at > now);
        expected.unwrap_or_else(|| self.after(now))
    }

    /// The first moment after another that is on the beat. One that is all but there is left out: a timer may be a little early.
    fn after(&self, now: Instant) -> Instant {
        const NEAR: Duration = Duration::from_millis(100);
        let passed = now.saturating_duration_since(self.began) + self.phase + NEAR;
        now + NEAR + BEAT.saturating_sub(remainder(passed, BEAT))
    }
}

/// How far into a period a time is.
fn remainder(time: Duration, period: Duration) -> Duration {
    let nanos = time.as_nanos() % period.as_nanos();
    Duration::from_nanos(u64::try_from(nanos).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    /// Timers are exact to a millisecond.
    fn is(time: Duration, expected: Duration) -> bool {
        time.abs_diff(expected) < Duration::from_millis(5)
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_at_different_times_wakes_at_the_same_moment_and_once_in_each_beat() {
        let beats = Beats::new();
        beats.next().await;
        let first = Instant::now();
        beats.next().await;
        assert!(is(first.elapsed(), BEAT));

        for (count, late) in [(2, 1), (3, 4_000), (4, 29_890), (6, 29_910)] {
            advance(Duration::from_millis(late)).await;
            beats.next().await;
            assert!(
                is(first.elapsed(), count * BEAT),
                "{late} ms into a beat: {:?}",
                first.elapsed()
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_is_asked_does_what_is_due_at_the_question_and_has_no_timer_before_it() {
        let beats = Beats::new();
        beats.strike();

        for _ in 0..3 {
            let before = Instant::now();
            let asked = async {
                tokio::time::sleep(BEAT).await;
                beats.strike();
            };
            tokio::join!(beats.next(), asked);
            assert!(is(before.elapsed(), BEAT), "{:?}", before.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_often_makes_no_more_beats_and_who_stops_asking_is_not_waited_for() {
        let beats = Beats::new();
        let (begun, mut count) = (Instant::now(), 0);
        let counting = async {
            loop {
                beats.next().await;
                count += 1;
            }
        };
        let asking = async {
            while begun.elapsed() < Duration::from_secs(100) {
                beats.strike();
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::select! { () = counting => {}, () = asking => {} }
        assert!((3..=5).contains(&count), "{count} in 100 s");

        let stopped = Instant::now();
        beats.next().await;

        assert!(stopped.elapsed() <= BEAT + LATE, "{:?}", stopped.elapsed());
    }
}
