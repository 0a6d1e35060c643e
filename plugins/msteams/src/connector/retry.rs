//! When to try again. Microsoft asks for it after 412, 429, 502 and 504, and wants clients that were refused together to come back apart.

use std::time::{Duration, SystemTime};

use tokio::time;

use super::error::ConnectorError;

/// The first pause where Teams names none; each further one is twice as long.
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause. What Teams names may be longer than ours, and an answer that is an hour old helps nobody.
const PAUSE_MAX: Duration = Duration::from_secs(10 * 60);
/// Attempts of a call that somebody waits for.
const ATTEMPTS: u32 = 3;
/// The longest pause that somebody waits out.
const WAITED_MAX: Duration = Duration::from_secs(8);

/// How long to wait before trying again. `None`: trying again does not help.
///
/// `attempt` counts from 0; `chance` is between 0 and 1 and parts those who were refused together.
#[must_use]
pub fn pause(status: u16, retry_after: Option<&str>, attempt: u32, chance: f64) -> Option<Duration> {
    if !matches!(status, 412 | 429 | 502 | 504) {
        return None;
    }
    let chance = chance.clamp(0.0, 1.0);
    let pause = match retry_after.and_then(named) {
        // Never before the time that Teams names; a tenth apart.
        Some(named) => named.max(Duration::from_millis(100)).mul_f64(1.0 + chance / 10.0),
        None => FIRST
            .saturating_mul(1 << attempt.min(8))
            .mul_f64(0.5 + chance / 2.0),
    };
    Some(pause.min(PAUSE_MAX))
}

/// What a `Retry-After` says: seconds, or a date.
fn named(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

/// A number between 0 and 1.
#[must_use]
pub(super) fn chance() -> f64 {
    let mut bytes = [0; 2];
    // Without randomness the pauses are the longest, which is no harm.
    match getrandom::fill(&mut bytes) {
        Ok(()) => f64::from(u16::from_le_bytes(bytes)) / f64::from(u16::MAX),
        Err(_) => 1.0,
    }
}

/// Makes a call that somebody waits for, a few times where Teams asks for it.
///
/// # Errors
/// What the last attempt says.
pub async fn patiently<T, F>(mut call: impl FnMut() -> F) -> Result<T, ConnectorError>
where
    F: Future<Output = Result<T, ConnectorError>>,
{
    let mut attempt = 1;
    loop {
        match call().await {
            Err(ConnectorError::Busy { after, .. }) if attempt < ATTEMPTS && after <= WAITED_MAX => {
                time::sleep(after).await;
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{ConnectorError, named, patiently, pause};

    #[test]
    fn what_teams_names_is_waited_out_and_never_less() {
        let waited = |chance| pause(429, Some("3"), 0, chance).expect("worth another try");

        assert_eq!(waited(0.0), Duration::from_secs(3));
        assert!(waited(1.0) > Duration::from_secs(3) && waited(1.0) < Duration::from_secs(4));
        assert_eq!(pause(429, Some("999999"), 0, 0.0), Some(Duration::from_secs(600)));
        assert_eq!(
            named("Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(Duration::ZERO),
            "it is past"
        );
        assert_eq!(named("soon"), None);
    }

    #[test]
    fn pauses_grow_and_part_those_who_were_refused_together() {
        for status in [412, 429, 502, 504] {
            let early = pause(status, None, 0, 0.0).expect("worth another try");
            let late = pause(status, None, 0, 1.0).expect("worth another try");
            let third = pause(status, None, 2, 0.0).expect("worth another try");
            assert!(early < late && late < third, "{status}");
        }
        assert!(pause(429, None, u32::MAX, 1.0).is_some_and(|pause| pause <= Duration::from_secs(600)));
    }

    #[test]
    fn what_teams_refuses_for_good_is_not_tried_again() {
        for status in [400, 401, 403, 404, 413, 500] {
            assert_eq!(pause(status, Some("1"), 0, 0.5), None, "{status}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_somebody_waits_for_is_tried_three_times() {
        let (mut calls, began) = (0, Instant::now());

        let outcome = patiently(|| {
            calls += 1;
            std::future::ready(Err::<(), _>(ConnectorError::Busy {
                after: Duration::from_secs(2),
                reason: "busy".into(),
            }))
        })
        .await;

        assert!(outcome.is_err());
        assert_eq!((calls, began.elapsed().as_secs()), (3, 4));
    }
}
