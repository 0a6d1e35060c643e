//! The worker of one account: takes the oldest delivery of each chat and sees it through.
//!
//! A delivery that fails goes back with a time before which it is not touched, and its chat waits behind it, so order
//! holds. What was leaving when a connection or a process ended is sent again: a platform with an idempotency key
//! recognises it. Elsewhere it is sent once more, over another connection, and says that it may have been said before: in its
//! text, in its row, in the log and in the account's status.

mod leaving;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use gatehouse_core::{Chain, Clock, backoff::Backoff, trace};
use tokio::{
    sync::{Notify, mpsc, watch},
    task::{Id, JoinSet},
    time::{self, Instant},
};

use self::leaving::Leaving;
use super::{
    bucket::Buckets,
    doubt::Doubts,
    due::Dues,
    plan::Plan,
    store::{Delivery, OutboxStore, Outcome, Part, Retry, Sent},
};
use crate::{
    account::lease::Lease,
    adapter::{AccountKey, Adapter, Capabilities, Limits, Progress, Receipt, SendError, SendRequest},
    id::{Address, MessageId},
    media::MediaReader,
    metrics::{Direction, Fate, Metrics},
    preview::Previews,
    step,
    store::StoreError,
};

/// A reply older than this when it leaves says so (demand 2).
pub(crate) const LATE_AFTER: Duration = Duration::from_secs(600);
/// A delivery older than this is given up on: nobody waits for it any more.
pub(crate) const AGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Attempts without the platform taking anything. With the waits below that is three and a half hours.
pub(crate) const ATTEMPTS_MAX: u32 = 50;
/// How a part says that it may have been said before. No longer than the label for lateness, which it takes the place of:
/// parts are cut with room for one.
pub(crate) const RESENT_LABEL: &str = "(resent) ";
/// The waits between attempts.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(300);
/// The longest wait that is ever written down: what a platform may ask for.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(3600);
/// Chats that are looked at in one go.
const HEADS_MAX: u32 = 256;
/// When the store does not answer.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// How often a receipt is tried to be written, since losing it means a duplicate.
const RECEIPT_TRIES_MAX: u32 = 60;

/// Where the current connection takes requests; `None` while there is none.
pub(crate) type Line = watch::Receiver<Option<mpsc::Sender<SendRequest>>>;

/// The worker of one account.
#[derive(Clone)]
pub(crate) struct Worker {
    pub(crate) account: AccountKey,
    /// The dispatcher's right to the account. Each step in the store names it.
    pub(crate) lease: Lease,
    /// How often the outbox is looked at for what another process put there.
    pub(crate) look_every: Option<Duration>,
    pub(crate) adapter: Arc<dyn Adapter>,
    pub(crate) capabilities: Capabilities,
    pub(crate) limits: Limits,
    pub(crate) store: Arc<dyn OutboxStore>,
    pub(crate) clock: Clock,
    pub(crate) progress: Progress,
    pub(crate) metrics: Metrics,
    pub(crate) wake: Arc<Notify>,
    /// Changes when something was dropped.
    pub(crate) drops: watch::Receiver<u64>,
    /// What reads media that are kept.
    pub(crate) media: MediaReader,
    /// What is shown of answers before they are sent.
    pub(crate) previews: Previews,
    pub(crate) line: Line,
}

impl Worker {
    /// Works until it is dropped.
    pub(crate) async fn run(mut self) {
        self.recover().await;
        let buckets = Arc::new(Mutex::new(Buckets::new(&self.limits, Instant::now())));
        let mut under_way = JoinSet::new();
        let mut chats: HashMap<Id, (Address, i64)> = HashMap::new();
        let (mut dues, doubts) = (Dues::new(WAIT_MAX), Doubts::default());
        loop {
            let line = self.line.borrow_and_update().clone();
            doubts.settle(line.as_ref());
            let pause = if line.is_some() {
                match self.store.heads(self.lease.clone(), HEADS_MAX).await {
                    Ok(heads) => {
                        let times = heads.iter().map(|delivery| (delivery.seq, delivery.next_at));
                        dues.look(times, self.clock.now());
                        let mut pause: Option<Duration> = None;
                        for delivery in heads {
                            let busy = chats.values().any(|(chat, _)| *chat == delivery.content.to);
                            if busy || doubts.holds(delivery.seq) {
                                continue;
                            }
                            if let Some(wait) = dues.wait(delivery.seq) {
                                pause = Some(pause.map_or(wait, |earlier| earlier.min(wait)));
                                continue;
                            }
                            if under_way.len() >= self.limits.concurrency {
                                break;
                            }
                            let place = (delivery.content.to.clone(), delivery.seq);
                            let deliver = Delivering {
                                worker: self.clone(),
                                buckets: Arc::clone(&buckets),
                                doubts: doubts.clone(),
                            }
                            .deliver(delivery);
                            chats.insert(under_way.spawn(deliver).id(), place);
                        }
                        pause
                    }
                    Err(error) => {
                        tracing::error!(error = %Chain(&error), "the outbox cannot be read");
                        Some(STORE_RETRY)
                    }
                }
            } else {
                None
            };
            drop(line); // a connection ends when nobody can ask it for anything any more
            let pause = pause.into_iter().chain(self.look_every).min();
            tokio::select! {
                () = self.wake.notified() => {}
                Ok(()) = self.line.changed() => {}
                Some(ended) = under_way.join_next_with_id() => {
                    let id = match &ended { Ok((id, ())) => *id, Err(error) => error.id() };
                    let place = chats.remove(&id);
                    if let (Err(error), Some((_, seq))) = (ended, place) {
                        tracing::error!(account.id = %self.account, %error, "a delivery panicked");
                        let retry = Retry { next_at: self.clock.now().plus_ms(60_000), unknown: true };
                        drop(self.store.postpone(self.lease.clone(), seq, retry).await);
                    }
                }
                () = time::sleep(pause.unwrap_or(Duration::MAX)), if pause.is_some() => {}
            }
        }
    }

    async fn recover(&self) {
        self.previews.resume(&self.account, &self.adapter).await;
        loop {
            match self.store.recover(self.lease.clone()).await {
                Ok(0) => return,
                Ok(count) => {
                    tracing::warn!(account.id = %self.account, count, idempotent = self.capabilities.idempotent_sends,
                        "parts were leaving when the bridge stopped; they are sent again");
                    return;
                }
                Err(error) => {
                    tracing::error!(error = %Chain(&error), "the outbox cannot be read");
                    time::sleep(STORE_RETRY).await;
                }
            }
        }
    }
}

/// One delivery under way.
struct Delivering {
    worker: Worker,
    buckets: Arc<Mutex<Buckets>>,
    doubts: Doubts,
}

impl Delivering {
    async fn deliver(self, delivery: Delivery) {
        let AccountKey { channel, account } = &self.worker.account;
        let mut step = step::send(delivery.trace, channel, account);
        step.set("gatehouse.delivery", delivery.content.key.as_str());
        step.set("gatehouse.attempt", delivery.attempts);
        let attempt = trace::within(step.context(), self.attempt(&delivery)).await;
        match &attempt {
            Ok(Some(Fate::Delivered)) => step.set("gatehouse.fate", Fate::Delivered.as_str()),
            Ok(Some(fate)) => {
                step.set("gatehouse.fate", fate.as_str());
                step.fail(fate.as_str());
            }
            Ok(None) => step.fail("not_taken"),
            Err(_) => step.fail("not_stored"),
        }
        drop(step);
        // Somebody dropped it, and said so.
        if let Err(error) = attempt.map(drop).or_else(|error| {
            if matches!(error, StoreError::Over) {
                Ok(())
            } else {
                Err(error)
            }
        }) {
            tracing::error!(delivery.key = delivery.content.key.as_str(), error = %Chain(&error), "a delivery could not be recorded");
            time::sleep(STORE_RETRY).await;
        }
    }

    /// What became of it; `None`: it is tried again.
    async fn attempt(&self, delivery: &Delivery) -> Result<Option<Fate>, StoreError> {
        let Worker {
            store,
            clock,
            lease,
            capabilities,
            limits,
            ..
        } = &self.worker;
        if clock.age(delivery.queued_at) > AGE_MAX {
            return self
                .settle(delivery, 0, Outcome::Dead("expired".into()), Fate::Expired)
                .await;
        }
        let content = &delivery.content;
        let message = self.linked(content.message.clone()).await;
        let Plan {
            parts,
            rest,
            media,
            choices,
        } = Plan::of(message, &content.to, capabilities, limits);
        let (mut late, mut doubtful) = (delivery.late, false);
        let parts = store
            .parts(lease.clone(), delivery.seq, parts, rest, clock.now())
            .await?;
        let first_medium = parts.len().saturating_sub(media.len());
        let mut said = 0;
        for part in parts {
            let doubted = part.possible_duplicate && !capabilities.idempotent_sends;
            if part.sent {
                said += 1;
                doubtful |= doubted && part.unconfirmed;
                continue;
            }
            // What stands in the chat of the answer makes room for it.
            let mut replaces = None;
            if part.position == 0 {
                match self.preview_of(delivery).await {
                    Ok(preview) => replaces = preview,
                    Err(error) => return self.failed(delivery, said, error).await,
                }
            }
            // To put the same in the same place twice is no harm.
            let repeats = doubted && replaces.is_none();
            // By the time of day, which goes on while a machine sleeps.
            let label =
                !late && !part.possible_duplicate && clock.now().since(content.created_at) > LATE_AFTER;
            if repeats {
                tracing::warn!(
                    account.id = %delivery.content.account,
                    delivery.key = delivery.content.key.as_str(),
                    part = part.position,
                    "possible duplicate: sent again after an unknown outcome"
                );
            }
            // Media come behind the words: they are what the words are about.
            let medium = (part.position as usize).checked_sub(first_medium);
            let with = medium.and_then(|place| media.get(place)).cloned();
            let is_last_of_the_words = part.position as usize + 1 == first_medium;
            let leaving = Leaving {
                part: &part,
                media: with.into_iter().collect(),
                choices: if is_last_of_the_words { &choices } else { &[] },
                label,
                repeats,
                replaces,
            };
            match self.send_or_anew(delivery, leaving).await? {
                Ok(receipt) => self.sent(delivery, &part, receipt).await?,
                // Twice is enough: a third time would be noise in the room. The parts behind it were not said at all.
                Err(SendError::Unknown { reason }) if repeats => {
                    tracing::warn!(
                        account.id = %delivery.content.account,
                        delivery.key = delivery.content.key.as_str(),
                        part = part.position,
                        reason,
                        "a part was said twice and its receipt never came; it is not said again"
                    );
                    doubtful = true;
                    self.sent(delivery, &part, Receipt::unconfirmed()).await?;
                }
                Err(error) => return self.failed(delivery, said, error).await,
            }
            said += 1;
            late |= label;
        }
        if doubtful {
            let outcome = Outcome::Unknown("said twice, and the platform never said that it took it".into());
            return self.settle(delivery, said, outcome, Fate::Failed).await;
        }
        self.settle(delivery, said, Outcome::Sent, Fate::Delivered).await
    }

    /// Waits until a delivery is dropped.
    async fn dropped(&self, delivery: &Delivery, drops: &mut watch::Receiver<u64>) {
        while drops.changed().await.is_ok() {
            if let Ok(false) = self.worker.store.waits(delivery.seq).await {
                return;
            }
        }
        std::future::pending().await
    }

    async fn sent(&self, delivery: &Delivery, part: &Part, receipt: Receipt) -> Result<(), StoreError> {
        let Worker {
            store,
            lease,
            clock,
            progress,
            account,
            metrics,
            ..
        } = &self.worker;
        progress.sent();
        metrics.part(account);
        if receipt.plain {
            metrics.markup_refused(account);
        }
        let mut step = step::settle(&account.channel, &account.account);
        step.set("messaging.message.id", receipt.platform_id.as_deref());
        let sent = Sent {
            receipt: receipt.platform_id,
            unconfirmed: receipt.unconfirmed,
            at: clock.now(),
        };
        let mut tries = 0;
        loop {
            match store
                .part_sent(lease.clone(), delivery.seq, part.position, sent.clone())
                .await
            {
                Ok(()) => return Ok(()),
                // Somebody else has the account and will say the part again, flagged: nothing here changes that.
                Err(error @ StoreError::NotHeld(_)) => return Err(error),
                Err(error) if tries >= RECEIPT_TRIES_MAX => return Err(error),
                Err(error) => {
                    tries += 1;
                    tracing::error!(error = %Chain(&error), "a receipt cannot be written yet");
                    time::sleep(STORE_RETRY).await;
                }
            }
        }
    }

    async fn failed(
        &self,
        delivery: &Delivery,
        said: u32,
        error: SendError,
    ) -> Result<Option<Fate>, StoreError> {
        let Worker {
            store,
            lease,
            clock,
            account,
            ..
        } = &self.worker;
        let reason = error.to_string();
        tracing::info!(account.id = %account, delivery.key = delivery.content.key.as_str(), attempts = delivery.attempts, reason, "a delivery was not taken");
        let mut of_account = true;
        let (unknown, after) = match error {
            SendError::Permanent { .. } => {
                return self
                    .settle(delivery, said, Outcome::Dead(reason), Fate::Failed)
                    .await;
            }
            SendError::Retry { after, .. } => (false, after),
            // The chat waits behind its first delivery anyway.
            SendError::ChatBusy { after, .. } => {
                of_account = false;
                (false, Some(after))
            }
            SendError::PreviewGone { .. } => (false, None),
            SendError::Unknown { .. } => (true, None),
        };
        if delivery.attempts + 1 >= ATTEMPTS_MAX {
            return self
                .settle(
                    delivery,
                    said,
                    Outcome::Dead(format!("given up: {reason}")),
                    Fate::Failed,
                )
                .await;
        }
        let mut backoff = Backoff::new(
            RETRY_FIRST * 2_u32.saturating_pow(delivery.attempts.min(16)).min(300),
            RETRY_MAX,
        );
        let mut wait = backoff.next();
        if let Some(after) = after {
            let after = after.min(WAIT_MAX);
            if of_account {
                self.buckets().pause(Instant::now() + after);
            }
            wait = wait.max(after);
        }
        let next_at = clock.now() + wait;
        store
            .postpone(lease.clone(), delivery.seq, Retry { next_at, unknown })
            .await?;
        Ok(None)
    }

    async fn settle(
        &self,
        delivery: &Delivery,
        said: u32,
        outcome: Outcome,
        fate: Fate,
    ) -> Result<Option<Fate>, StoreError> {
        let Worker {
            store,
            lease,
            clock,
            account,
            metrics,
            ..
        } = &self.worker;
        if let Outcome::Dead(reason) | Outcome::Unknown(reason) = &outcome {
            tracing::warn!(account.id = %account, delivery.key = delivery.content.key.as_str(), run.id = delivery.content.run_id, reason, "a delivery was given up on");
        }
        store
            .settle(lease.clone(), delivery.seq, outcome, clock.now())
            .await?;
        let content = &delivery.content;
        tracing::info!(
            channel.id = account.channel,
            account.id = account.account,
            chat.id = %content.to,
            message.id = content.reply_to_id.as_ref().map(MessageId::as_str),
            run.id = content.run_id,
            trace.id = delivery.trace.trace_id(),
            delivery.key = content.key.as_str(),
            parts = said,
            fate = fate.as_str(),
            ms = clock.now().ms_since(delivery.queued_at),
            "a reply went out"
        );
        metrics.count(&account.channel, Direction::Out, fate);
        if fate == Fate::Delivered {
            metrics.took(&account.channel, Direction::Out, clock.age(delivery.queued_at));
        }
        Ok(Some(fate))
    }

    fn buckets(&self) -> std::sync::MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
