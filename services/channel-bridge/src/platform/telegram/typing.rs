//! Who is being answered. Telegram shows it for five seconds, so it is said again until the answer comes.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use super::chats::Place;

/// How often it is said again: before the five seconds are over.
pub(super) const AGAIN: Duration = Duration::from_secs(4);
/// A model on a small machine takes its time; what takes longer has failed in silence.
const SHOWN_FOR: Duration = Duration::from_secs(300);
/// Places at the same time. What is beyond is not shown.
const PLACES_MAX: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Answering(HashMap<Place, Instant>);

impl Answering {
    /// Somebody is being answered there. False: nothing is to be shown.
    pub(super) fn begin(&mut self, place: &Place, now: Instant) -> bool {
        if self.0.len() >= PLACES_MAX && !self.0.contains_key(place) {
            return false;
        }
        self.0.insert(place.clone(), now);
        true
    }

    /// The answer is there.
    pub(super) fn end(&mut self, place: &Place) {
        self.0.remove(place);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where it is to be said again.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Place> {
        self.0
            .retain(|_, since| now.saturating_duration_since(*since) < SHOWN_FOR);
        self.0.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{self, Instant};

    use super::{Answering, PLACES_MAX, SHOWN_FOR};
    use crate::platform::telegram::chats::Place;

    fn place(chat: usize) -> Place {
        Place::read(&chat.to_string(), None).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_shown_until_the_answer_comes_or_none_will() {
        let mut answering = Answering::default();
        assert!(answering.begin(&place(1), Instant::now()));
        time::advance(SHOWN_FOR / 2).await;
        assert!(answering.begin(&place(2), Instant::now()));

        assert_eq!(answering.due(Instant::now()).len(), 2);
        time::advance(SHOWN_FOR / 2).await;
        assert_eq!(answering.due(Instant::now()), [place(2)]);
        answering.end(&place(2));
        assert!(answering.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_shown_in_so_many_places_and_no_more() {
        let mut answering = Answering::default();
        for chat in 0..PLACES_MAX {
            assert!(answering.begin(&place(chat), Instant::now()));
        }

        assert!(!answering.begin(&place(PLACES_MAX), Instant::now()));
        assert!(answering.begin(&place(0), Instant::now()));
    }
}
