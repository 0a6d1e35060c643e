//! How long a provider wants to be left alone, in every form in which providers say it.
//!
//! `Retry-After` is seconds or a date (RFC 9110, 10.2.3), and fractions are about as well; Azure and OpenAI send
//! `retry-after-ms`; the limits themselves come as `x-ratelimit-reset-*`, as a length of time (`6m0s`, `20ms`, `30`) or a moment
//! (seconds or milliseconds since 1970, or RFC 3339), and in the draft of the IETF as `ratelimit-reset`.

use std::time::{Duration, SystemTime};

use reqwest::header::HeaderMap;
use serde_json::{Map, Value};

/// Nobody waits for longer than a day, whatever a header says.
const WAIT_MAX: Duration = Duration::from_secs(86_400);

/// A number of seconds above this is a moment and not a length of time: nobody waits for thirty years, and it was 2001.
const LENGTH_SECONDS_MAX: f64 = 1_000_000_000.0;
/// A moment in seconds is below this, one in milliseconds above.
const MOMENT_SECONDS_MAX: f64 = 100_000_000_000.0;

/// How long to wait before the next request, by the headers of a refusal.
pub(crate) fn read(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let now = date(headers, "date").unwrap_or(now); // its own clock, where it shows it: what it says is said by that
    let wait = milliseconds(headers, "retry-after-ms")
        .or_else(|| text(headers, "retry-after").and_then(|text| length_or_moment(text, now)))
        .or_else(|| resets(headers, now))?;
    Some(wait.min(WAIT_MAX))
}

/// How long to wait, by an object in the body of a refusal: Google's `RetryInfo`, and the names that others have for it.
pub(crate) fn read_object(map: &Map<String, Value>) -> Option<Duration> {
    const NAMES: [&str; 4] = ["retryDelay", "retry_after", "retryAfter", "retry_after_seconds"];
    let own = |map: &Map<String, Value>| {
        NAMES.iter().find_map(|name| match map.get(*name)? {
            Value::String(text) => text.parse().ok().and_then(length).or_else(|| units(text)),
            number => length(number.as_f64()?),
        })
    };
    let details = || {
        let entries = map.get("details")?.as_array()?;
        entries.iter().filter_map(Value::as_object).find_map(own)
    };
    own(map)
        .or_else(details)
        .filter(|wait| !wait.is_zero())
        .map(|wait| wait.min(WAIT_MAX))
}

/// How long to wait, by the words of an error: "Please try again in 7m12.5s.", "retry after 20 seconds".
pub(crate) fn read_words(words: &str) -> Option<Duration> {
    const BEFORE: [&str; 5] = [
        "try again in ",
        "retry in ",
        "retry after ",
        "again after ",
        "please wait ",
    ];
    let words = words.to_lowercase();
    let said = BEFORE.iter().find_map(|before| words.split_once(before))?.1;
    let end = said
        .find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | ' '))
        .unwrap_or(said.len());
    let (said, _) = said.split_at(end);
    let mut length = String::new();
    for word in said.split_whitespace() {
        let word = word.trim_end_matches('.');
        let (number, unit) =
            word.split_at(word.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(word.len()));
        let unit = match unit {
            "seconds" | "second" | "secs" | "sec" => "s",
            "minutes" | "minute" | "mins" | "min" => "m",
            "hours" | "hour" => "h",
            "milliseconds" | "millisecond" => "ms",
            other => other,
        };
        if units(&format!("{length}{number}{unit}")).is_none() && !unit.is_empty() {
            break; // the sentence goes on
        }
        length.push_str(number);
        length.push_str(unit);
    }
    units(&length)
        .filter(|wait| !wait.is_zero())
        .map(|wait| wait.min(WAIT_MAX))
}

/// How long that is, for a person.
pub(crate) fn spoken(wait: Duration) -> String {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    match seconds {
        0..=119 => format!("{} s", seconds.max(1)),
        120..=7_199 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3_600)),
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    (!value.is_empty()).then_some(value)
}

fn date(headers: &HeaderMap, name: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text(headers, name)?).ok()
}

fn milliseconds(headers: &HeaderMap, name: &str) -> Option<Duration> {
    length(text(headers, name)?.parse::<f64>().ok()? / 1_000.0)
}

fn length(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

/// When a limit begins anew. Of several the one that is used up; where none says so, the one of tokens, of which a request may want
/// more than is left.
fn resets(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    const LIMITS: [(&str, &str); 8] = [
        ("x-ratelimit-reset-requests", "x-ratelimit-remaining-requests"),
        ("x-ratelimit-reset-tokens", "x-ratelimit-remaining-tokens"),
        (
            "anthropic-ratelimit-requests-reset",
            "anthropic-ratelimit-requests-remaining",
        ),
        (
            "anthropic-ratelimit-tokens-reset",
            "anthropic-ratelimit-tokens-remaining",
        ),
        (
            "anthropic-ratelimit-input-tokens-reset",
            "anthropic-ratelimit-input-tokens-remaining",
        ),
        ("x-ratelimit-reset", "x-ratelimit-remaining"),
        ("x-rate-limit-reset", "x-rate-limit-remaining"),
        ("ratelimit-reset", "ratelimit-remaining"),
    ];
    let said: Vec<(bool, bool, Duration)> = LIMITS
        .iter()
        .filter_map(|(reset, remaining)| {
            let wait = length_or_moment(text(headers, reset)?, now)?;
            let is_used_up = text(headers, remaining).is_some_and(|left| left.parse() == Ok(0.0));
            Some((is_used_up, reset.contains("tokens"), wait))
        })
        .collect();
    let of = |wanted: fn(&(bool, bool, Duration)) -> bool| {
        said.iter().filter(|one| wanted(one)).map(|one| one.2).max()
    };
    of(|one| one.0)
        .or_else(|| of(|one| one.1))
        .or_else(|| of(|_| true))
}

fn length_or_moment(text: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(number) = text.parse::<f64>() {
        return if number <= LENGTH_SECONDS_MAX {
            length(number)
        } else {
            let seconds = if number < MOMENT_SECONDS_MAX {
                number
            } else {
                number / 1_000.0
            };
            Some(until(SystemTime::UNIX_EPOCH.checked_add(length(seconds)?)?, now))
        };
    }
    if let Ok(moment) = httpdate::parse_http_date(text) {
        return Some(until(moment, now));
    }
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Some(until(moment.into(), now));
    }
    units(text)
}

fn until(moment: SystemTime, now: SystemTime) -> Duration {
    moment.duration_since(now).unwrap_or_default() // past already
}

/// `6m0s`, `1h30m`, `2.5s`, `20ms`.
fn units(text: &str) -> Option<Duration> {
    let (mut rest, mut seconds) = (text, 0.0);
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit() && c != '.')?);
        let (unit, after) = after.split_at(after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len()));
        seconds += number.parse::<f64>().ok()?
            * match unit.trim() {
                "ms" => 0.001,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3_600.0,
                "d" => 86_400.0,
                _ => return None,
            };
        rest = after;
    }
    length(seconds)
}

#[cfg(test)]
mod tests;
