//! Who is answered how often, in SQLite.

use async_trait::async_trait;
use rusqlite::{OptionalExtension, Transaction, params};

use super::Sqlite;
use crate::{
    adapter::AccountKey,
    id::SenderId,
    pace::{
        self, Met, Pace, Partner,
        store::{Heard, PaceStore, Paused},
    },
    store::StoreError,
};
use gatehouse_core::Timestamp;

#[async_trait]
impl PaceStore for Sqlite {
    async fn hear(&self, heard: Heard) -> Result<Met, StoreError> {
        self.0.write(move |tx| hear(tx, &heard)).await
    }

    async fn paused(
        &self,
        account: AccountKey,
        pace: Pace,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Paused>, StoreError> {
        self.0
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT chat_id, sender_id, paused_until, rounds FROM partner INDEXED BY partner_paused
                     WHERE channel = ?1 AND account = ?2 AND paused_until > ?3 AND paused_until <= ?5 AND paused_until <> 0
                     ORDER BY paused_until LIMIT ?4",
                )?;
                let last = now + pace::DAY; // a later one is over: see Partner::hear
                let rows =
                    statement.query_map(params![account.channel, account.account, now, limit, last], |row| {
                        let paused = Paused {
                            chat: row.get(0)?,
                            sender: row.get::<_, Option<String>>(1)?.filter(|sender| !sender.is_empty()),
                            until: row.get(2)?,
                        };
                        Ok((paused, row.get::<_, String>(3)?))
                    })?;
                let mut all = Vec::new();
                for row in rows {
                    let (paused, kept) = row?;
                    let partner: Partner = serde_json::from_str(&kept).map_err(StoreError::Row)?;
                    let pace = if paused.sender.is_some() { pace } else { pace.of_room() };
                    if partner.is_paused(now, pace) {
                        all.push(paused);
                    }
                }
                Ok(all)
            })
            .await
    }

    async fn prune_partners(&self, before: Timestamp) -> Result<(), StoreError> {
        self.0
            .write(move |tx| {
                tx.execute("DELETE FROM partner WHERE heard_at < ?1", [before])?;
                tx.execute("DELETE FROM said WHERE at < ?1", [before])?;
                Ok(())
            })
            .await
    }
}

fn hear(tx: &Transaction<'_>, heard: &Heard) -> Result<Met, StoreError> {
    let Heard {
        seq,
        account,
        chat,
        sender,
        to,
        at,
        pace,
    } = heard;
    let sender = sender.as_ref().map_or("", SenderId::as_str);
    let kept: Option<String> = tx
        .prepare_cached(
            "SELECT rounds FROM partner WHERE channel = ?1 AND account = ?2 AND chat_id = ?3 AND sender_id = ?4",
        )?
        .query_row(
            params![account.channel, account.account, chat.as_str(), sender],
            |row| row.get(0),
        )
        .optional()?;
    let said_at: Option<Timestamp> = tx
        .prepare_cached("SELECT at FROM said WHERE channel = ?1 AND account = ?2 AND chat = ?3")?
        .query_row(
            params![account.channel, account.account, to.as_str().to_ascii_lowercase()],
            |row| row.get(0),
        )
        .optional()?;
    let mut partner: Partner = match kept {
        Some(json) => serde_json::from_str(&json).map_err(StoreError::Row)?,
        None => Partner::default(),
    };
    let before = partner.clone();
    let met = partner.hear(*seq, *at, said_at, *pace);
    if partner != before {
        tx.prepare_cached(
            "INSERT OR REPLACE INTO partner (channel, account, chat_id, sender_id, heard_at, last_seq, rounds, strikes, paused_until)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8)",
        )?
        .execute(params![
            account.channel,
            account.account,
            chat.as_str(),
            sender,
            at,
            seq,
            serde_json::to_string(&partner).map_err(StoreError::Row)?,
            partner.paused_until
        ])?;
    }
    Ok(met)
}
