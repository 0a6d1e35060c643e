//! Accounts in SQLite.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::Sqlite;
use crate::{
    account::{
        lease::{self, Lease},
        store::{AccountStore, ENTRIES_MAX, LeaseOwner, Remember, VALUE_BYTES_MAX},
    },
    adapter::AccountKey,
    store::StoreError,
};
use gatehouse_core::Timestamp;

#[async_trait]
impl AccountStore for Sqlite {
    async fn claim(
        &self,
        owner: LeaseOwner,
        accounts: Vec<AccountKey>,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<AccountKey>, StoreError> {
        self.0
            .write(move |tx| claim(tx, &owner, &accounts, now, until))
            .await
    }

    async fn release(&self, owner: LeaseOwner) -> Result<(), StoreError> {
        self.0
            .write(move |tx| {
                tx.execute("DELETE FROM account_lease WHERE owner = ?1", [owner.as_str()])?;
                Ok(())
            })
            .await
    }

    async fn waiting(&self) -> Result<Vec<AccountKey>, StoreError> {
        self.0
            .read(|connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT DISTINCT channel, account FROM inbox INDEXED BY inbox_waiting WHERE state = 'new'
                     -- scans: the index holds what waits, and nothing of the past",
                )?;
                let rows = statement.query_map([], |row| {
                    Ok(AccountKey {
                        channel: row.get(0)?,
                        account: row.get(1)?,
                    })
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }
}

#[async_trait]
impl Remember for Sqlite {
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

    async fn states(&self, account: AccountKey) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        self.0
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT name, value FROM account_state WHERE channel = ?1 AND account = ?2",
                )?;
                let rows = statement.query_map(params![account.channel, account.account], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }
}

fn claim(
    tx: &Transaction<'_>,
    owner: &LeaseOwner,
    accounts: &[AccountKey],
    now: Timestamp,
    until: Timestamp,
) -> Result<Vec<AccountKey>, StoreError> {
    // A lease that ends much later than one of now would was written before somebody set a clock back.
    let impossible = until.plus_ms(until.ms_since(now));
    let mut statement = tx.prepare_cached(
        "INSERT INTO account_lease (channel, account, owner, until) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET owner = excluded.owner, until = excluded.until
         WHERE owner = excluded.owner OR until <= ?5 OR until > ?6",
    )?;
    let mut claimed = Vec::new();
    for account in accounts {
        let changed = statement.execute(params![
            account.channel,
            account.account,
            owner.as_str(),
            until,
            now,
            impossible
        ])?;
        if changed > 0 {
            claimed.push(account.clone());
        }
    }
    Ok(claimed)
}

/// Refuses a step under a lease that is not its owner's any more.
pub(super) fn held(connection: &Connection, lease: &Lease) -> Result<(), StoreError> {
    let Lease { account, owner } = lease;
    let held = connection
        .prepare_cached("SELECT 1 FROM account_lease WHERE channel = ?1 AND account = ?2 AND owner = ?3")?
        .exists(params![account.channel, account.account, owner.as_str()])?;
    if held { Ok(()) } else { Err(lease::lost(lease)) }
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
