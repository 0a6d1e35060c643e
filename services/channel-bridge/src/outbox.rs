//! What the assistant says, on its way to the platforms: stored first, sent in order within a chat, as fast as the platform
//! bears, until there is a receipt or a reason.

pub(crate) mod bucket;
pub(crate) mod dispatch;
mod doubt;
pub(crate) mod due;
pub(crate) mod grpc;
mod shown;
pub(crate) mod store;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use gatehouse_core::Clock;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{
    adapter::AccountKey,
    metrics::{Direction, Fate, Metrics},
    store::StoreError,
};

use self::store::{NewDelivery, OutboxStore};

/// The way into the outbox. Clones share it.
#[derive(Clone)]
pub(crate) struct Outbox {
    store: Arc<dyn OutboxStore>,
    clock: Clock,
    metrics: Metrics,
    // Bounded by the accounts that were ever configured in this process's life, hence by 256 for each configuration.
    wakes: Arc<Mutex<HashMap<AccountKey, Arc<Notify>>>>,
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outbox")
    }
}

/// A delivery that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Enqueued {
    /// Its id.
    pub(crate) id: String,
    /// Whether it was known already.
    pub(crate) duplicate: bool,
}

impl Outbox {
    /// An outbox on this store.
    pub(crate) fn new(store: Arc<dyn OutboxStore>, clock: Clock, metrics: Metrics) -> Self {
        Self {
            store,
            clock,
            metrics,
            wakes: Arc::default(),
        }
    }

    /// Stores a delivery and wakes its account. A repeat with the same key changes nothing.
    ///
    /// # Errors
    /// When too many wait, or the store fails.
    pub(crate) async fn enqueue(&self, delivery: NewDelivery) -> Result<Enqueued, StoreError> {
        let account = delivery.account.clone();
        let id = Uuid::now_v7().to_string();
        let (id, duplicate) = self.store.enqueue(id, delivery, self.clock.now_ms()).await?;
        self.metrics
            .count(&account.channel, Direction::Out, Fate::Accepted);
        if duplicate {
            self.metrics
                .count(&account.channel, Direction::Out, Fate::Deduped);
        } else {
            self.wake(&account).notify_one();
        }
        Ok(Enqueued { id, duplicate })
    }

    /// What wakes the worker of an account.
    pub(crate) fn wake(&self, account: &AccountKey) -> Arc<Notify> {
        let mut wakes = self.wakes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(wakes.entry(account.clone()).or_default())
    }
}
