//! What is kept of what goes out.

use std::{collections::BTreeMap, time::Duration};

use async_trait::async_trait;
use gatehouse_core::{Content, Timestamp, trace};

use super::plan::Rest;
use crate::{
    account::lease::Lease,
    adapter::{AccountKey, Report},
    id::{Address, DeliveryKey, MessageId},
    store::StoreError,
};

/// How long the rest of a long answer is kept for whoever asks for more. Who asks later means something else by the word.
pub(crate) const REST_KEPT: Duration = Duration::from_secs(3600);
/// Chats of one account for which the rest of an answer is kept; the oldest give way.
pub(crate) const RESTS_MAX: u32 = 256;
/// Deliveries of one account that wait.
pub(crate) const OUTBOX_WAITING_MAX: i64 = 10_000;

/// Words of platforms on messages that are not known, of all accounts; the oldest give way. Between a message and its receipt are
/// milliseconds, and a platform that calls us tells a few hundred things in that time at most.
pub(crate) const EARLY_REPORTS_MAX: u32 = 512;

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
    /// When it was made.
    pub(crate) created_at: Timestamp,
    /// The session of the run, as the session service names it.
    pub(crate) session_key: Option<String>,
    /// Lines or messages that it consists of, as far as that is known before it is cut.
    pub(crate) parts: u32,
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
    pub(crate) next_at: Timestamp,
    /// When it was stored.
    pub(crate) queued_at: Timestamp,
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
    /// When.
    pub(crate) at: Timestamp,
}

/// When to try a delivery again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    /// Not before this.
    pub(crate) next_at: Timestamp,
    /// Whether the last attempt's outcome is unknown.
    pub(crate) unknown: bool,
}

/// Which of the deliveries that wait: all that is set must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chosen {
    /// Not empty: only these.
    pub(crate) ids: Vec<String>,
    pub(crate) channel: Option<String>,
    pub(crate) account: Option<String>,
    /// What goes here, ASCII case aside.
    pub(crate) to: Option<Address>,
    pub(crate) thread_id: Option<String>,
    pub(crate) run_id: Option<String>,
    pub(crate) session_key: Option<String>,
    /// What was made until then, by whoever made it.
    pub(crate) created_until: Option<Timestamp>,
}

impl Chosen {
    /// What goes out from this account.
    pub(crate) fn of_account(account: &AccountKey) -> Self {
        Self {
            channel: Some(account.channel.clone()),
            account: Some(account.account.clone()),
            ..Self::default()
        }
    }
}

/// A delivery that waits, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) seq: i64,
    pub(crate) id: String,
    pub(crate) key: DeliveryKey,
    pub(crate) run_id: String,
    pub(crate) session_key: Option<String>,
    pub(crate) account: AccountKey,
    pub(crate) to: Address,
    pub(crate) thread_id: Option<String>,
    pub(crate) reply_to_id: Option<MessageId>,
    /// Whether a part of it is with the platform.
    pub(crate) sending: bool,
    pub(crate) parts: i64,
    /// Parts that the platform took.
    pub(crate) sent: i64,
    pub(crate) attempts: i64,
    pub(crate) queued_at: Timestamp,
    pub(crate) next_at: Timestamp,
    /// How its text begins.
    pub(crate) preview: String,
}

/// Some of what waits, and how much it is in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    /// Oldest first.
    pub(crate) deliveries: Vec<Waiting>,
    /// Deliveries, also those that are not on the page.
    pub(crate) total: i64,
    /// Their parts that are not sent yet.
    pub(crate) parts: i64,
    /// How many of them each account has.
    pub(crate) of_accounts: BTreeMap<AccountKey, u64>,
}

/// Who asks for more of an answer, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct More {
    /// The key of what is said then.
    pub(crate) key: DeliveryKey,
    pub(crate) account: AccountKey,
    pub(crate) to: Address,
    pub(crate) thread_id: Option<String>,
    pub(crate) reply_to_id: Option<MessageId>,
    /// Rests from before this time are gone.
    pub(crate) since: Timestamp,
}

/// What waits and what was given up on, for one account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Deliveries that wait.
    pub(crate) waiting: i64,
    /// Their parts that are not sent yet.
    pub(crate) parts: i64,
    /// Since when the oldest waits.
    pub(crate) oldest_at: Option<Timestamp>,
    /// Deliveries that were given up on.
    pub(crate) dead: i64,
    /// Parts that were sent a second time after an unknown outcome, to a platform that does not recognise a repeat.
    pub(crate) repeated: i64,
    /// Parts that count as sent although the platform never said so.
    pub(crate) unconfirmed: i64,
    /// Parts that the platform took and could not deliver.
    pub(crate) not_delivered: i64,
    /// Parts that it delivered, also those that were read.
    pub(crate) delivered: i64,
    /// Parts that were read.
    pub(crate) read: i64,
}

/// What is kept of what goes out. Steps that name a lease are refused with [`StoreError::NotHeld`] when the account belongs to
/// somebody else by then, and with [`StoreError::Over`] when the delivery was dropped; they change nothing in that case.
#[async_trait]
pub(crate) trait OutboxStore: Send + Sync + 'static {
    /// Stores a delivery, in the current trace or a new one; true when the key was known. A key is stored once; another message under it is a conflict.
    async fn enqueue(
        &self,
        id: String,
        delivery: NewDelivery,
        now: Timestamp,
    ) -> Result<(String, bool), StoreError>;
    /// The oldest waiting delivery of each chat of an account, at most `limit`, earliest due first.
    async fn heads(&self, lease: Lease, limit: u32) -> Result<Vec<Delivery>, StoreError>;
    /// Keeps the parts if there are none yet, with the rest of the answer for whoever asks for more, in the place of the rest
    /// that was kept for this chat before. Returns the parts that are kept.
    async fn parts(
        &self,
        lease: Lease,
        seq: i64,
        parts: Vec<String>,
        rest: Option<Rest>,
        now: Timestamp,
    ) -> Result<Vec<Part>, StoreError>;
    /// Whether a delivery still waits: it may have been dropped.
    async fn waits(&self, seq: i64) -> Result<bool, StoreError>;
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
    async fn settle(
        &self,
        lease: Lease,
        seq: i64,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// After a stop: parts of this account that were leaving wait again, flagged. How many there were.
    async fn recover(&self, lease: Lease) -> Result<usize, StoreError>;
    /// Gives up on every delivery stored before a time, whatever its account. How many there were, by channel.
    async fn expire(&self, before: Timestamp, now: Timestamp) -> Result<Vec<String>, StoreError>;
    /// What waits behind a place in the order of arrival: at most `limit` deliveries.
    async fn waiting(&self, chosen: Chosen, after: i64, limit: u32) -> Result<Page, StoreError>;
    /// Gives up what waits, and forgets the rests that are kept for the chats that are named. Answers what it was, at most
    /// `limit` deliveries of it.
    async fn drop_waiting(&self, chosen: Chosen, limit: u32, now: Timestamp) -> Result<Page, StoreError>;
    /// Makes a delivery of the rest that is kept for a chat. False: there is none. A repeat with the same key changes nothing.
    async fn more(&self, id: String, more: More, now: Timestamp) -> Result<bool, StoreError>;
    /// The platform says how far a message came, by its receipt. What is said before the receipt is stored holds once it is; nothing takes
    /// back what says more.
    async fn report(
        &self,
        account: AccountKey,
        receipt: String,
        report: Report,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// What waits and what was given up on.
    async fn counts(&self, account: AccountKey) -> Result<Counts, StoreError>;
    /// Forgets what was settled before a time, and the rests of answers and words on unknown messages from before another.
    async fn prune(&self, before: Timestamp, rests_before: Timestamp) -> Result<(), StoreError>;
}
