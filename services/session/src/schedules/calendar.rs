//! The slots of a schedule. A time that daylight saving leaves out is moved behind the hole for a job with one time of day, and left out
//! for one with many; a time that comes twice is one slot for the former and two for the latter (crate croner).

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use gatehouse_core::Timestamp;
use jiff::tz::TimeZone;
use jiff::{Zoned, civil};

use super::Schedule;

/// The shortest interval, in milliseconds: a turn takes longer.
const EVERY_MS_MIN: i64 = 1_000;
/// The longest, in milliseconds: a hundred years.
const EVERY_MS_MAX: i64 = 100 * 366 * 24 * 3_600_000;
/// The longest window in which a job fires after its slot, in milliseconds.
const STAGGER_MS_MAX: i64 = 24 * 3_600_000;
/// The window in which missed slots are looked for first, in milliseconds; it doubles until there are enough.
const WINDOW_MS: i64 = 60_000;

/// A schedule that was read.
#[derive(Clone, Debug)]
pub(crate) enum Calendar {
    Once(Timestamp),
    Every { every_ms: i64, anchor: Timestamp },
    Cron(Box<(Cron, TimeZone)>),
}

/// What is wrong with a schedule, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) path: &'static str,
    pub(crate) problem: String,
}

fn wrong(path: &'static str, problem: impl Into<String>) -> Wrong {
    let problem = problem.into();
    Wrong { path, problem }
}

impl Calendar {
    /// Reads a schedule. `created` is the anchor of one that has none, and `zone` that of the host.
    ///
    /// # Errors
    /// What makes no sense about it.
    pub(crate) fn read(schedule: &Schedule, created: Timestamp, zone: &TimeZone) -> Result<Self, Wrong> {
        match schedule {
            Schedule::At { at } => instant(at).map(Self::Once).ok_or_else(|| {
                wrong(
                    "/schedule/at",
                    "is no time: write for example 2027-02-01T16:00:00Z",
                )
            }),
            Schedule::Every { every_ms, anchor_ms } => {
                if !(EVERY_MS_MIN..=EVERY_MS_MAX).contains(every_ms) {
                    return Err(wrong(
                        "/schedule/everyMs",
                        "is less than a second or more than a hundred years",
                    ));
                }
                Ok(Self::Every {
                    every_ms: *every_ms,
                    anchor: anchor_ms.unwrap_or(created),
                })
            }
            Schedule::Cron { expr, tz, stagger_ms } => {
                let cron = CronParser::builder()
                    .seconds(Seconds::Optional)
                    .year(Year::Disallowed)
                    .build()
                    .parse(expr)
                    .map_err(|error| wrong("/schedule/expr", format!("is no cron expression: {error}")))?;
                let zone = match tz.as_deref().map(str::trim).filter(|tz| !tz.is_empty()) {
                    None => zone.clone(),
                    Some(name) => TimeZone::get(name).map_err(|_| {
                        wrong(
                            "/schedule/tz",
                            "is no time zone: write for example Europe/Berlin or UTC",
                        )
                    })?,
                };
                if stagger_ms.is_some_and(|window| !(0..=STAGGER_MS_MAX).contains(&window)) {
                    return Err(wrong("/schedule/staggerMs", "is below 0 or more than a day"));
                }
                Ok(Self::Cron(Box::new((cron, zone))))
            }
        }
    }

    /// The first slot after a time.
    pub(crate) fn after(&self, time: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Once(at) => (*at > time).then_some(*at),
            Self::Every { every_ms, anchor } => {
                let gone = time.ms_since(*anchor).div_euclid(*every_ms) + 1;
                // Nothing is due before its anchor.
                let from_anchor = every_ms.checked_mul(gone.max(0))?;
                from_anchor.checked_add(anchor.as_ms()).map(Timestamp::from_ms)
            }
            Self::Cron(cron) => {
                let (cron, zone) = &**cron;
                // Its slots are whole seconds.
                let time = jiff::Timestamp::from_second(time.as_seconds()).ok()?;
                let next = cron
                    .find_next_occurrence(&Zoned::new(time, zone.clone()), false)
                    .ok()?;
                Some(Timestamp::from_ms(next.timestamp().as_millisecond()))
            }
        }
    }

    /// The slots from one on, up to a time: the last of them, when they are more than `most`.
    pub(crate) fn between(&self, first: Timestamp, until: Timestamp, most: usize) -> Vec<Timestamp> {
        if let Self::Every { every_ms, .. } = self {
            let count = until.ms_since(first).div_euclid(*every_ms) + 1;
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            return (0..count)
                .skip(usize::try_from((count - most).max(0)).unwrap_or(usize::MAX))
                .map(|n| first.plus_ms(n * every_ms))
                .collect();
        }
        let mut window = WINDOW_MS;
        loop {
            let from = first.max(until.plus_ms(-window));
            let mut slots: Vec<Timestamp> = Vec::new();
            let mut slot = if from == first {
                Some(first)
            } else {
                self.after(from)
            };
            while let Some(at) = slot.filter(|at| *at <= until) {
                slots.push(at);
                slot = self.after(at);
            }
            if from == first || slots.len() >= most {
                let surplus = slots.len().saturating_sub(most);
                return slots.split_off(surplus);
            }
            window = window.saturating_mul(2);
        }
    }
}

/// Reads a time; without an offset it is UTC.
fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let at = text.parse::<jiff::Timestamp>().ok();
    let at = at.or_else(|| {
        let civil: civil::DateTime = text.parse().ok()?;
        civil.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp())
    })?;
    Some(Timestamp::from_ms(at.as_millisecond()))
}

#[cfg(test)]
mod tests;
