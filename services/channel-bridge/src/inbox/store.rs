//! What is kept of what came in.

use std::time::Duration;

use async_trait::async_trait;
use gatehouse_core::{Timestamp, trace};

use crate::{
    account::store::LeaseOwner,
    adapter::{AccountKey, InboundMessage, Received},
    id::{ChatId, MessageId},
    store::StoreError,
};

/// How long a message that session has taken over can be offered again: as long as a message may wait at all.
pub(crate) const OFFER_AGAIN: Duration = Duration::from_secs(24 * 3600);
/// Messages of one account that wait for the session service. At home that is weeks; beyond it the platform is told to
/// keep them.
pub(crate) const INBOX_WAITING_MAX: i64 = 10_000;

/// A message that waits to be handed on.
#[derive(Clone, Debug)]
pub(crate) struct InboxRow {
    pub(crate) seq: i64,
    pub(crate) account: AccountKey,
    pub(crate) message: InboundMessage,
    /// How often it was tried.
    pub(crate) attempts: u32,
    /// Not before this.
    pub(crate) next_at: Timestamp,
    /// When it came in.
    pub(crate) received_at: Timestamp,
    /// The trace that it began.
    pub(crate) trace: trace::Context,
    /// Whether it goes before what was said earlier in its chat.
    pub(crate) urgent: bool,
}

/// What became of a message that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Settlement {
    /// The session service has it, as this run.
    Adopted(String),
    /// Nobody will answer it, for this reason.
    Refused(String),
}

/// A message that session has taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Adopted {
    pub(crate) seq: i64,
    pub(crate) account: AccountKey,
    pub(crate) message_id: MessageId,
}

/// What is kept of what came in.
#[async_trait]
pub(crate) trait InboxStore: Send + Sync + 'static {
    /// Commits a message, in the current trace or a new one. Committed once for each id.
    async fn receive(
        &self,
        account: AccountKey,
        message: InboundMessage,
        urgent: bool,
        now: Timestamp,
    ) -> Result<Received, StoreError>;
    /// The oldest waiting message of each chat of an owner's accounts and those that are urgent, at most `limit`, earliest
    /// due first.
    async fn heads(&self, owner: LeaseOwner, limit: u32) -> Result<Vec<InboxRow>, StoreError>;
    /// Says what became of a message. What it said is forgotten here, at once or, when session has it, after [`OFFER_AGAIN`].
    async fn settle(&self, seq: i64, settlement: Settlement) -> Result<(), StoreError>;
    /// Messages that session has taken over and that can be offered again: after a place, received since, oldest first.
    async fn adopted(&self, after: i64, since: Timestamp, limit: u32) -> Result<Vec<Adopted>, StoreError>;
    /// Makes messages wait again that session had taken over. How many there were.
    async fn offer_again(&self, seqs: Vec<i64>, now: Timestamp) -> Result<usize, StoreError>;
    /// Gives up what waits in a chat and came before a message, for this reason. How many there were.
    async fn refuse_before(
        &self,
        account: AccountKey,
        chat: ChatId,
        seq: i64,
        reason: &'static str,
    ) -> Result<i64, StoreError>;
    /// Messages of an account that wait.
    async fn waiting(&self, account: AccountKey) -> Result<i64, StoreError>;
    /// Puts what is known of a message now in the place of what came in. Only of one that waits.
    async fn rewrite(&self, seq: i64, message: InboundMessage) -> Result<(), StoreError>;
    /// Tries a message again later.
    async fn postpone(&self, seq: i64, next_at: Timestamp) -> Result<(), StoreError>;
    /// Forgets what came in before a time, and the texts of what session took over before another.
    async fn prune(&self, before: Timestamp, texts_before: Timestamp) -> Result<(), StoreError>;
}
