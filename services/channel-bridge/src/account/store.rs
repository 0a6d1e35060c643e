//! What is kept of accounts.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::lease::LeaseOwner;
use crate::{adapter::AccountKey, store::StoreError};
use gatehouse_core::Timestamp;

/// What is kept of accounts.
#[async_trait]
pub(crate) trait AccountStore: Remember {
    /// Takes accounts for an owner until a time, or keeps them longer: its own, those that nobody has, and those whose lease is
    /// over. One that ends later than any clock of now could have said is over too. Which of them are its own now, and no
    /// others.
    async fn claim(
        &self,
        owner: LeaseOwner,
        accounts: Vec<AccountKey>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<AccountKey>, StoreError>;
    /// Gives back everything that an owner has.
    async fn release(&self, owner: LeaseOwner) -> Result<(), StoreError>;
    /// Accounts that have messages in the inbox which wait.
    async fn waiting(&self) -> Result<Vec<AccountKey>, StoreError>;
}

/// What accounts remember.
#[async_trait]
pub(crate) trait Remember: Send + Sync + 'static {
    /// A value that an account remembers.
    async fn state(&self, account: AccountKey, name: String) -> Result<Option<Vec<u8>>, StoreError>;
    /// Keeps a value, within the bounds of [`AccountState`](super::AccountState).
    async fn keep_state(&self, account: AccountKey, name: String, value: Vec<u8>) -> Result<(), StoreError>;
    /// Forgets a value.
    async fn forget_state(&self, account: AccountKey, name: String) -> Result<(), StoreError>;
    /// All that an account remembers, by name.
    async fn states(&self, account: AccountKey) -> Result<BTreeMap<String, Vec<u8>>, StoreError>;
}
