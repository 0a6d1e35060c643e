//! The slots of a schedule. A time that daylight saving leaves out is moved behind the hole for a job with one time of day, and left out
//! for one with many; a time that comes twice is one slot for the former and two for the latter (crate croner).

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned, civil};

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
    Once(i64),
    Every { every: i64, anchor: i64 },
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
    pub(crate) fn read(schedule: &Schedule, created: i64, zone: &TimeZone) -> Result<Self, Wrong> {
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
                    every: *every_ms,
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
    pub(crate) fn after(&self, time: i64) -> Option<i64> {
        match self {
            Self::Once(at) => (*at > time).then_some(*at),
            Self::Every { every, anchor } => {
                let gone = (time - anchor).div_euclid(*every) + 1;
                // Nothing is due before its anchor.
                every.checked_mul(gone.max(0))?.checked_add(*anchor)
            }
            Self::Cron(cron) => {
                let (cron, zone) = &**cron;
                // Its slots are whole seconds.
                let time = Timestamp::from_second(time.div_euclid(1_000)).ok()?;
                let next = cron
                    .find_next_occurrence(&Zoned::new(time, zone.clone()), false)
                    .ok()?;
                Some(next.timestamp().as_millisecond())
            }
        }
    }

    /// The slots from one on, up to a time: the last of them, when they are more than `most`.
    pub(crate) fn between(&self, first: i64, until: i64, most: usize) -> Vec<i64> {
        if let Self::Every { every, .. } = self {
            let count = (until - first).div_euclid(*every) + 1;
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            return (0..count)
                .skip(usize::try_from((count - most).max(0)).unwrap_or(usize::MAX))
                .map(|n| first + n * every)
                .collect();
        }
        let mut window = WINDOW_MS;
        loop {
            let from = first.max(until.saturating_sub(window));
            let mut slots: Vec<i64> = Vec::new();
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
fn instant(text: &str) -> Option<i64> {
    let text = text.trim();
    let at = text.parse::<Timestamp>().ok();
    let at = at.or_else(|| {
        let civil: civil::DateTime = text.parse().ok()?;
        civil.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp())
    })?;
    Some(at.as_millisecond())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ms(text: &str) -> i64 {
        instant(text).unwrap()
    }

    fn cron(expr: &str, tz: &str) -> Calendar {
        let schedule = Schedule::Cron {
            expr: expr.to_owned(),
            tz: Some(tz.to_owned()),
            stagger_ms: None,
        };
        Calendar::read(&schedule, 0, &TimeZone::UTC).unwrap()
    }

    fn slots(calendar: &Calendar, after: &str, count: usize) -> Vec<String> {
        let mut time = ms(after);
        let next = || {
            time = calendar.after(time)?;
            Some(Timestamp::from_millisecond(time).unwrap().to_string())
        };
        std::iter::from_fn(next).take(count).collect()
    }

    #[test]
    fn a_time_of_day_that_daylight_saving_leaves_out_comes_behind_the_hole_and_one_that_comes_twice_is_one_slot()
     {
        let daily = cron("30 2 * * *", "Europe/Berlin");

        assert_eq!(
            slots(&daily, "2027-03-27T00:00:00Z", 3),
            [
                "2027-03-27T01:30:00Z",
                "2027-03-28T01:00:00Z",
                "2027-03-29T00:30:00Z"
            ]
        );
        assert_eq!(
            slots(&daily, "2027-10-30T00:00:00Z", 3),
            [
                "2027-10-30T00:30:00Z",
                "2027-10-31T00:30:00Z",
                "2027-11-01T01:30:00Z"
            ]
        );
    }

    #[test]
    fn what_is_due_every_half_hour_is_due_every_half_hour_in_both_nights() {
        let often = cron("*/30 * * * *", "Europe/Berlin");

        for night in ["2027-03-28T00:00:00Z", "2027-10-30T23:00:00Z"] {
            let start = ms(night);
            let expected: Vec<i64> = (1..=8).map(|n| start + n * 1_800_000).collect();
            let mut time = start;
            let found: Vec<i64> = std::iter::from_fn(|| {
                time = often.after(time)?;
                Some(time)
            })
            .take(8)
            .collect();
            assert_eq!(found, expected, "{night}");
        }
    }

    #[test]
    fn a_leap_day_is_a_day_that_comes_in_leap_years() {
        let leap = cron("0 9 29 2 *", "UTC");

        assert_eq!(
            slots(&leap, "2027-01-01T00:00:00Z", 2),
            ["2028-02-29T09:00:00Z", "2032-02-29T09:00:00Z"]
        );
        assert_eq!(cron("0 0 30 2 *", "UTC").after(ms("2027-01-01T00:00:00Z")), None);
    }

    #[test]
    fn the_day_of_the_month_or_of_the_week_is_enough_and_seconds_may_stand_before() {
        let either = cron("0 9 15 * 1", "UTC");
        assert_eq!(
            slots(&either, "2027-02-08T10:00:00Z", 3),
            [
                "2027-02-15T09:00:00Z",
                "2027-02-22T09:00:00Z",
                "2027-03-01T09:00:00Z"
            ]
        );
        let seconds = cron("*/20 * * * * *", "UTC");
        assert_eq!(
            slots(&seconds, "2027-02-08T10:00:00.500Z", 2),
            ["2027-02-08T10:00:20Z", "2027-02-08T10:00:40Z"]
        );
    }

    #[test]
    fn an_interval_counts_from_its_anchor_and_never_before_it() {
        let schedule = Schedule::Every {
            every_ms: 60_000,
            anchor_ms: Some(1_000_500),
        };
        let every = Calendar::read(&schedule, 0, &TimeZone::UTC).unwrap();

        assert_eq!(every.after(0), Some(1_000_500));
        assert_eq!(every.after(1_000_500), Some(1_060_500));
        assert_eq!(
            every.between(1_000_500, 1_000_500 + 10 * 60_000, 3),
            [1_480_500, 1_540_500, 1_600_500]
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_place() {
        let refused = |schedule: &str| {
            let schedule: Schedule = serde_json::from_str(schedule).unwrap();
            Calendar::read(&schedule, 0, &TimeZone::UTC).unwrap_err().path
        };

        assert_eq!(refused(r#"{"kind":"at","at":"tomorrow"}"#), "/schedule/at");
        assert_eq!(refused(r#"{"kind":"every","everyMs":10}"#), "/schedule/everyMs");
        assert_eq!(
            refused(r#"{"kind":"cron","expr":"61 * * * *"}"#),
            "/schedule/expr"
        );
        assert_eq!(
            refused(r#"{"kind":"cron","expr":"0 0 1 1 * * 2027"}"#),
            "/schedule/expr"
        );
        assert_eq!(
            refused(r#"{"kind":"cron","expr":"* * * * *","tz":"Atlantis"}"#),
            "/schedule/tz"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_slots_of_a_stretch_are_those_that_follow_one_another(
            expr in prop_oneof![
                Just("*/7 * * * *"), Just("30 2 * * *"), Just("0 */3 * * 1-5"), Just("15,45 1-3 * * *"), Just("0 0 29 2 *"),
            ],
            zone in prop_oneof![Just("UTC"), Just("Europe/Berlin"), Just("America/New_York"), Just("Australia/Lord_Howe")],
            start in 1_790_000_000_000_i64..1_850_000_000_000,
            length in 0_i64..40 * 24 * 3_600_000,
        ) {
            let calendar = cron(expr, zone);
            let Some(first) = calendar.after(start) else { return Ok(()) };
            let until = first + length;
            let mut expected = vec![first];
            while let Some(next) = calendar.after(expected[expected.len() - 1]).filter(|next| *next <= until) {
                prop_assert!(next > expected[expected.len() - 1], "slots only go forward");
                expected.push(next);
            }

            prop_assert_eq!(&calendar.between(first, until, usize::MAX), &expected);
            let last = expected.split_off(expected.len().saturating_sub(5));
            prop_assert_eq!(calendar.between(first, until, 5), last);
        }
    }
}
