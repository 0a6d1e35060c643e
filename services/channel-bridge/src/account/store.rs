//! What is kept of accounts.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use gatehouse_core::Timestamp;
use uuid::Uuid;

use crate::{adapter::AccountKey, store::StoreError};

/// Values of one account.
pub(crate) const ENTRIES_MAX: usize = 64;
/// The longest value, in bytes. Tokens have a few hundred; what is larger is media or a cache.
pub(crate) const VALUE_BYTES_MAX: usize = 64 * 1024;

/// One bridge among those that may share a store. A process that starts anew is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LeaseOwner(Arc<str>);

impl LeaseOwner {
    pub(crate) fn new() -> Self {
        Self(Uuid::now_v7().to_string().into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

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
