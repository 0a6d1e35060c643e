//! Who is being answered. Platforms show it for a few seconds, so it is said again until the answer comes.

use std::{collections::HashMap, hash::Hash, time::Duration};

use tokio::time::Instant;

/// A model on a small machine takes its time; what takes longer has failed in silence.
const SHOWN_FOR: Duration = Duration::from_secs(300);
/// Places at the same time. What is beyond is not shown.
const PLACES_MAX: usize = 32;

#[derive(Debug)]
pub(in crate::platform) struct Answering<P>(HashMap<P, Instant>);

impl<P> Default for Answering<P> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<P: Clone + Eq + Hash> Answering<P> {
    /// Somebody is being answered there. False: nothing is to be shown.
    pub(in crate::platform) fn begin(&mut self, place: &P, now: Instant) -> bool {
        if self.0.len() >= PLACES_MAX && !self.0.contains_key(place) {
            return false;
        }
        self.0.insert(place.clone(), now);
        true
    }

    /// The answer is there.
    pub(in crate::platform) fn end(&mut self, place: &P) {
        self.0.remove(place);
    }

    pub(in crate::platform) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where it is to be said again.
    pub(in crate::platform) fn due(&mut self, now: Instant) -> Vec<P> {
        self.0
            .retain(|_, since| now.saturating_duration_since(*since) < SHOWN_FOR);
        self.0.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{self, Instant};

    use super::{Answering, PLACES_MAX, SHOWN_FOR};

    #[tokio::test(start_paused = true)]
    async fn it_is_shown_until_the_answer_comes_or_none_will_and_in_so_many_places_only() {
        let mut answering = Answering::default();
        assert!(answering.begin(&0, Instant::now()));
        time::advance(SHOWN_FOR / 2).await;
        for place in 1..PLACES_MAX {
            assert!(answering.begin(&place, Instant::now()));
        }

        assert!(!answering.begin(&PLACES_MAX, Instant::now()));
        assert_eq!(answering.due(Instant::now()).len(), PLACES_MAX);
        time::advance(SHOWN_FOR / 2).await;
        assert_eq!(answering.due(Instant::now()).len(), PLACES_MAX - 1);
        for place in 1..PLACES_MAX {
            answering.end(&place);
        }
        assert!(answering.is_empty());
    }
}
