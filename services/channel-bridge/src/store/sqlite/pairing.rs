//! Pairing in SQLite.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::Sqlite;
use crate::{
    adapter::AccountKey,
    id::{Address, SenderId},
    pairing::store::{Asked, PENDING_PER_ACCOUNT, PairingRow, PairingStore},
    store::StoreError,
};
use gatehouse_core::Timestamp;

const COLUMNS: &str =
    "id, channel, account, sender_id, sender_name, reply_to, code, created_at, last_seen_at, expires_at";

#[async_trait]
impl PairingStore for Sqlite {
    async fn ask(&self, request: PairingRow, now: Timestamp) -> Result<Asked, StoreError> {
        self.0.write(move |tx| ask(tx, &request, now)).await
    }

    async fn requests(&self) -> Result<Vec<PairingRow>, StoreError> {
        self.0.read(all).await
    }

    async fn approve(
        &self,
        account: AccountKey,
        named: String,
        now: Timestamp,
    ) -> Result<Option<(SenderId, Option<PairingRow>)>, StoreError> {
        self.0.write(move |tx| approve(tx, &account, &named, now)).await
    }

    async fn dismiss(&self, account: AccountKey, id: String) -> Result<bool, StoreError> {
        self.0.write(move |tx| dismiss(tx, &account, &id)).await
    }

    async fn approved(&self, account: AccountKey, ids: Vec<SenderId>) -> Result<bool, StoreError> {
        self.0
            .read(move |connection| approved(connection, &account, &ids))
            .await
    }
}

fn ask(tx: &Transaction<'_>, request: &PairingRow, now: Timestamp) -> Result<Asked, StoreError> {
    let AccountKey { channel, account } = &request.account;
    let seen = tx.execute(
        "UPDATE pairing_request SET last_seen_at = ?4 WHERE channel = ?1 AND account = ?2 AND sender_id = ?3",
        params![channel, account, request.sender_id.as_str(), now],
    )?;
    if seen > 0 {
        return Ok(Asked::Waiting);
    }
    let waiting: usize = tx.query_row(
        "SELECT count(*) FROM pairing_request WHERE channel = ?1 AND account = ?2",
        params![channel, account],
        |row| row.get(0),
    )?;
    if waiting >= PENDING_PER_ACCOUNT {
        return Ok(Asked::Full);
    }
    tx.execute(
        &format!("INSERT INTO pairing_request ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9)"),
        params![
            request.id,
            channel,
            account,
            request.sender_id.as_str(),
            request.sender_name,
            request.reply_to.as_str(),
            request.code,
            now,
            request.expires_at
        ],
    )?;
    Ok(Asked::Created)
}

fn all(connection: &Connection) -> Result<Vec<PairingRow>, StoreError> {
    let query = format!(
        "SELECT {COLUMNS} FROM pairing_request ORDER BY created_at, id
         -- scans: a few wait at each account, and none for long
         -- sorts: the same few"
    );
    let mut statement = connection.prepare_cached(&query)?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<PairingRow> {
    Ok(PairingRow {
        id: row.get(0)?,
        account: AccountKey {
            channel: row.get(1)?,
            account: row.get(2)?,
        },
        sender_id: SenderId::stored(row.get(3)?),
        sender_name: row.get(4)?,
        reply_to: Address::stored(row.get(5)?),
        code: row.get(6)?,
        created_at: row.get(7)?,
        last_seen_at: row.get(8)?,
        expires_at: row.get(9)?,
    })
}

fn approve(
    tx: &Transaction<'_>,
    account: &AccountKey,
    named: &str,
    now: Timestamp,
) -> Result<Option<(SenderId, Option<PairingRow>)>, StoreError> {
    let code = named.trim().to_ascii_uppercase();
    let query = format!(
        "SELECT {COLUMNS} FROM pairing_request
         WHERE channel = ?1 AND account = ?2 AND (id = ?3 OR code = ?4)"
    );
    let found = tx
        .query_row(
            &query,
            params![account.channel, account.account, named, code],
            read,
        )
        .optional()?;
    let Some(request) = found else {
        let earlier = tx
            .query_row(
                "SELECT sender_id FROM approved_sender WHERE request_id = ?1 AND channel = ?2 AND account = ?3",
                params![named, account.channel, account.account],
                |row| row.get(0).map(SenderId::stored),
            )
            .optional()?;
        return Ok(earlier.map(|sender| (sender, None)));
    };
    tx.execute(
        "INSERT OR REPLACE INTO approved_sender (channel, account, sender_id, request_id, approved_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![account.channel, account.account, request.sender_id.as_str(), request.id, now],
    )?;
    tx.execute("DELETE FROM pairing_request WHERE id = ?1", [&request.id])?;
    Ok(Some((request.sender_id.clone(), Some(request))))
}

fn dismiss(tx: &Transaction<'_>, account: &AccountKey, id: &str) -> Result<bool, StoreError> {
    let gone = tx.execute(
        "DELETE FROM pairing_request WHERE id = ?1 AND channel = ?2 AND account = ?3",
        params![id, account.channel, account.account],
    )?;
    Ok(gone > 0)
}

fn approved(connection: &Connection, account: &AccountKey, ids: &[SenderId]) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM approved_sender WHERE channel = ?1 AND account = ?2 AND sender_id = ?3",
    )?;
    for id in ids {
        if statement.exists(params![account.channel, account.account, id.as_str()])? {
            return Ok(true);
        }
    }
    Ok(false)
}
