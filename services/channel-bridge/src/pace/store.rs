//! What is kept of those who are answered: a restart does not begin their count anew.

use async_trait::async_trait;

use super::{Met, Pace};
use crate::{
    adapter::AccountKey,
    id::{Address, ChatId, SenderId},
    store::StoreError,
};
use gatehouse_core::Timestamp;

/// A message that is to be answered.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// Its row in the inbox.
    pub(crate) seq: i64,
    pub(crate) account: AccountKey,
    pub(crate) chat: ChatId,
    /// Nobody: whoever is in the chat.
    pub(crate) sender: Option<SenderId>,
    /// Where answers go.
    pub(crate) to: Address,
    /// When it came in.
    pub(crate) at: Timestamp,
    pub(crate) pace: Pace,
}

/// Somebody who is not answered for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paused {
    pub(crate) chat: String,
    /// Nobody: whoever is in the chat.
    pub(crate) sender: Option<String>,
    pub(crate) until: Timestamp,
}

/// What is kept of those who are answered.
#[async_trait]
pub(crate) trait PaceStore: Send + Sync + 'static {
    /// Counts a message. The same one again is answered the same.
    async fn hear(&self, heard: Heard) -> Result<Met, StoreError>;
    /// Who is not answered at this time, as the bound is now, at most `limit`.
    async fn paused(
        &self,
        account: AccountKey,
        pace: Pace,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Paused>, StoreError>;
    /// Forgets who was not heard since a time.
    async fn prune_partners(&self, before: Timestamp) -> Result<(), StoreError>;
}
