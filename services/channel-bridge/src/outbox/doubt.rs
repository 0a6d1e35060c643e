//! What may have arrived over the connection there is, and must not be tried on it again.
//!
//! While a connection lives, an outcome that is unknown is no evidence of loss: what was written may still arrive, and a second
//! try on the same connection would arrive behind it. So it waits for another connection. A platform that recognises a repeat
//! by its key is asked again at once, and one that takes each message as a request of its own once the pause after a failure is over:
//! its connection for what people say may live for weeks.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::mpsc::{Sender, WeakSender};

use crate::adapter::SendRequest;

/// The deliveries in doubt, each with the connection that it may have arrived over. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Doubts {
    // Bounded by the chats of an account that wait: the one in doubt is the first of its chat. Weak, because a connection ends
    // when nobody can ask it for anything any more. A std lock around a map; it never crosses an await.
    over: Arc<Mutex<HashMap<i64, WeakSender<SendRequest>>>>,
}

impl Doubts {
    /// This delivery may have arrived over this connection.
    pub(crate) fn add(&self, seq: i64, connection: &Sender<SendRequest>) {
        self.lock().insert(seq, connection.downgrade());
    }

    /// Forgets what was in doubt over connections that are gone.
    pub(crate) fn settle(&self, current: Option<&Sender<SendRequest>>) {
        let same = |over: &WeakSender<SendRequest>| {
            let over = over.upgrade();
            over.zip(current)
                .is_some_and(|(over, current)| over.same_channel(current))
        };
        self.lock().retain(|_, over| same(over));
    }

    /// Whether a delivery waits for another connection. Call [`Self::settle`] before.
    pub(crate) fn holds(&self, seq: i64) -> bool {
        self.lock().contains_key(&seq)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<i64, WeakSender<SendRequest>>> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::Doubts;

    #[test]
    fn a_doubt_lasts_as_long_as_its_connection() {
        let doubts = Doubts::default();
        let (first, _requests) = mpsc::channel(1);
        doubts.add(1, &first);
        doubts.settle(Some(&first));
        assert!(doubts.holds(1) && !doubts.holds(2));

        let (second, _requests) = mpsc::channel(1);
        doubts.settle(Some(&second));

        assert!(!doubts.holds(1));
    }

    #[test]
    fn a_doubt_does_not_keep_a_connection_open() {
        let doubts = Doubts::default();
        let (connection, mut requests) = mpsc::channel(1);
        doubts.add(1, &connection);

        drop(connection);

        assert!(
            requests
                .try_recv()
                .is_err_and(|error| error == mpsc::error::TryRecvError::Disconnected)
        );
        doubts.settle(None);
        assert!(!doubts.holds(1));
    }
}
