//! What the assistant says, on its way to the platforms: stored first, sent in order within a chat, as fast as the platform
//! bears, until there is a receipt or a reason.

pub(crate) mod action;
pub(crate) mod bucket;
pub(crate) mod dispatch;
mod doubt;
pub(crate) mod due;
mod files;
pub(crate) mod grpc;
pub(crate) mod plan;
mod presentation;
mod shown;
pub(crate) mod store;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use gatehouse_core::Clock;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::{
    adapter::{AccountKey, Capabilities, Limits, Report},
    metrics::{Direction, Fate, Metrics},
    store::StoreError,
};

use self::{
    plan::Plan,
    store::{Chosen, More, NewDelivery, OutboxStore, Page, REST_KEPT},
};

/// Deliveries that a drop names one by one; what is beyond is counted.
pub(crate) const DROPPED_NAMED_MAX: u32 = 200;

/// The way into the outbox. Clones share it.
#[derive(Clone)]
pub(crate) struct Outbox {
    store: Arc<dyn OutboxStore>,
    clock: Clock,
    metrics: Metrics,
    // Bounded by the accounts that were ever configured in this process's life, hence by 256 for each configuration.
    wakes: Arc<Mutex<HashMap<AccountKey, Arc<Notify>>>>,
    /// How the platforms of these accounts cut a message. Bounded as the wakes are.
    shapes: Arc<Mutex<HashMap<AccountKey, (Capabilities, Limits)>>>,
    /// Counts how often something was dropped: whoever is about to say something looks whether it is still to be said.
    drops: watch::Sender<u64>,
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
            shapes: Arc::default(),
            drops: watch::Sender::default(),
        }
    }

    /// Stores a delivery and wakes its account. A repeat with the same key changes nothing.
    ///
    /// # Errors
    /// When too many wait, or the store fails.
    pub(crate) async fn enqueue(&self, mut delivery: NewDelivery) -> Result<Enqueued, StoreError> {
        let account = delivery.account.clone();
        delivery.parts = self.parts(&delivery);
        let id = Uuid::now_v7().to_string();
        let (id, duplicate) = self.store.enqueue(id, delivery, self.clock.now()).await?;
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

    /// Keeps how far a message came, by its receipt.
    pub(crate) async fn report(
        &self,
        account: &AccountKey,
        receipt: String,
        report: Report,
    ) -> Result<(), StoreError> {
        let kept = self
            .store
            .report(account.clone(), receipt, report, self.clock.now());
        kept.await
    }

    /// What wakes the worker of an account.
    pub(crate) fn wake(&self, account: &AccountKey) -> Arc<Notify> {
        let mut wakes = self.wakes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(wakes.entry(account.clone()).or_default())
    }

    /// How the platform of an account cuts a message, from now on.
    pub(crate) fn shape(&self, account: &AccountKey, capabilities: Capabilities, limits: Limits) {
        let mut shapes = self.shapes.lock().unwrap_or_else(PoisonError::into_inner);
        shapes.insert(account.clone(), (capabilities, limits));
    }

    /// Lines or messages of a delivery: one, while nobody knows how its platform cuts.
    fn parts(&self, delivery: &NewDelivery) -> u32 {
        let shape = {
            let shapes = self.shapes.lock().unwrap_or_else(PoisonError::into_inner);
            shapes.get(&delivery.account).cloned()
        };
        let Some((capabilities, limits)) = shape else {
            return 1;
        };
        let plan = Plan::of(delivery.message.clone(), &delivery.to, &capabilities, &limits);
        u32::try_from(plan.parts.len()).unwrap_or(u32::MAX).max(1)
    }

    /// What waits.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn waiting(&self, chosen: Chosen, after: i64, limit: u32) -> Result<Page, StoreError> {
        self.store.waiting(chosen, after, limit).await
    }

    /// Drops what waits, for this reason. A part that a platform is being given at this moment may still be said; nothing
    /// behind it is.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn drop_waiting(&self, chosen: Chosen, reason: &str) -> Result<Page, StoreError> {
        let dropped = self
            .store
            .drop_waiting(chosen, DROPPED_NAMED_MAX, self.clock.now())
            .await?;
        if dropped.total == 0 {
            return Ok(dropped);
        }
        self.drops.send_modify(|drops| *drops += 1);
        for delivery in &dropped.deliveries {
            tracing::info!(
                channel.id = delivery.account.channel,
                account.id = delivery.account.account,
                chat.id = %delivery.to,
                run.id = delivery.run_id,
                delivery.key = delivery.key.as_str(),
                parts = delivery.sent,
                of = delivery.parts,
                fate = Fate::Dropped.as_str(),
                reason,
                "a reply was dropped"
            );
        }
        // All of them, also those that are too many to be named.
        for (account, count) in &dropped.of_accounts {
            self.metrics
                .count_many(&account.channel, Direction::Out, Fate::Dropped, *count);
            self.wake(account).notify_one();
        }
        Ok(dropped)
    }

    /// Says more of the answer that was cut last in a chat. False: nothing more is kept.
    ///
    /// # Errors
    /// When too many wait, or the store fails.
    pub(crate) async fn more(&self, mut more: More) -> Result<bool, StoreError> {
        let account = more.account.clone();
        more.since = self.clock.before(REST_KEPT);
        let id = Uuid::now_v7().to_string();
        let found = self.store.more(id, more, self.clock.now()).await?;
        if found {
            self.metrics
                .count(&account.channel, Direction::Out, Fate::Accepted);
            self.wake(&account).notify_one();
        }
        Ok(found)
    }

    /// Changes when something was dropped.
    pub(crate) fn drops(&self) -> watch::Receiver<u64> {
        self.drops.subscribe()
    }
}
