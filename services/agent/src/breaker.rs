//! A provider that keeps failing is left alone for a while: no storm of calls, and an answer to the user at once.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Failed turns in a row after which a provider is left alone.
const FAILURES_MAX: u32 = 3;

/// How long it is left alone.
const COOL_DOWN: Duration = Duration::from_secs(30);

/// One state for each provider of the configuration.
#[derive(Debug, Default)]
pub(crate) struct Breakers(Mutex<HashMap<String, State>>);

#[derive(Clone, Copy, Debug, Default)]
struct State {
    failures: u32,
    closed_until: Option<Instant>,
}

impl Breakers {
    /// How long a provider is still to be left alone. After that one caller may try; the others wait for how it ends.
    pub(crate) fn wait(&self, provider: &str) -> Option<Duration> {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = states.get_mut(provider)?;
        let until = state.closed_until?;
        let now = Instant::now();
        if now < until {
            return Some(until - now);
        }
        state.closed_until = Some(now + COOL_DOWN); // this caller is the one that tries
        None
    }

    /// It answered.
    pub(crate) fn succeeded(&self, provider: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(provider);
    }

    /// It failed in a way that the next caller would see too.
    pub(crate) fn failed(&self, provider: &str) {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let state = states.entry(provider.to_owned()).or_default();
        state.failures += 1;
        if state.failures >= FAILURES_MAX {
            tracing::warn!(provider.id = provider, cool_down = ?COOL_DOWN, "a provider keeps failing and is left alone");
            state.closed_until = Some(Instant::now() + COOL_DOWN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_failures_in_a_row_and_lets_one_try_after_the_cool_down() {
        let breakers = Breakers::default();
        for _ in 0..FAILURES_MAX {
            assert_eq!(breakers.wait("p"), None);
            breakers.failed("p");
        }
        assert!(breakers.wait("p").is_some());
        assert_eq!(breakers.wait("other"), None);

        tokio::time::advance(COOL_DOWN).await;

        assert_eq!(breakers.wait("p"), None, "one may try");
        assert!(breakers.wait("p").is_some(), "and only one");
        breakers.succeeded("p");
        assert_eq!(breakers.wait("p"), None);
    }
}
