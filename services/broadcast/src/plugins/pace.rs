//! How often a plugin may publish. Each event is written to every screen, so one plugin that runs wild would be the whole gateway's load.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use gatehouse_contract::PluginId;
use gatehouse_core::{Failure, Kind};
use tokio::time::Instant;

/// Events a second for long: the words of a model, which are the fastest that a screen is shown.
const EACH_SECOND: f64 = 100.0;

/// Events at once.
const BURST: f64 = 500.0;

/// What a plugin is told to wait that publishes too much.
const AGAIN: Duration = Duration::from_millis(100);

/// Plugins that are counted: no more than a map takes.
const PLUGINS_MAX: usize = 100;

/// A bucket for each plugin.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<HashMap<PluginId, (f64, Instant)>>);

impl Pace {
    /// Counts one event, or refuses it.
    pub(super) fn count(&self, plugin: &PluginId) -> Result<(), Failure> {
        let now = Instant::now();
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= PLUGINS_MAX && !buckets.contains_key(plugin) {
            // One that is full again is as good as none.
            buckets.retain(|_, (left, at)| *left + at.elapsed().as_secs_f64() * EACH_SECOND < BURST);
        }
        let (left, at) = buckets.entry(plugin.clone()).or_insert((BURST, now));
        *left = (*left + (now - *at).as_secs_f64() * EACH_SECOND).min(BURST);
        *at = now;
        if *left < 1.0 {
            let refusal =
                format!("more than {EACH_SECOND} events a second: publish fewer, or several things in one");
            return Err(Failure::new(Kind::Exhausted, refusal)
                .reason("TOO_MANY_EVENTS")
                .retry_after(AGAIN));
        }
        *left -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_taken_and_a_flood_is_not_and_one_plugins_flood_is_its_own() {
        let (pace, wild, calm) = (
            Pace::default(),
            PluginId::parse("wild").expect("an id"),
            PluginId::parse("calm").expect("an id"),
        );

        let taken = (0..1_000).filter(|_| pace.count(&wild).is_ok()).count();
        assert_eq!(taken, 500);
        assert!(pace.count(&calm).is_ok(), "another plugin has its own");

        advance(Duration::from_secs(1)).await;
        let taken = (0..1_000).filter(|_| pace.count(&wild).is_ok()).count();
        assert_eq!(taken, 100, "as many as came back in a second");
    }
}
