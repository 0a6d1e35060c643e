use proptest::prelude::*;
use proptest::test_runner::contextualize_config;

use super::*;

fn moment(text: &str) -> Timestamp {
    instant(text).unwrap()
}

fn cron(expr: &str, tz: &str) -> Calendar {
    let schedule = Schedule::Cron {
        expr: expr.to_owned(),
        tz: Some(tz.to_owned()),
        stagger_ms: None,
    };
    Calendar::read(&schedule, Timestamp::EPOCH, &TimeZone::UTC).unwrap()
}

fn slots(calendar: &Calendar, after: &str, count: usize) -> Vec<String> {
    let mut time = moment(after);
    let next = || {
        time = calendar.after(time)?;
        Some(
            jiff::Timestamp::from_millisecond(time.as_ms())
                .unwrap()
                .to_string(),
        )
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
        let start = moment(night);
        let expected: Vec<Timestamp> = (1..=8).map(|n| start.plus_ms(n * 1_800_000)).collect();
        let mut time = start;
        let found: Vec<Timestamp> = std::iter::from_fn(|| {
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
    assert_eq!(
        cron("0 0 30 2 *", "UTC").after(moment("2027-01-01T00:00:00Z")),
        None
    );
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
    let at = Timestamp::from_ms;
    let schedule = Schedule::Every {
        every_ms: 60_000,
        anchor_ms: Some(at(1_000_500)),
    };
    let every = Calendar::read(&schedule, Timestamp::EPOCH, &TimeZone::UTC).unwrap();

    assert_eq!(every.after(at(0)), Some(at(1_000_500)));
    assert_eq!(every.after(at(1_000_500)), Some(at(1_060_500)));
    assert_eq!(
        every.between(at(1_000_500), at(1_600_500), 3),
        [at(1_480_500), at(1_540_500), at(1_600_500)]
    );
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    let refused = |schedule: &str| {
        let schedule: Schedule = serde_json::from_str(schedule).unwrap();
        Calendar::read(&schedule, Timestamp::EPOCH, &TimeZone::UTC)
            .unwrap_err()
            .path
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

/// One field of a cron expression.
fn field(least: u8, most: u8) -> impl Strategy<Value = String> {
    let any = move || least..=most;
    prop_oneof![
        4 => Just("*".to_owned()),
        2 => any().prop_map(|at| at.to_string()),
        1 => (1..=most).prop_map(|step| format!("*/{step}")),
        1 => (any(), any()).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        1 => (any(), any()).prop_map(|(a, b)| format!("{a},{b}")),
    ]
}

/// Cron expressions as somebody might write them, those that never come among them.
fn expressions() -> impl Strategy<Value = String> {
    let fields = (
        field(0, 59),
        field(0, 23),
        field(1, 31),
        field(1, 12),
        field(0, 7),
    );
    fields.prop_map(|(minute, hour, day, month, weekday)| format!("{minute} {hour} {day} {month} {weekday}"))
}

/// Zones that change their clocks by an hour, by half of one, by two, backwards in the winter, and not at all; and one that left out a day.
const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Asia/Kathmandu",
    "Pacific/Apia",
];

proptest! {
    #![proptest_config(contextualize_config(ProptestConfig::with_cases(64)))]

    #[test]
    fn the_slots_of_a_stretch_are_those_that_follow_one_another(
        expr in prop_oneof![
            Just("*/7 * * * *".to_owned()), Just("30 2 * * *".to_owned()), Just("0 */3 * * 1-5".to_owned()),
            Just("15,45 1-3 * * *".to_owned()), Just("0 0 29 2 *".to_owned()), expressions(),
        ],
        zone in prop::sample::select(&ZONES[..]),
        start in 1_790_000_000_000_i64..1_850_000_000_000,
        length in 0_i64..40 * 24 * 3_600_000,
    ) {
        let calendar = cron(&expr, zone);
        // As many minutes as a machine counts in a moment.
        let length = if expr.starts_with('*') { length / 10 } else { length };
        let Some(first) = calendar.after(Timestamp::from_ms(start)) else { return Ok(()) };
        let until = first.plus_ms(length);
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
