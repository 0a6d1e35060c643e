//! Accounts in SQLite.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, Transaction, params};

use super::Sqlite;
use crate::{
    account::{
        state::{ENTRIES_MAX, VALUE_BYTES_MAX},
        store::AccountStore,
    },
    adapter::AccountKey,
    store::StoreError,
};

#[async_trait]
impl AccountStore for Sqlite {
    async fn state(&self, account: AccountKey, name: String) -> Result<Option<Vec<u8>>, StoreError> {
        self.0
            .read(move |connection| {
                let value = connection
                    .prepare_cached(
                        "SELECT value FROM account_state WHERE channel = ?1 AND account = ?2 AND name = ?3",
                    )?
                    .query_row(params![account.channel, account.account, name], |row| row.get(0))
                    .optional()?;
                Ok(value)
            })
            .await
    }

    async fn keep_state(&self, account: AccountKey, name: String, value: Vec<u8>) -> Result<(), StoreError> {
        self.0
            .write(move |tx| keep_state(tx, &account, &name, &value))
            .await
    }

    async fn forget_state(&self, account: AccountKey, name: String) -> Result<(), StoreError> {
        self.0
            .write(move |tx| {
                tx.execute(
                    "DELETE FROM account_state WHERE channel = ?1 AND account = ?2 AND name = ?3",
                    params![account.channel, account.account, name],
                )?;
                Ok(())
            })
            .await
    }
}

fn keep_state(
    tx: &Transaction<'_>,
    account: &AccountKey,
    name: &str,
    value: &[u8],
) -> Result<(), StoreError> {
    if value.len() > VALUE_BYTES_MAX {
        return Err(StoreError::Full("an account remembers values of at most 64 KiB"));
    }
    let others: usize = tx
        .prepare_cached(
            "SELECT count(*) FROM account_state WHERE channel = ?1 AND account = ?2 AND name <> ?3",
        )?
        .query_row(params![account.channel, account.account, name], |row| row.get(0))?;
    if others >= ENTRIES_MAX {
        return Err(StoreError::Full("an account remembers at most 64 values"));
    }
    tx.prepare_cached(
        "INSERT INTO account_state (channel, account, name, value) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET value = excluded.value",
    )?
    .execute(params![account.channel, account.account, name, value])?;
    Ok(())
}
