//! What the bridge must not forget: who said what, what is to be sent, who may talk. A trait, because a second store is to
//! come; what every store must hold is written down as tests in `contract`.

#[cfg(test)]
mod contract;
mod sqlite;

use std::time::Duration;

use async_trait::async_trait;
use gatehouse_core::Kind;

pub use self::sqlite::{SCHEMA, Sqlite};
use crate::adapter::{AccountKey, InboundMessage, Received};

/// How long an id that came in is remembered, and a delivery that is settled (demand 2: durable for 7 days).
pub const KEEP: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long a message that session has taken over can be offered again: as long as a message may wait at all.
pub const OFFER_AGAIN: Duration = Duration::from_secs(24 * 3600);
/// Messages of one account that wait for the session service. At home that is weeks; beyond it the platform is told to
/// keep them.
pub const INBOX_WAITING_MAX: i64 = 10_000;
/// Deliveries of one account that wait.
pub const OUTBOX_WAITING_MAX: i64 = 10_000;
/// Strangers that may wait at one account (protocol v4). Each account has its own, so that one cannot fill another's.
pub const PENDING_PER_ACCOUNT: usize = 3;
/// How long a code is good (protocol v4).
pub const PAIRING_TTL: Duration = Duration::from_secs(3600);

/// The store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database did not do it.
    #[error("the bridge's database failed")]
    Database(#[from] gatehouse_core::sqlite::Error),
    /// A row cannot be read back.
    #[error("a stored row cannot be read")]
    Row(#[source] serde_json::Error),
    /// A bound is reached.
    #[error("{0}")]
    Full(&'static str),
    /// The key of a delivery was used for another message.
    #[error("this idempotency key was used for another message: use a new one for each message")]
    Conflict {
        /// The delivery that has the key.
        id: String,
    },
}

impl StoreError {
    /// What it means to a caller.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Database(error) => error.kind(),
            Self::Row(_) => Kind::Internal,
            Self::Full(_) => Kind::Exhausted,
            Self::Conflict { .. } => Kind::Conflict,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

/// A message that waits to be handed on.
#[derive(Clone, Debug)]
pub struct InboxRow {
    /// Its place.
    pub seq: i64,
    /// The account.
    pub account: AccountKey,
    /// The message.
    pub message: InboundMessage,
    /// How often it was tried.
    pub attempts: u32,
    /// Not before this, milliseconds since 1970.
    pub next_at: i64,
    /// When it came in.
    pub received_at: i64,
}

/// What became of a message that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The session service has it, as this run.
    Adopted(String),
    /// Nobody will answer it, for this reason.
    Refused(String),
}

/// A message that session has taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// Its place.
    pub seq: i64,
    /// The account.
    pub account: AccountKey,
    /// The platform's id of it.
    pub message_id: String,
}

/// Something to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    /// The key against doubles.
    pub key: String,
    /// The run it belongs to.
    pub run_id: String,
    /// The account.
    pub account: AccountKey,
    /// Where to.
    pub to: String,
    /// The thread.
    pub thread_id: Option<String>,
    /// The message that is answered.
    pub reply_to_id: Option<String>,
    /// The text.
    pub text: String,
    /// When it was made, milliseconds since 1970.
    pub created_at: i64,
}

/// A delivery that waits, the first of its chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its place.
    pub seq: i64,
    /// Its id.
    pub id: String,
    /// What it is.
    pub content: NewDelivery,
    /// How often it was tried without the platform taking anything.
    pub attempts: u32,
    /// How often nobody knew whether the platform took a part. For whoever looks into the database.
    pub unknowns: u32,
    /// Whether its label for lateness is out already.
    pub late: bool,
    /// Not before this.
    pub next_at: i64,
    /// When it was stored.
    pub queued_at: i64,
}

/// One part of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which, from 0.
    pub position: u32,
    /// Its text.
    pub text: String,
    /// Whether the platform took it.
    pub sent: bool,
    /// Whether the platform may have taken it without us knowing, in an earlier attempt.
    pub possible_duplicate: bool,
    /// Whether it counts as sent although the platform never said so.
    pub unconfirmed: bool,
}

/// How a delivery ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The platform took every part.
    Sent,
    /// Given up, for this reason.
    Dead(String),
    /// Given up, and nobody knows whether the platform took it.
    Unknown(String),
}

/// A part that the platform took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// The platform's id of it.
    pub receipt: Option<String>,
    /// Whether it counts as sent although the platform never said so.
    pub unconfirmed: bool,
    /// When, milliseconds since 1970.
    pub at: i64,
}

/// When to try a delivery again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Not before this, milliseconds since 1970.
    pub next_at: i64,
    /// Whether the last attempt's outcome is unknown.
    pub unknown: bool,
}

/// What waits and what was given up on, for one account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Deliveries that wait.
    pub waiting: i64,
    /// Deliveries that were given up on.
    pub dead: i64,
    /// Parts that were sent a second time after an unknown outcome, to a platform that does not recognise a repeat.
    pub repeated: i64,
    /// Parts that count as sent although the platform never said so.
    pub unconfirmed: i64,
}

/// A stranger who waits to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairingRow {
    /// The request.
    pub id: String,
    /// The account.
    pub account: AccountKey,
    /// The platform's stable id of the stranger.
    pub sender_id: String,
    /// The stranger's name.
    pub sender_name: Option<String>,
    /// Where the stranger can be told.
    pub reply_to: String,
    /// What the stranger was told.
    pub code: String,
    /// When the stranger first wrote, milliseconds since 1970; so are the others.
    pub created_at: i64,
    /// When the stranger last wrote.
    pub last_seen_at: i64,
    /// When the request ends.
    pub expires_at: i64,
}

/// What became of a stranger's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A request was made: the stranger is to be told the code.
    Created,
    /// The stranger waits already.
    Waiting,
    /// Too many wait.
    Full,
}

/// Everything the bridge keeps.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Commits a message. Committed once for each id.
    async fn receive(
        &self,
        account: AccountKey,
        message: InboundMessage,
        now: i64,
    ) -> Result<Received, StoreError>;
    /// The oldest waiting message of each chat, at most `limit`, earliest due first.
    async fn inbox_heads(&self, limit: u32) -> Result<Vec<InboxRow>, StoreError>;
    /// Says what became of a message. What it said is forgotten here, at once or, when session has it, after [`OFFER_AGAIN`].
    async fn settle_inbound(&self, seq: i64, settlement: Settlement) -> Result<(), StoreError>;
    /// Messages that session has taken over and that can be offered again: after a place, received since, oldest first.
    async fn adopted(&self, after: i64, since: i64, limit: u32) -> Result<Vec<Adopted>, StoreError>;
    /// Makes messages wait again that session had taken over. How many there were.
    async fn offer_again(&self, seqs: Vec<i64>, now: i64) -> Result<usize, StoreError>;
    /// Tries a message again later.
    async fn postpone_inbound(&self, seq: i64, next_at: i64) -> Result<(), StoreError>;

    /// Stores a delivery; true when the key was known. A key is stored once; another message under it is a conflict.
    async fn enqueue(
        &self,
        id: String,
        delivery: NewDelivery,
        now: i64,
    ) -> Result<(String, bool), StoreError>;
    /// The oldest waiting delivery of each chat of an account, at most `limit`, earliest due first.
    async fn outbox_heads(&self, account: AccountKey, limit: u32) -> Result<Vec<Delivery>, StoreError>;
    /// Keeps the parts if there are none yet, and returns what is kept.
    async fn parts(&self, seq: i64, parts: Vec<String>) -> Result<Vec<Part>, StoreError>;
    /// A part is about to leave. With a text: so labelled as late it leaves now and in every later attempt, so that what is
    /// sent under one key stays the same.
    async fn part_leaves(&self, seq: i64, position: u32, labelled: Option<String>) -> Result<(), StoreError>;
    /// The platform took a part.
    async fn part_sent(&self, seq: i64, position: u32, sent: Sent) -> Result<(), StoreError>;
    /// Tries a delivery again later. The part that was leaving waits again, flagged when its outcome is unknown.
    async fn postpone_delivery(&self, seq: i64, retry: Retry) -> Result<(), StoreError>;
    /// A delivery is over.
    async fn settle_delivery(&self, seq: i64, outcome: Outcome, now: i64) -> Result<(), StoreError>;
    /// After a stop: parts of this account that were leaving wait again, flagged. How many there were.
    async fn recover(&self, account: AccountKey) -> Result<usize, StoreError>;
    /// Gives up on every delivery stored before a time, whatever its account. How many there were, by channel.
    async fn expire_deliveries(&self, before: i64, now: i64) -> Result<Vec<String>, StoreError>;
    /// What waits and what was given up on.
    async fn counts(&self, account: AccountKey) -> Result<Counts, StoreError>;

    /// A stranger wrote: makes a request unless one waits or too many do. One step, so that the bound holds.
    async fn ask(&self, request: PairingRow, now: i64) -> Result<Asked, StoreError>;
    /// Requests, oldest first. Whether one has ended is for the caller to say: the time of day may have been set meanwhile.
    async fn pairing_requests(&self) -> Result<Vec<PairingRow>, StoreError>;
    /// Lets the stranger of a request in, named by id or code. `None`: no such request waits. A repeat with the id returns
    /// the sender again, without the request.
    async fn approve(
        &self,
        account: AccountKey,
        named: String,
        now: i64,
    ) -> Result<Option<(String, Option<PairingRow>)>, StoreError>;
    /// Forgets a request. False when there was none.
    async fn dismiss(&self, account: AccountKey, id: String) -> Result<bool, StoreError>;
    /// Whether any of these ids was let in, for this very account.
    async fn approved(&self, account: AccountKey, ids: Vec<String>) -> Result<bool, StoreError>;

    /// Forgets what came in or was settled before a time, and what session took over before another.
    async fn prune(&self, before: i64, texts_before: i64) -> Result<(), StoreError>;
    /// Proves that the disk takes what is acknowledged.
    async fn probe(&self) -> Result<(), StoreError>;
}
