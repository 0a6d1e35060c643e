//! A circuit breaker for each provider: one that keeps failing is not asked for a while: no storm of calls, and an answer to the user at once, with the reason
//! of the last failure.
//!
//! Only outages count ([`crate::turn`]): a provider that refuses a request is there. What is known of a provider belongs to its entry
//! in the configuration; whoever repairs that is not told of failures before it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{config::Fingerprint, unanswered::Unanswered};

/// Failures in a row after which its circuit opens.
const FAILURES_MAX: u32 = 3;

/// How long it stays open, and how long others wait for the one caller that tries it then.
const COOL_DOWN: Duration = Duration::from_secs(30);

/// One state for each provider of the configuration.
#[derive(Debug, Default)]
pub(crate) struct Breakers(Mutex<HashMap<String, State>>);

#[derive(Debug)]
struct State {
    entry: Fingerprint,
    failures: u32,
    open: Option<Open>,
    last: Unanswered,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    until: Instant,
    /// Somebody tries it at this moment.
    is_tried: bool,
}

/// Why a provider is not asked.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CircuitOpen {
    pub(crate) wait: Duration,
    pub(crate) failures: u32,
    /// Whether the wait is for somebody else's try.
    pub(crate) is_tried: bool,
    pub(crate) last: Unanswered,
}

impl Breakers {
    fn states(&self) -> MutexGuard<'_, HashMap<String, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a provider may be asked. After its time alone one caller may try; the others wait for how that ends.
    ///
    /// # Errors
    /// When its circuit is open.
    pub(crate) fn admit(&self, provider: &str, entry: Fingerprint) -> Result<(), CircuitOpen> {
        let mut states = self.states();
        let Some(state) = states.get_mut(provider).filter(|state| state.entry == entry) else {
            return Ok(());
        };
        let now = Instant::now();
        match state.open {
            None => Ok(()),
            Some(open) if now < open.until => Err(state.circuit_open(open, now)),
            Some(_) => {
                state.open = Some(Open {
                    until: now + COOL_DOWN,
                    is_tried: true,
                });
                Ok(())
            }
        }
    }

    /// How long its circuit stays open. Nobody is let in by this question.
    pub(crate) fn cooling(&self, provider: &str, entry: Fingerprint) -> Option<Duration> {
        let states = self.states();
        let state = states.get(provider).filter(|state| state.entry == entry)?;
        let wait = state.open?.until.saturating_duration_since(Instant::now());
        (!wait.is_zero()).then_some(wait)
    }

    /// The providers that failed lately, and whether its circuit is open now.
    pub(crate) fn shown(&self) -> Vec<(String, bool)> {
        let now = Instant::now();
        let is_open = |state: &State| state.open.is_some_and(|open| now < open.until);
        let states = self.states();
        states
            .iter()
            .map(|(provider, state)| (provider.clone(), is_open(state)))
            .collect()
    }

    /// It answered.
    pub(crate) fn succeeded(&self, provider: &str) {
        self.states().remove(provider);
    }

    /// It failed in a way that the next caller would see too.
    pub(crate) fn failed(&self, provider: &str, entry: Fingerprint, why: &Unanswered) {
        let mut states = self.states();
        let known = states
            .remove(provider)
            .filter(|state| state.entry == entry)
            .map_or(0, |state| state.failures);
        let failures = known.saturating_add(1);
        let open = (failures >= FAILURES_MAX).then(|| {
            tracing::warn!(
                provider.id = provider, cool_down = ?COOL_DOWN, reason = why.message,
                "circuit open: a provider keeps failing"
            );
            Open {
                until: Instant::now() + COOL_DOWN,
                is_tried: false,
            }
        });
        let last = why.clone();
        states.insert(
            provider.to_owned(),
            State {
                entry,
                failures,
                open,
                last,
            },
        );
    }
}

impl State {
    fn circuit_open(&self, open: Open, now: Instant) -> CircuitOpen {
        CircuitOpen {
            wait: open.until - now,
            failures: self.failures,
            is_tried: open.is_tried,
            last: self.last.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_proto::agent::v1::FailureKind;

    use super::*;

    const ENTRY: Fingerprint = Fingerprint::of_test(1);

    fn refused() -> Unanswered {
        Unanswered::new(FailureKind::Unavailable, "refused")
    }

    fn open() -> Breakers {
        let breakers = Breakers::default();
        for _ in 0..FAILURES_MAX {
            assert_eq!(breakers.admit("p", ENTRY), Ok(()));
            breakers.failed("p", ENTRY, &refused());
        }
        breakers
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_failures_in_a_row_and_lets_one_try_after_the_cool_down() {
        let breakers = open();
        tokio::time::advance(Duration::from_secs(10)).await;
        let left = breakers.admit("p", ENTRY).unwrap_err();
        assert_eq!((left.wait, left.failures), (Duration::from_secs(20), 3));
        assert_eq!((left.last, left.is_tried), (refused(), false));
        assert_eq!(breakers.admit("other", ENTRY), Ok(()));
        assert_eq!(breakers.cooling("p", ENTRY), Some(Duration::from_secs(20)));
        assert_eq!(breakers.shown(), [("p".to_owned(), true)]);

        tokio::time::advance(COOL_DOWN).await;

        assert_eq!(breakers.cooling("p", ENTRY), None);
        assert_eq!(breakers.shown(), [("p".to_owned(), false)]);
        assert_eq!(breakers.admit("p", ENTRY), Ok(()), "one may try");
        assert!(breakers.admit("p", ENTRY).unwrap_err().is_tried, "and only one");
        breakers.succeeded("p");
        assert_eq!(breakers.admit("p", ENTRY), Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_try_that_fails_opens_it_again_with_its_own_reason() {
        let breakers = open();
        tokio::time::advance(COOL_DOWN).await;
        breakers.admit("p", ENTRY).unwrap();

        breakers.failed("p", ENTRY, &Unanswered::new(FailureKind::Unavailable, "HTTP 500"));

        let left = breakers.admit("p", ENTRY).unwrap_err();
        assert_eq!((left.last.message.as_str(), left.wait), ("HTTP 500", COOL_DOWN));
    }

    #[tokio::test(start_paused = true)]
    async fn an_entry_that_changed_starts_afresh() {
        let breakers = open();
        let repaired = Fingerprint::of_test(2);

        assert_eq!(breakers.admit("p", repaired), Ok(()));
        assert_eq!(breakers.cooling("p", repaired), None);
        breakers.failed("p", repaired, &refused());
        assert_eq!(
            breakers.admit("p", repaired),
            Ok(()),
            "counted from its own first failure"
        );
    }
}
