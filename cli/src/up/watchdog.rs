//! Notices a process that lives and does not answer.
//!
//! A paused machine (suspend, a stopped container, a debugger on all of us) looks the same from here, except that our own
//! timers oversleep as well: then counting begins anew.

use std::time::Duration;

use gatehouse_core::beat::{self, BEAT};
use tokio::time::{Instant, sleep, timeout};

/// When a process is asked, and when it counts as hanging.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timing {
    /// The pause after a question without an answer.
    pub(super) pause_silent: Duration,
    /// The pause until the first answer.
    pub(super) pause_start: Duration,
    /// How long one answer may take.
    pub(super) answer: Duration,
    /// How long no question may be answered, from the first one without an answer on: the last answer is up to a beat older.
    pub(super) silent_max: Duration,
    /// The same until the first answer: a large database is migrated before anything is served.
    pub(super) start_max: Duration,
    /// A timer that is this late was not alone in sleeping.
    pub(super) overslept: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            pause_silent: Duration::from_secs(4),
            pause_start: Duration::from_millis(500),
            answer: Duration::from_secs(3),
            silent_max: Duration::from_secs(20), // four questions
            start_max: Duration::from_secs(300),
            overslept: Duration::from_secs(3),
        }
    }
}

/// Returns when a process has not answered for too long: for more than half a minute, and less than a whole one. `answers` is whether
/// it answers now.
pub(super) async fn hangs<F: Future<Output = bool>>(timing: Timing, answers: impl Fn() -> F) -> Duration {
    // Since the first question that was not answered; what was before that is not known.
    let (mut silent, mut known) = (None::<Instant>, false);
    let (mut pause, mut heard) = (timing.pause_start, Instant::now());
    loop {
        let slept = Instant::now();
        if known && silent.is_none() {
            beat::next().await; // when it is awake anyway
        } else {
            sleep(pause).await;
        }
        let asked = Instant::now();
        let answered = timeout(timing.answer, answers()).await.unwrap_or(false);
        if answered {
            (silent, known, pause, heard) = (None, true, BEAT, Instant::now());
            continue;
        }
        if slept.elapsed() > pause + timing.answer + timing.overslept {
            (silent, heard) = (Some(Instant::now()), Instant::now());
        }
        let since = *silent.get_or_insert(asked);
        let silent_max = if known {
            pause = timing.pause_silent;
            timing.silent_max
        } else {
            timing.start_max
        };
        if since.elapsed() >= silent_max {
            return heard.elapsed();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_process_that_stops_answering_is_noticed_after_half_a_minute() {
        let asked = &Cell::new(0);
        let begun = Instant::now();
        let answers = || async move {
            asked.set(asked.get() + 1);
            if asked.get() > 10 {
                std::future::pending::<()>().await;
            }
            true
        };

        let silent = hangs(Timing::default(), answers).await;

        assert!(
            silent >= Duration::from_secs(30) && silent < Duration::from_secs(60),
            "{silent:?}"
        );
        assert!(begun.elapsed() > 9 * BEAT, "not while it answered");
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_may_take_longer_than_a_silence() {
        let begun = Instant::now();

        hangs(Timing::default(), || std::future::ready(false)).await;

        assert!(begun.elapsed() >= Timing::default().start_max);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_of_the_whole_machine_is_nobodys_silence() {
        let (asked, begun) = (&Cell::new(0), Instant::now());
        let answers = || async move {
            asked.set(asked.get() + 1);
            // The machine sleeps for ten minutes in the middle of a question, again and again.
            if asked.get() % 2 == 0 && asked.get() < 20 {
                tokio::time::advance(Duration::from_secs(600)).await;
                return false;
            }
            asked.get() < 20
        };

        let silent = hangs(Timing::default(), answers).await;

        assert!(
            begun.elapsed() > Duration::from_secs(9 * 600),
            "{:?}",
            begun.elapsed()
        );
        assert!(silent < Duration::from_secs(60), "{silent:?}");
    }
}
