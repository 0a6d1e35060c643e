//! Whether a plugin is there. Each time that it is reached begins another life of it.

use gatehouse_core::client::Peer;
use tokio::sync::watch;

/// One life of a plugin, or the time between two.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    /// Counts up with each life.
    pub(crate) number: u64,
    /// How to call it. Unset: it is not there.
    pub(crate) peer: Option<Peer>,
}

/// The lives of a plugin, as they come. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Lives(watch::Receiver<Life>);

impl Lives {
    /// Those that somebody tells.
    pub(crate) fn of(told: &watch::Sender<Life>) -> Self {
        Self(told.subscribe())
    }

    pub(super) fn now(&self) -> Life {
        self.0.borrow().clone()
    }

    /// Waits for a life behind this one.
    pub(super) async fn after(&self, number: u64) {
        let mut lives = self.0.clone();
        let newer = lives.wait_for(|life| life.peer.is_some() && life.number > number);
        if newer.await.is_err() {
            std::future::pending::<()>().await; // nobody tells any more: its entry is gone, and so will be the account
        }
    }
}
