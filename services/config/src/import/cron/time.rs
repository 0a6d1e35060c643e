//! When the jobs of an OpenClaw gateway are due: what `cron.add` would refuse of it is said before.

use croner::parser::{CronParser, Seconds, Year};
use jiff::{Timestamp, Zoned, civil, tz::TimeZone};
use serde_json::{Map, Value, json};

use super::super::notes::{Fate, Notes};
use crate::path::Path;

/// The shortest interval that a job may have, in milliseconds.
const EVERY_MS_MIN: i64 = 1_000;

/// Looks at a schedule, and writes it as this gateway takes it.
///
/// # Errors
/// Why it is not taken.
pub(super) fn check(
    schedule: &mut Value,
    enabled: bool,
    now: Timestamp,
    place: &Path,
    notes: &mut Notes,
) -> Result<(), String> {
    let Some(schedule) = schedule.as_object_mut() else {
        return Err("schedule is not an object".to_owned());
    };
    match schedule.get("kind").and_then(Value::as_str) {
        Some("at") => at(schedule, enabled, now, place, notes),
        Some("every") => every(schedule),
        Some(_) | None => cron(schedule, now),
    }
}

fn at(
    schedule: &mut Map<String, Value>,
    enabled: bool,
    now: Timestamp,
    place: &Path,
    notes: &mut Notes,
) -> Result<(), String> {
    if let Some(ms) = schedule.get("atMs").and_then(Value::as_i64)
        && !schedule.contains_key("at")
        && let Ok(at) = Timestamp::from_millisecond(ms)
    {
        schedule.shift_remove("atMs");
        schedule.insert("at".to_owned(), json!(at.to_string()));
        notes.add(&place.key("atMs"), Fate::Moved, format!("is {at} under `at`"));
    }
    let written = schedule.get("at").cloned().unwrap_or_default();
    let Some(at) = written.as_str().and_then(instant) else {
        return Err(format!(
            "schedule.at {written} is no time: add the job with one, for example 2027-02-01T16:00:00Z"
        ));
    };
    if at >= now {
        return Ok(());
    }
    if enabled {
        return Err(format!(
            "schedule.at {at} is over: add the job with another time if it is still to run"
        ));
    }
    // One that is switched off is taken with it.
    let told = format!("{at} is over: the job never runs unless it gets another time");
    notes.add(&place.key("at"), Fate::Decision, told);
    Ok(())
}

fn every(schedule: &Map<String, Value>) -> Result<(), String> {
    let written = schedule.get("everyMs").cloned().unwrap_or_default();
    match written.as_f64() {
        Some(ms) if ms >= EVERY_MS_MIN as f64 => Ok(()),
        Some(_) => Err(format!(
            "schedule.everyMs {written} is less than a second: add the job with a longer one"
        )),
        None => Err(format!("schedule.everyMs {written} is no number of milliseconds")),
    }
}

fn cron(schedule: &Map<String, Value>, now: Timestamp) -> Result<(), String> {
    let zone = match schedule.get("tz") {
        None | Some(Value::Null) => TimeZone::UTC,
        Some(tz) => match tz.as_str().map(str::trim) {
            Some("") => TimeZone::UTC,
            name => name.and_then(|name| TimeZone::get(name).ok()).ok_or_else(|| {
                format!(
                    "schedule.tz {tz} is no time zone: add the job with one, for example Europe/Berlin or UTC"
                )
            })?,
        },
    };
    let written = schedule.get("expr").cloned().unwrap_or_default();
    let parser = CronParser::builder()
        .seconds(Seconds::Optional)
        .year(Year::Disallowed)
        .build();
    let cron = parser
        .parse(written.as_str().unwrap_or_default())
        .map_err(|error| format!("schedule.expr {written} is no cron expression: {error}"))?;
    let next = cron.find_next_occurrence(&Zoned::new(now, zone), false);
    next.map(drop)
        .map_err(|_| format!("schedule.expr {written} never comes: add the job with another one"))
}

/// A time; without an offset it is UTC.
fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    text.parse().ok().or_else(|| {
        let civil: civil::DateTime = text.parse().ok()?;
        civil.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp())
    })
}
