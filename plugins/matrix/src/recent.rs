//! What happened lately in the rooms, as far as something that comes later speaks of it: a reaction that is taken back, a message that is.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

/// Events that are remembered. What speaks of an older one is not understood.
const EVENTS_MAX: usize = 2_000;

/// What an event was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Was {
    /// Ours.
    Ours,
    /// Somebody's message: who said it.
    Said(String),
    /// Somebody's reaction to a message of ours.
    Reaction(String),
}

/// The last events.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<Events>);

#[derive(Debug, Default)]
struct Events {
    known: HashMap<String, Was>,
    order: VecDeque<String>,
}

impl Recent {
    pub(crate) fn keep(&self, event: &str, was: Was) {
        let mut events = self.open();
        if events.known.insert(event.to_owned(), was).is_some() {
            return;
        }
        events.order.push_back(event.to_owned());
        if events.order.len() > EVENTS_MAX
            && let Some(oldest) = events.order.pop_front()
        {
            events.known.remove(&oldest);
        }
    }

    pub(crate) fn was(&self, event: &str) -> Option<Was> {
        self.open().known.get(event).cloned()
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Events> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{EVENTS_MAX, Recent, Was};

    #[test]
    fn the_oldest_event_is_forgotten_and_no_other() {
        let recent = Recent::default();
        for number in 0..=EVENTS_MAX {
            recent.keep(&format!("${number}"), Was::Ours);
        }

        assert_eq!(recent.was("$0"), None);
        assert_eq!(recent.was("$1"), Some(Was::Ours));
    }
}
