//! The time of day, as a dependency. Deadlines are tokio's; this is for times that are stored or shown, and for the age of
//! what was stored, which stays true when somebody sets the clock.

mod timeline;
mod timestamp;

use std::{
    sync::{
        Arc, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use self::timeline::Timeline;
pub use self::timestamp::Timestamp;

/// One for the process, as there is one machine.
static MACHINE: LazyLock<Mutex<Timeline>> = LazyLock::new(|| Mutex::new(Timeline::new(machine_ms())));

/// A clock. Clones of a fixed one move together.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<Fixed>>);

#[derive(Debug)]
struct Fixed {
    ms: AtomicI64,
    timeline: Mutex<Timeline>,
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub const fn system() -> Self {
        Self(None)
    }

    /// A clock that stands until a test moves it.
    #[must_use]
    pub fn fixed(ms: i64) -> Self {
        Self(Some(Arc::new(Fixed {
            ms: AtomicI64::new(ms),
            timeline: Mutex::new(Timeline::new(ms)),
        })))
    }

    /// Now. May step: compare it with what is stored only through [`Self::age`].
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = self.read();
        self.timeline().look(now);
        Timestamp::from_ms(now)
    }

    /// Now, as contracts and JSON write it: milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.now().as_ms()
    }

    /// How long ago a stored time was, by time that went by and not by how the clock was set meanwhile. Zero for the future.
    #[must_use]
    pub fn age(&self, then: Timestamp) -> Duration {
        let now = self.read();
        let mut timeline = self.timeline();
        timeline.look(now);
        timeline.age(then.as_ms())
    }

    /// The time of day as it was so long ago: what is stored with an earlier one is older. Of what was stored before the clock
    /// was set back some is left out; [`Self::age`] is exact.
    #[must_use]
    pub fn before(&self, ago: Duration) -> Timestamp {
        let now = self.read();
        let mut timeline = self.timeline();
        timeline.look(now);
        Timestamp::from_ms(timeline.before(ago))
    }

    /// Moves a fixed clock. Does nothing to the machine's.
    pub fn advance_ms(&self, ms: i64) {
        if let Some(fixed) = &self.0 {
            fixed.ms.fetch_add(ms, Ordering::AcqRel);
        }
    }

    fn read(&self) -> i64 {
        match &self.0 {
            Some(fixed) => fixed.ms.load(Ordering::Acquire),
            None => machine_ms(),
        }
    }

    // A few lines of arithmetic under it; never across an await.
    fn timeline(&self) -> MutexGuard<'_, Timeline> {
        let timeline = self.0.as_ref().map_or(&*MACHINE, |fixed| &fixed.timeline);
        timeline.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn machine_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time;

    use super::{Clock, Timestamp};

    const HOUR: i64 = 3_600_000;
    const YEAR: i64 = 365 * 24 * HOUR;
    const BEGIN: i64 = 1_790_000_000_000;
    const NOW: Timestamp = Timestamp::from_ms(BEGIN);

    /// Time goes by on both clocks.
    async fn pass(clock: &Clock, ms: i64) {
        clock.advance_ms(ms);
        time::advance(Duration::from_millis(ms.unsigned_abs())).await;
        let _ = clock.now();
    }

    fn ms(duration: Duration) -> i64 {
        i64::try_from(duration.as_millis()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn an_age_is_time_that_went_by_however_the_clock_is_set() {
        for step in [HOUR, -HOUR, YEAR, -YEAR, 5_000, -5_000] {
            let clock = Clock::fixed(BEGIN);
            pass(&clock, HOUR).await;
            let before = clock.now();
            pass(&clock, 10_000).await;

            clock.advance_ms(step);
            let after = clock.now();
            pass(&clock, 60_000).await;

            assert_eq!(ms(clock.age(before)), 70_000, "{step}");
            assert_eq!(ms(clock.age(after)), 60_000, "{step}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_earlier_process_stored_is_as_old_as_it_looks_and_the_future_as_old_as_the_process() {
        let clock = Clock::fixed(BEGIN);
        pass(&clock, HOUR).await;

        assert_eq!(ms(clock.age(NOW.plus_ms(-HOUR))), 2 * HOUR);
        assert_eq!(ms(clock.age(NOW.plus_ms(YEAR))), HOUR);
        assert_eq!(ms(clock.age(Timestamp::MAX)), HOUR);
        assert!(ms(clock.age(Timestamp::EPOCH)) > BEGIN);
    }

    #[tokio::test(start_paused = true)]
    async fn a_bound_in_the_past_does_not_move_with_the_clock() {
        let clock = Clock::fixed(BEGIN);
        pass(&clock, HOUR).await;
        assert_eq!(clock.before(Duration::from_secs(60)), NOW.plus_ms(HOUR - 60_000));

        clock.advance_ms(YEAR);
        let _ = clock.now();
        pass(&clock, 30_000).await;

        assert_eq!(
            clock.before(Duration::from_secs(10)),
            NOW.plus_ms(HOUR + YEAR + 20_000)
        );
        assert_eq!(
            clock.before(Duration::from_secs(60)),
            NOW.plus_ms(HOUR - 30_000),
            "before the step"
        );
        assert_eq!(
            clock.before(Duration::from_secs(7_200)),
            NOW.plus_ms(30_000 - HOUR),
            "before the process"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn slewing_is_no_step_and_a_clock_that_is_set_again_and_again_costs_no_memory() {
        let clock = Clock::fixed(BEGIN);
        let stored = clock.now();
        for _ in 0..100 {
            clock.advance_ms(1_000);
            time::advance(Duration::from_millis(1_001)).await;
            let _ = clock.now();
        }
        assert_eq!(
            ms(clock.age(stored)),
            100_000,
            "by the time of day, which is the better clock"
        );

        for _ in 0..1_000 {
            clock.advance_ms(YEAR);
            let _ = clock.now();
            clock.advance_ms(-YEAR);
            let _ = clock.now();
        }
        assert!(ms(clock.age(clock.now())) < 1_000);
    }
}
