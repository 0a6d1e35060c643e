//! What is kept of previews: the messages that stand in chats until an answer takes their place.

use async_trait::async_trait;
use gatehouse_core::Timestamp;

use super::Place;
use crate::{adapter::AccountKey, store::StoreError};

/// A message that shows an answer which is still being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Posted {
    pub(crate) run: String,
    pub(crate) place: Place,
    /// The platform's id of it.
    pub(crate) message: String,
    /// Whether a change of it may still come that nobody heard the outcome of.
    pub(crate) doubtful: bool,
    /// When it was posted.
    pub(crate) at: Timestamp,
}

#[async_trait]
pub(crate) trait PreviewStore: Send + Sync + 'static {
    /// Keeps a message, in the place of what was kept for its run.
    async fn keep_preview(&self, account: AccountKey, posted: Posted) -> Result<(), StoreError>;
    /// Those of an account.
    async fn previews(&self, account: AccountKey) -> Result<Vec<Posted>, StoreError>;
    /// Forgets the one of a run. The receipt of an answer's first part does so as well.
    async fn forget_preview(&self, account: AccountKey, run: String) -> Result<(), StoreError>;
    /// Forgets those from before a time.
    async fn prune_previews(&self, before: Timestamp) -> Result<(), StoreError>;
}
