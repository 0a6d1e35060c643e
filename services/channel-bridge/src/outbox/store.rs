//! What is kept of what goes out.

use async_trait::async_trait;
use gatehouse_core::{Content, trace};

use crate::{
    account::lease::Lease,
    adapter::AccountKey,
    id::{Address, DeliveryKey, MessageId},
    store::StoreError,
};

/// Deliveries of one account that wait.
pub(crate) const OUTBOX_WAITING_MAX: i64 = 10_000;

/// Something to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewDelivery {
    pub(crate) key: DeliveryKey,
    /// The run it belongs to.
    pub(crate) run_id: String,
    pub(crate) account: AccountKey,
    pub(crate) to: Address,
    pub(crate) thread_id: Option<String>,
    /// The message that is answered.
    pub(crate) reply_to_id: Option<MessageId>,
    /// What is said. What the platform cannot show of it is put into words when it is sent.
    pub(crate) message: Content,
    /// When it was made, milliseconds since 1970.
    pub(crate) created_at: i64,
}

/// A delivery that waits, the first of its chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) seq: i64,
    pub(crate) id: String,
    pub(crate) content: NewDelivery,
    /// How often it was tried without the platform taking anything.
    pub(crate) attempts: u32,
    /// How often nobody knew whether the platform took a part. For whoever looks into the database.
    pub(crate) unknowns: u32,
    /// Whether its label for lateness is out already.
    pub(crate) late: bool,
    /// Not before this.
    pub(crate) next_at: i64,
    /// When it was stored.
    pub(crate) queued_at: i64,
    /// The trace in which it was stored.
    pub(crate) trace: trace::Context,
}

/// One part of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Which, from 0.
    pub(crate) position: u32,
    pub(crate) text: String,
    /// Whether the platform took it.
    pub(crate) sent: bool,
    /// Whether the platform may have taken it without us knowing, in an earlier attempt.
    pub(crate) possible_duplicate: bool,
    /// Whether it counts as sent although the platform never said so.
    pub(crate) unconfirmed: bool,
}

/// How a delivery ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The platform took every part.
    Sent,
    /// Given up, for this reason.
    Dead(String),
    /// Given up, and nobody knows whether the platform took it.
    Unknown(String),
}

/// A part that the platform took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// The platform's id of it.
    pub(crate) receipt: Option<String>,
    /// Whether it counts as sent although the platform never said so.
    pub(crate) unconfirmed: bool,
    /// When, milliseconds since 1970.
    pub(crate) at: i64,
}

/// When to try a delivery again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    /// Not before this, milliseconds since 1970.
    pub(crate) next_at: i64,
    /// Whether the last attempt's outcome is unknown.
    pub(crate) unknown: bool,
}

/// What waits and what was given up on, for one account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Deliveries that wait.
    pub(crate) waiting: i64,
    /// Deliveries that were given up on.
    pub(crate) dead: i64,
    /// Parts that were sent a second time after an unknown outcome, to a platform that does not recognise a repeat.
    pub(crate) repeated: i64,
    /// Parts that count as sent although the platform never said so.
    pub(crate) unconfirmed: i64,
}

/// What is kept of what goes out. Steps that name a lease are refused with [`StoreError::NotHeld`] when the account belongs to
/// somebody else by then; they change nothing in that case.
#[async_trait]
pub(crate) trait OutboxStore: Send + Sync + 'static {
    /// Stores a delivery, in the current trace or a new one; true when the key was known. A key is stored once; another message under it is a conflict.
    async fn enqueue(
        &self,
        id: String,
        delivery: NewDelivery,
        now: i64,
    ) -> Result<(String, bool), StoreError>;
    /// The oldest waiting delivery of each chat of an account, at most `limit`, earliest due first.
    async fn heads(&self, lease: Lease, limit: u32) -> Result<Vec<Delivery>, StoreError>;
    /// Keeps the parts if there are none yet, and returns what is kept.
    async fn parts(&self, lease: Lease, seq: i64, parts: Vec<String>) -> Result<Vec<Part>, StoreError>;
    /// A part is about to leave. With a text: so labelled as late it leaves now and in every later attempt, so that what is
    /// sent under one key stays the same.
    async fn part_leaves(
        &self,
        lease: Lease,
        seq: i64,
        position: u32,
        labelled: Option<String>,
    ) -> Result<(), StoreError>;
    /// The platform took a part.
    async fn part_sent(&self, lease: Lease, seq: i64, position: u32, sent: Sent) -> Result<(), StoreError>;
    /// Tries a delivery again later. The part that was leaving waits again, flagged when its outcome is unknown.
    async fn postpone(&self, lease: Lease, seq: i64, retry: Retry) -> Result<(), StoreError>;
    /// A delivery is over.
    async fn settle(&self, lease: Lease, seq: i64, outcome: Outcome, now: i64) -> Result<(), StoreError>;
    /// After a stop: parts of this account that were leaving wait again, flagged. How many there were.
    async fn recover(&self, lease: Lease) -> Result<usize, StoreError>;
    /// Gives up on every delivery stored before a time, whatever its account. How many there were, by channel.
    async fn expire(&self, before: i64, now: i64) -> Result<Vec<String>, StoreError>;
    /// What waits and what was given up on.
    async fn counts(&self, account: AccountKey) -> Result<Counts, StoreError>;
    /// Forgets what was settled before a time.
    async fn prune(&self, before: i64) -> Result<(), StoreError>;
}
