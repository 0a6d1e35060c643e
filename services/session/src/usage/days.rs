//! Which days a client asks for, and where each begins: days are those of a place, and not all are 24 hours long.

use gatehouse_core::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use jiff::{Span, ToSpan};

use crate::error::Error;

/// Days of one answer at most: ten years.
const DAYS_MAX: i64 = 3_660;

/// What a client says of the days that it wants.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) days: Option<i64>,
    pub(super) start: Option<String>,
    pub(super) end: Option<String>,
    pub(super) mode: Option<String>,
    pub(super) zone: Option<String>,
    pub(super) offset: Option<String>,
    pub(super) range: Option<String>,
}

/// Days in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Days {
    /// Their names, `2026-11-27`, in order.
    pub(super) names: Vec<String>,
    /// When each begins, and when the last one ends.
    pub(super) starts: Vec<Timestamp>,
}

impl Days {
    /// Reads what was asked. Without anything said: so many days up to today.
    ///
    /// # Errors
    /// A day, a zone or a range that does not exist, and more days than one answer holds.
    pub(super) fn read(asked: &Asked, now: Timestamp, unsaid: i64) -> Result<Self, Error> {
        let zone = zone(asked)?;
        let now = jiff::Timestamp::from_millisecond(now.as_ms()).unwrap_or_default();
        let today = now.to_zoned(zone.clone()).date();
        let asked_end = asked.end.as_deref().map(|end| date(end, "/endDate"));
        let end = asked_end.transpose()?.unwrap_or(today);
        let count = match (asked.days, asked.range.as_deref()) {
            (Some(days), _) => days,
            (None, Some("7d")) => 7,
            (None, Some("30d")) => 30,
            (None, Some("90d")) => 90,
            (None, Some("1y")) => 365,
            (None, Some("all")) => DAYS_MAX,
            (None, Some(_)) => return Err(field("/range", "is none of 7d, 30d, 90d, 1y, all")),
            (None, None) => unsaid,
        };
        let start = match &asked.start {
            Some(start) => date(start, "/startDate")?,
            None => end.saturating_sub((count - 1).days()),
        };
        // Nothing is used in the future: days that a page asks for without an end are those up to today.
        let end = if start <= today { end.min(today) } else { end };
        let last = i64::from(end.since(start).map_or(-1, |span: Span| span.get_days()));
        if !(0..DAYS_MAX).contains(&last) {
            return Err(field(
                "/startDate",
                "is after the last day, or more than ten years before it",
            ));
        }
        let (mut names, mut starts) = (Vec::new(), Vec::new());
        let mut day = start;
        for _ in 0..=last {
            names.push(day.to_string());
            starts.push(begin(day, &zone));
            day = day.saturating_add(1.day());
        }
        starts.push(begin(day, &zone));
        Ok(Self { names, starts })
    }

    /// The first and the last of them.
    pub(super) fn bounds(&self) -> (String, String) {
        let name = |day: Option<&String>| day.cloned().unwrap_or_default();
        (name(self.names.first()), name(self.names.last()))
    }
}

fn begin(day: Date, zone: &TimeZone) -> Timestamp {
    zone.to_zoned(day.at(0, 0, 0, 0)).map_or(Timestamp::MAX, |begin| {
        Timestamp::from_ms(begin.timestamp().as_millisecond())
    })
}

fn date(text: &str, path: &'static str) -> Result<Date, Error> {
    text.parse()
        .map_err(|_| field(path, "is not a day: write it as 2026-11-27"))
}

fn zone(asked: &Asked) -> Result<TimeZone, Error> {
    match asked.mode.as_deref() {
        None | Some("utc") => Ok(TimeZone::UTC),
        Some("gateway") => Ok(TimeZone::system()),
        Some("specific") => {
            let named = asked.zone.as_deref().and_then(|name| TimeZone::get(name).ok());
            // A container may know no zones; what clients send beside them is as good for today.
            let offset = || asked.offset.as_deref().and_then(offset).map(TimeZone::fixed);
            named.or_else(offset).ok_or_else(|| {
                field(
                    "/timeZone",
                    "is not a time zone that this machine knows: send utcOffset, for example UTC+2",
                )
            })
        }
        Some(_) => Err(field("/mode", "is none of utc, gateway, specific")),
    }
}

/// `UTC+2`, `UTC-3:30`.
fn offset(text: &str) -> Option<Offset> {
    let text = text.strip_prefix("UTC")?;
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let digits = text.get(1..)?;
    let (hours, minutes) = digits.split_once(':').unwrap_or((digits, "0"));
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    let is_real = (0..=14).contains(&hours) && (0..=59).contains(&minutes);
    let seconds = sign * (hours * 3600 + minutes * 60);
    is_real.then(|| Offset::from_seconds(seconds).ok())?
}

const fn field(path: &'static str, problem: &'static str) -> Error {
    Error::Field { path, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-27, 23:30 UTC.
    const NOW: Timestamp = Timestamp::from_ms(1_795_822_200_000);

    fn days(asked: Asked) -> Result<Days, Error> {
        Days::read(&asked, NOW, 30)
    }

    #[test]
    fn without_a_word_they_are_the_last_thirty_of_utc() {
        let days = days(Asked::default()).unwrap();

        assert_eq!(days.bounds(), ("2026-10-29".to_owned(), "2026-11-27".to_owned()));
        assert_eq!((days.names.len(), days.starts.len()), (30, 31));
        assert!(
            days.starts
                .windows(2)
                .all(|pair| pair[1].ms_since(pair[0]) == 86_400_000)
        );
    }

    #[test]
    fn days_are_those_of_the_place_that_was_named() {
        let asked = |zone: Option<&str>, offset: Option<&str>| Asked {
            days: Some(1),
            mode: Some("specific".to_owned()),
            zone: zone.map(str::to_owned),
            offset: offset.map(str::to_owned),
            ..Asked::default()
        };

        let ahead = days(asked(None, Some("UTC+2"))).unwrap();
        let behind = days(asked(Some("Nowhere/Nothing"), Some("UTC-3:30"))).unwrap();

        assert_eq!(ahead.names, ["2026-11-28"]);
        assert_eq!(ahead.starts[0].as_ms() % 86_400_000, 22 * 3_600_000);
        assert_eq!(behind.names, ["2026-11-27"]);
        assert!(days(asked(Some("Nowhere/Nothing"), None)).is_err());
    }

    #[test]
    fn what_is_no_day_and_what_is_too_much_is_refused() {
        let between = |start: &str, end: &str| {
            days(Asked {
                start: Some(start.to_owned()),
                end: Some(end.to_owned()),
                ..Asked::default()
            })
        };

        assert_eq!(
            between("2026-11-01", "2026-11-02").unwrap().names,
            ["2026-11-01", "2026-11-02"]
        );
        for (start, end) in [
            ("2026-11-02", "2026-11-01"),
            ("1990-01-01", "2026-01-01"),
            ("2026-02-30", "2026-03-01"),
            ("x", "y"),
        ] {
            assert!(
                matches!(between(start, end), Err(Error::Field { .. })),
                "{start} {end}"
            );
        }
        assert_eq!(
            between("2026-11-26", "2099-11-27").unwrap().names,
            ["2026-11-26", "2026-11-27"],
            "nothing is used in the future"
        );
        let range = |range: &str| {
            days(Asked {
                range: Some(range.to_owned()),
                ..Asked::default()
            })
        };
        assert_eq!(range("7d").unwrap().names.len(), 7);
        assert_eq!(range("all").unwrap().names.len(), 3_660);
        assert!(range("2w").is_err());
    }
}
