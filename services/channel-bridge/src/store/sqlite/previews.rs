//! Previews of answers in SQLite.

use async_trait::async_trait;
use gatehouse_core::Timestamp;
use rusqlite::{Row, Transaction, params};

use super::Sqlite;
use crate::{
    adapter::AccountKey,
    id::{Address, MessageId},
    preview::{
        Place,
        store::{Posted, PreviewStore},
    },
    store::StoreError,
};

#[async_trait]
impl PreviewStore for Sqlite {
    async fn keep_preview(&self, account: AccountKey, posted: Posted) -> Result<(), StoreError> {
        self.0.write(move |tx| keep(tx, &account, &posted)).await
    }

    async fn previews(&self, account: AccountKey) -> Result<Vec<Posted>, StoreError> {
        self.0
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT run_id, chat, thread_id, reply_to_id, shared, message, doubtful, posted_at FROM preview
                     WHERE channel = ?1 AND account = ?2 ORDER BY run_id",
                )?;
                let rows = statement.query_map(params![account.channel, account.account], read)?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn forget_preview(&self, account: AccountKey, run: String) -> Result<(), StoreError> {
        self.0
            .write(move |tx| {
                tx.prepare_cached("DELETE FROM preview WHERE channel = ?1 AND account = ?2 AND run_id = ?3")?
                    .execute(params![account.channel, account.account, run])?;
                Ok(())
            })
            .await
    }

    async fn prune_previews(&self, before: Timestamp) -> Result<(), StoreError> {
        self.0
            .write(move |tx| {
                tx.execute("DELETE FROM preview WHERE posted_at < ?1", [before])?;
                Ok(())
            })
            .await
    }
}

fn keep(tx: &Transaction<'_>, account: &AccountKey, posted: &Posted) -> Result<(), StoreError> {
    let Posted {
        run,
        place:
            Place {
                to,
                thread_id,
                reply_to_id,
                shared,
            },
        message,
        doubtful,
        at,
    } = posted;
    tx.prepare_cached(
        "INSERT OR REPLACE INTO preview
         (channel, account, run_id, chat, thread_id, reply_to_id, shared, message, doubtful, posted_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        account.channel,
        account.account,
        run,
        to.as_str(),
        thread_id,
        reply_to_id.as_ref().map(MessageId::as_str),
        shared,
        message,
        doubtful,
        at
    ])?;
    Ok(())
}

/// The first part of a delivery was sent: it stands where the preview of its run was.
pub(super) fn replaced(tx: &Transaction<'_>, delivery: i64) -> Result<(), StoreError> {
    tx.prepare_cached(
        "DELETE FROM preview WHERE (channel, account, run_id) =
         (SELECT channel, account, run_id FROM outbox WHERE seq = ?1)",
    )?
    .execute([delivery])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Posted> {
    Ok(Posted {
        run: row.get(0)?,
        place: Place {
            to: Address::stored(row.get(1)?),
            thread_id: row.get(2)?,
            reply_to_id: row.get::<_, Option<String>>(3)?.map(MessageId::stored),
            shared: row.get(4)?,
        },
        message: row.get(5)?,
        doubtful: row.get(6)?,
        at: row.get(7)?,
    })
}
