//! Turns at something that is busy for a moment: who comes waits behind those who came before, and none has more at once than its
//! share. Nobody is evicted, so what waits here has to be whole: it holds up nobody by being slow itself.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Keys with nobody under way that are remembered before they are looked for. Each is some hundred bytes.
const IDLE_MAX: usize = 1_024;

/// The turns of all keys.
#[derive(Debug)]
pub(super) struct Turns<K> {
    all: Arc<Semaphore>,
    by_key: Mutex<HashMap<K, Weak<Semaphore>>>,
}

/// A turn; dropping it ends it.
#[derive(Debug)]
pub(super) struct Turn {
    _of_all: Option<OwnedSemaphorePermit>,
    _own: Option<OwnedSemaphorePermit>,
}

impl<K: Eq + Hash> Turns<K> {
    /// So many turns at once.
    pub(super) fn new(max: usize) -> Self {
        Self {
            all: Arc::new(Semaphore::new(max)),
            by_key: Mutex::default(),
        }
    }

    /// Waits for a turn of this key, which has `share` of them at most.
    pub(super) async fn take(&self, key: K, share: usize) -> Turn {
        // The own ones first: who waits behind its own takes no place of others. Neither is ever closed.
        let own = self.of(key, share).acquire_owned().await.ok();
        let of_all = Arc::clone(&self.all).acquire_owned().await.ok();
        Turn {
            _of_all: of_all,
            _own: own,
        }
    }

    fn of(&self, key: K, share: usize) -> Arc<Semaphore> {
        let mut by_key = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = by_key.get(&key).and_then(Weak::upgrade) {
            return own;
        }
        if by_key.len() >= IDLE_MAX {
            by_key.retain(|_, own| own.strong_count() > 0);
        }
        let own = Arc::new(Semaphore::new(share.max(1)));
        by_key.insert(key, Arc::downgrade(&own));
        own
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, poll};

    use super::*;

    #[tokio::test]
    async fn who_has_its_share_waits_behind_its_own_and_others_do_not() {
        let turns = Turns::new(3);
        let first = turns.take(1, 2).await;
        let _second = turns.take(1, 2).await;
        let mut third = Box::pin(turns.take(1, 2));
        let mut fourth = Box::pin(turns.take(1, 2));
        assert!(poll!(&mut third).is_pending() && poll!(&mut fourth).is_pending());

        let _other = turns.take(2, 2).now_or_never().expect("a turn of another key");

        drop(first);
        assert!(poll!(&mut fourth).is_pending(), "in the order in which they came");
        assert!(poll!(&mut third).is_ready());
    }

    #[tokio::test]
    async fn a_turn_that_is_given_up_is_the_next_ones_and_idle_keys_are_forgotten() {
        let turns = Turns::new(1);
        let first = turns.take(0, 1).await;
        let mut given_up = Box::pin(turns.take(0, 1));
        assert!(poll!(&mut given_up).is_pending());
        drop((given_up, first));

        for key in 0..IDLE_MAX * 2 {
            turns.take(key, 1).await;
        }

        assert!(turns.by_key.lock().unwrap().len() <= IDLE_MAX);
    }
}
