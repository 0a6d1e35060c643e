//! What is kept of accounts.

use async_trait::async_trait;

use crate::{adapter::AccountKey, store::StoreError};

/// What is kept of accounts.
#[async_trait]
pub(crate) trait AccountStore: Send + Sync + 'static {
    /// A value that an account remembers.
    async fn state(&self, account: AccountKey, name: String) -> Result<Option<Vec<u8>>, StoreError>;
    /// Keeps a value, within the bounds of [`AccountState`](super::AccountState).
    async fn keep_state(&self, account: AccountKey, name: String, value: Vec<u8>) -> Result<(), StoreError>;
    /// Forgets a value.
    async fn forget_state(&self, account: AccountKey, name: String) -> Result<(), StoreError>;
}
