//! Who listens to what, within this process.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use tokio::sync::mpsc;

use super::Listener;

/// Topics that there may be before those that nobody listens to any more are looked for.
const SWEEP_FROM: usize = 64;

/// The listeners. There are as many as tasks that wait: whoever makes them bounds them.
#[derive(Debug, Default)]
pub(super) struct Topics(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    topics: HashMap<String, Vec<mpsc::Sender<()>>>,
    /// With so many topics the next look comes: twice as many as the last one left.
    sweep_at: usize,
}

impl Topics {
    pub(super) fn signal(&self, topic: &str) {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for listener in state.topics.get(topic).into_iter().flatten() {
            let _told_already = listener.try_send(());
        }
    }

    pub(super) fn listen(&self, topic: &str) -> Listener {
        let (sender, listener) = Listener::new();
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.topics.len() >= state.sweep_at.max(SWEEP_FROM) {
            state.topics.retain(|_, listeners| {
                listeners.retain(|listener| !listener.is_closed());
                !listeners.is_empty()
            });
            state.sweep_at = 2 * state.topics.len();
        }
        let listeners = state.topics.entry(topic.to_owned()).or_default();
        listeners.retain(|listener| !listener.is_closed());
        listeners.push(sender);
        listener
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_that_nobody_listens_to_are_forgotten() {
        let topics = Topics::default();
        let kept = topics.listen("kept");
        for number in 0..100 * SWEEP_FROM {
            drop(topics.listen(&number.to_string()));
        }

        assert!(topics.0.lock().unwrap().topics.len() <= SWEEP_FROM);
        assert!(topics.0.lock().unwrap().topics.contains_key("kept"));
        drop(kept);
    }
}
