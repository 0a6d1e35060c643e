//! What becomes of the slots of a job that are due: a function of the job and the time.

use gatehouse_core::Timestamp;
use jiff::tz::TimeZone;

use super::{Calendar, Job, ON_TIME_MS, SLOTS_KEPT, back_off_ms};

/// What lies between two runs that make up for missed slots, in milliseconds: a machine that was off for a night begins its
/// day with more than that.
const CATCH_UP_MS: i64 = 5_000;

pub(super) const SUPERSEDED: &str = "a later time was due as well: of what was missed one runs at most";
pub(super) const LATE: &str = "nobody was there at its time, and it is too late now";
pub(super) const BUSY: &str = "the run before it is still under way";
pub(super) const BACKING_OFF: &str = "the job failed and rests for a while";

/// What becomes of a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Claim { fire_at: Timestamp, catches_up: bool },
    Skip(&'static str),
    Miss(&'static str),
}

/// What becomes of a job's slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// In order.
    pub(crate) slots: Vec<(Timestamp, Fate)>,
    /// The next one.
    pub(crate) next: Option<Timestamp>,
}

/// When the next run may begin that makes up for a missed slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CatchUp {
    next: Timestamp,
}

impl CatchUp {
    /// `last` is when the last of those begins that wait already.
    pub(crate) fn new(now: Timestamp, last: Option<Timestamp>) -> Self {
        // One from before the clock was set back holds nobody up.
        let last = last.filter(|last| *last <= now.plus_ms(1_000 * CATCH_UP_MS));
        Self {
            next: last.map_or(now, |last| now.max(last.plus_ms(CATCH_UP_MS))),
        }
    }

    fn take(&mut self) -> Timestamp {
        let at = self.next;
        self.next = at.plus_ms(CATCH_UP_MS);
        at
    }
}

/// Decides about all slots up to now. `skips_missed` is what the configuration says for jobs that say nothing.
pub(crate) fn plan(
    job: &Job,
    calendar: &Calendar,
    skips_missed: bool,
    catch_up: &mut CatchUp,
    now: Timestamp,
) -> Plan {
    let Some(first) = job.next_slot.filter(|first| *first <= now) else {
        return Plan {
            slots: Vec::new(),
            next: job.next_slot,
        };
    };
    let due = calendar.between(first, now, SLOTS_KEPT);
    let next = calendar.after(now);
    let Some((last, before)) = due.split_last() else {
        return Plan {
            slots: Vec::new(),
            next,
        };
    };
    let superseded = |at: &Timestamp| (*at, Fate::Miss(SUPERSEDED));
    let mut slots: Vec<_> = before.iter().map(superseded).collect();
    slots.push((*last, fate(job, *last, skips_missed, catch_up, now)));
    Plan { slots, next }
}

fn fate(job: &Job, slot: Timestamp, skips_missed: bool, catch_up: &mut CatchUp, now: Timestamp) -> Fate {
    if job.running_at.is_some() {
        return Fate::Skip(BUSY);
    }
    // A rest that is longer than any is from before the clock was set back.
    let rests = |until: Timestamp| slot < until && until.ms_since(now) <= back_off_ms(u32::MAX);
    if job.state.back_off_until.is_some_and(rests) {
        return Fate::Skip(BACKING_OFF);
    }
    let on_time = slot.plus_ms(job.stagger());
    let late = now.ms_since(on_time);
    if late <= ON_TIME_MS {
        return Fate::Claim {
            fire_at: on_time,
            catches_up: false,
        };
    }
    match job.spec.late_max(skips_missed) {
        Some(late_max) if late <= late_max => Fate::Claim {
            fire_at: catch_up.take(),
            catches_up: true,
        },
        Some(_) | None => Fate::Miss(LATE),
    }
}

/// Whether a slot that was claimed may still be fired.
pub(super) fn may_still_fire(job: &Job, slot: Timestamp, skips_missed: bool, now: Timestamp) -> bool {
    let late = now.ms_since(slot.plus_ms(job.stagger()));
    late <= ON_TIME_MS.max(job.spec.late_max(skips_missed).unwrap_or(0))
}

/// The zone of the host.
pub(crate) fn host_zone() -> TimeZone {
    TimeZone::try_system().unwrap_or(TimeZone::UTC)
}
