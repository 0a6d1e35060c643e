//! Which requests of which publisher are in the stream already.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

/// Publishers that are remembered: one for each process that publishes, several restarts back.
const PUBLISHERS_MAX: usize = 256;

/// A publisher that is silent for so long has ended; its retries are over long before.
const FORGET_AFTER: Duration = Duration::from_secs(600);

/// The memory of publishers.
#[derive(Debug, Default)]
pub(super) struct Publishers(HashMap<String, Last>);

#[derive(Debug)]
struct Last {
    sequence: u64,
    offset: u64,
    at: Instant,
}

impl Publishers {
    /// The offset that a request was answered with before, when it is a repeat.
    pub(super) fn repeated(&mut self, publisher: &str, sequence: u64) -> Option<u64> {
        self.0.retain(|_, last| last.at.elapsed() < FORGET_AFTER);
        self.0
            .get(publisher)
            .filter(|last| sequence <= last.sequence)
            .map(|last| last.offset)
    }

    /// Remembers a request. When there is no room, the publisher that was silent for longest is forgotten.
    pub(super) fn remember(&mut self, publisher: String, sequence: u64, offset: u64) {
        if self.0.len() >= PUBLISHERS_MAX && !self.0.contains_key(&publisher) {
            let oldest = self
                .0
                .iter()
                .min_by_key(|(_, last)| last.at)
                .map(|(id, _)| id.clone());
            oldest.and_then(|id| self.0.remove(&id));
        }
        self.0.insert(
            publisher,
            Last {
                sequence,
                offset,
                at: Instant::now(),
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_repeat_is_known_until_its_publisher_is_forgotten() {
        let mut publishers = Publishers::default();
        publishers.remember("a".into(), 3, 30);

        assert_eq!(publishers.repeated("a", 3), Some(30));
        assert_eq!(publishers.repeated("a", 4), None);
        assert_eq!(publishers.repeated("b", 3), None);
        tokio::time::advance(FORGET_AFTER).await;
        assert_eq!(publishers.repeated("a", 3), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_memory_is_bounded() {
        let mut publishers = Publishers::default();
        for id in 0..2 * PUBLISHERS_MAX {
            publishers.remember(id.to_string(), 1, 1);
            tokio::time::advance(Duration::from_millis(1)).await;
        }

        assert_eq!(publishers.0.len(), PUBLISHERS_MAX);
        assert_eq!(publishers.repeated("0", 1), None, "the oldest went first");
    }
}
