//! What an account remembers beyond its connections and the process: where it stopped reading, a token that it was given. A few
//! small values by name, with bounds, so that no adapter brings a database of its own for an offset.

use std::{fmt, sync::Arc};

use super::{folded::Folded, store::Remember};
use crate::{adapter::AccountKey, store::StoreError};

/// The memory of one account. Clones share it.
#[derive(Clone)]
pub(crate) struct AccountState {
    account: AccountKey,
    store: Arc<dyn Remember>,
}

impl fmt::Debug for AccountState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountState")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

impl AccountState {
    pub(crate) fn new(account: AccountKey, store: Arc<dyn Remember>) -> Self {
        Self { account, store }
    }
}

impl AccountState {
    /// All of it as one value, under whatever name.
    pub(crate) fn folded(&self) -> Self {
        Self::new(self.account.clone(), Arc::new(Folded(Arc::clone(&self.store))))
    }

    /// The value of this name, if there is one.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn get(&self, name: &'static str) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.state(self.account.clone(), name.to_owned()).await
    }

    /// Keeps a value. It is on the disk when this returns.
    ///
    /// # Errors
    /// When it is longer than [`VALUE_BYTES_MAX`](super::store::VALUE_BYTES_MAX), when the account has [`ENTRIES_MAX`](super::store::ENTRIES_MAX) already, or when the store fails.
    pub(crate) async fn put(&self, name: &'static str, value: Vec<u8>) -> Result<(), StoreError> {
        self.store
            .keep_state(self.account.clone(), name.to_owned(), value)
            .await
    }

    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "what a platform remembers so far is written over")
    )]
    /// Forgets a value.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn forget(&self, name: &'static str) -> Result<(), StoreError> {
        self.store
            .forget_state(self.account.clone(), name.to_owned())
            .await
    }
}
