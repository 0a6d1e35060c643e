//! What is kept of senders: who waits to be let in, and who was.

use std::time::Duration;

use async_trait::async_trait;

use crate::{
    adapter::AccountKey,
    id::{Address, SenderId},
    store::StoreError,
};
use gatehouse_core::Timestamp;

/// Senders that may wait at one account (protocol v4). Each account has its own, so that one cannot fill another's.
pub(crate) const PENDING_PER_ACCOUNT: usize = 3;
/// How long a code is good (protocol v4).
pub(crate) const PAIRING_TTL: Duration = Duration::from_secs(3600);

/// An unknown sender who waits to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PairingRow {
    pub(crate) id: String,
    pub(crate) account: AccountKey,
    pub(crate) sender_id: SenderId,
    pub(crate) sender_name: Option<String>,
    /// Where the sender can be told.
    pub(crate) reply_to: Address,
    /// What the sender was told.
    pub(crate) code: String,
    /// When the sender first wrote.
    pub(crate) created_at: Timestamp,
    /// When the sender last wrote.
    pub(crate) last_seen_at: Timestamp,
    /// When the request ends.
    pub(crate) expires_at: Timestamp,
}

/// What became of an unknown sender's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A request was made: the sender is to be told the code.
    Created,
    /// The sender waits already.
    Waiting,
    /// Too many wait.
    Full,
}

/// What is kept of senders.
#[async_trait]
pub(crate) trait PairingStore: Send + Sync + 'static {
    /// An unknown sender wrote: makes a request unless one waits or too many do. One step, so that the bound holds.
    async fn ask(&self, request: PairingRow, now: Timestamp) -> Result<Asked, StoreError>;
    /// Requests, oldest first. Whether one has ended is for the caller to say: the time of day may have been set meanwhile.
    async fn requests(&self) -> Result<Vec<PairingRow>, StoreError>;
    /// Lets the sender of a request in, named by id or code. `None`: no such request waits. A repeat with the id returns
    /// the sender again, without the request.
    async fn approve(
        &self,
        account: AccountKey,
        named: String,
        now: Timestamp,
    ) -> Result<Option<(SenderId, Option<PairingRow>)>, StoreError>;
    /// Forgets a request. False when there was none.
    async fn dismiss(&self, account: AccountKey, id: String) -> Result<bool, StoreError>;
    /// Whether any of these ids was let in, for this very account.
    async fn approved(&self, account: AccountKey, ids: Vec<SenderId>) -> Result<bool, StoreError>;
}
