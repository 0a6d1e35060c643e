//! The inbox in SQLite.

use async_trait::async_trait;
use gatehouse_core::{Timestamp, trace};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::Sqlite;
use crate::{
    account::store::LeaseOwner,
    adapter::{AccountKey, InboundMessage, Received},
    id::{ChatId, MessageId},
    inbox::store::{Adopted, INBOX_WAITING_MAX, InboxRow, InboxStore, Settlement},
    store::StoreError,
};

#[async_trait]
impl InboxStore for Sqlite {
    async fn receive(
        &self,
        account: AccountKey,
        message: InboundMessage,
        urgent: bool,
        now: Timestamp,
    ) -> Result<Received, StoreError> {
        let trace = trace::current().unwrap_or_default();
        self.0
            .write(move |tx| receive(tx, &account, &message, urgent, trace, now))
            .await
    }

    async fn heads(&self, owner: LeaseOwner, limit: u32) -> Result<Vec<InboxRow>, StoreError> {
        self.0
            .read(move |connection| heads(connection, &owner, limit))
            .await
    }

    async fn settle(&self, seq: i64, settlement: Settlement) -> Result<(), StoreError> {
        self.0.write(move |tx| settle(tx, seq, &settlement)).await
    }

    async fn adopted(&self, after: i64, since: Timestamp, limit: u32) -> Result<Vec<Adopted>, StoreError> {
        self.0
            .read(move |connection| adopted(connection, after, since, limit))
            .await
    }

    async fn offer_again(&self, seqs: Vec<i64>, now: Timestamp) -> Result<usize, StoreError> {
        self.0.write(move |tx| offer_again(tx, &seqs, now)).await
    }

    async fn refuse_before(
        &self,
        account: AccountKey,
        chat: ChatId,
        seq: i64,
        reason: &'static str,
    ) -> Result<i64, StoreError> {
        self.0
            .write(move |tx| {
                let refused = tx
                    .prepare_cached(
                        "UPDATE inbox INDEXED BY inbox_waiting SET state = 'refused', reason = ?5, message = ''
                         WHERE state = 'new' AND channel = ?1 AND account = ?2 AND chat_id = ?3 AND seq < ?4",
                    )?
                    .execute(params![account.channel, account.account, chat.as_str(), seq, reason])?;
                Ok(i64::try_from(refused).unwrap_or(i64::MAX))
            })
            .await
    }

    async fn waiting(&self, account: AccountKey) -> Result<i64, StoreError> {
        self.0.read(move |connection| waiting(connection, &account)).await
    }

    async fn rewrite(&self, seq: i64, message: InboundMessage) -> Result<(), StoreError> {
        self.0.write(move |tx| rewrite(tx, seq, &message)).await
    }

    async fn postpone(&self, seq: i64, next_at: Timestamp) -> Result<(), StoreError> {
        self.0.write(move |tx| postpone(tx, seq, next_at)).await
    }

    async fn prune(&self, before: Timestamp, texts_before: Timestamp) -> Result<(), StoreError> {
        self.0
            .write(move |tx| {
                forget_texts(tx, texts_before)?;
                tx.execute(
                    "DELETE FROM inbox WHERE state <> 'new' AND received_at < ?1",
                    [before],
                )?;
                Ok(())
            })
            .await
    }
}

fn waiting(connection: &Connection, account: &AccountKey) -> Result<i64, StoreError> {
    let count = connection
        .prepare_cached(
            "SELECT count(*) FROM inbox INDEXED BY inbox_waiting WHERE state = 'new' AND channel = ?1 AND account = ?2",
        )?
        .query_row(params![account.channel, account.account], |row| row.get(0))?;
    Ok(count)
}

fn receive(
    tx: &Transaction<'_>,
    account: &AccountKey,
    message: &InboundMessage,
    urgent: bool,
    trace: trace::Context,
    now: Timestamp,
) -> Result<Received, StoreError> {
    let known = tx
        .prepare_cached("SELECT 1 FROM inbox WHERE channel = ?1 AND account = ?2 AND message_id = ?3")?
        .exists(params![
            account.channel,
            account.account,
            message.message_id.as_str()
        ])?;
    if known {
        return Ok(Received::Duplicate);
    }
    let full = tx
        .prepare_cached(
            "SELECT 1 FROM inbox INDEXED BY inbox_waiting WHERE state = 'new' AND channel = ?1 AND account = ?2 LIMIT 1 OFFSET ?3",
        )?
        .query_row(
            params![account.channel, account.account, INBOX_WAITING_MAX - 1],
            |_| Ok(()),
        )
        .optional()?;
    if full.is_some() {
        return Err(StoreError::Full("too many messages wait"));
    }
    let json = serde_json::to_string(message).map_err(StoreError::Row)?;
    tx.prepare_cached(
        "INSERT INTO inbox (channel, account, message_id, chat_id, message, next_at, received_at, traceparent, urgent)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8)",
    )?
    .execute(params![
        account.channel,
        account.account,
        message.message_id.as_str(),
        message.chat_id.as_str(),
        json,
        now,
        trace.to_string(),
        urgent
    ])?;
    Ok(Received::Stored)
}

fn heads(connection: &Connection, owner: &LeaseOwner, limit: u32) -> Result<Vec<InboxRow>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, channel, account, message, attempts, next_at, received_at, traceparent, urgent FROM inbox WHERE seq IN
         (SELECT min(seq) FROM inbox INDEXED BY inbox_waiting WHERE state = 'new' AND EXISTS (SELECT 1 FROM account_lease AS held
          WHERE held.channel = inbox.channel AND held.account = inbox.account AND held.owner = ?2) GROUP BY channel, account, chat_id
          UNION SELECT seq FROM inbox INDEXED BY inbox_urgent WHERE state = 'new' AND urgent <> 0 AND EXISTS
          (SELECT 1 FROM account_lease AS held
          WHERE held.channel = inbox.channel AND held.account = inbox.account AND held.owner = ?2))
         ORDER BY next_at, seq LIMIT ?1
         -- scans: the index holds what waits, and nothing of the past
         -- sorts: one message of each chat in which one waits",
    )?;
    let mut rows = statement.query(params![limit, owner.as_str()])?;
    let mut heads = Vec::new();
    while let Some(row) = rows.next()? {
        heads.push(read(row)?);
    }
    Ok(heads)
}

fn read(row: &Row<'_>) -> Result<InboxRow, StoreError> {
    let json: String = row.get(3)?;
    let traceparent: Option<String> = row.get(7)?;
    Ok(InboxRow {
        seq: row.get(0)?,
        account: AccountKey {
            channel: row.get(1)?,
            account: row.get(2)?,
        },
        message: serde_json::from_str(&json).map_err(StoreError::Row)?,
        attempts: row.get(4)?,
        next_at: row.get(5)?,
        received_at: row.get(6)?,
        trace: trace::Context::continued(traceparent.as_deref()),
        urgent: row.get(8)?,
    })
}

fn settle(tx: &Transaction<'_>, seq: i64, settlement: &Settlement) -> Result<(), StoreError> {
    let (state, run, reason) = match settlement {
        Settlement::Adopted(run) => ("adopted", Some(run), None),
        Settlement::Refused(reason) => ("refused", None, Some(reason)),
    };
    tx.prepare_cached(
        "UPDATE inbox SET state = ?2, run_id = ?3, reason = ?4, message = iif(?2 = 'adopted', message, '')
         WHERE seq = ?1 AND state = 'new'",
    )?
    .execute(params![seq, state, run, reason])?;
    Ok(())
}

fn rewrite(tx: &Transaction<'_>, seq: i64, message: &InboundMessage) -> Result<(), StoreError> {
    let message = serde_json::to_string(message).map_err(StoreError::Row)?;
    tx.prepare_cached("UPDATE inbox SET message = ?2 WHERE seq = ?1 AND state = 'new'")?
        .execute(params![seq, message])?;
    Ok(())
}

fn postpone(tx: &Transaction<'_>, seq: i64, next_at: Timestamp) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE inbox SET attempts = attempts + 1, next_at = ?2 WHERE seq = ?1")?
        .execute([seq, next_at.as_ms()])?;
    Ok(())
}

fn adopted(
    connection: &Connection,
    after: i64,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<Adopted>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, channel, account, message_id FROM inbox
         WHERE state = 'adopted' AND message <> '' AND seq > ?1 AND received_at > ?2 ORDER BY seq LIMIT ?3",
    )?;
    let rows = statement.query_map(params![after, since, limit], |row| {
        Ok(Adopted {
            seq: row.get(0)?,
            account: AccountKey {
                channel: row.get(1)?,
                account: row.get(2)?,
            },
            message_id: MessageId::stored(row.get(3)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn offer_again(tx: &Transaction<'_>, seqs: &[i64], now: Timestamp) -> Result<usize, StoreError> {
    let mut statement = tx.prepare_cached(
        "UPDATE inbox SET state = 'new', run_id = NULL, attempts = 0, next_at = ?2
         WHERE seq = ?1 AND state = 'adopted' AND message <> ''",
    )?;
    let mut offered = 0;
    for seq in seqs {
        offered += statement.execute([*seq, now.as_ms()])?;
    }
    Ok(offered)
}

fn forget_texts(tx: &Transaction<'_>, before: Timestamp) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE inbox SET message = '' WHERE state = 'adopted' AND message <> '' AND received_at <= ?1",
        [before],
    )?;
    Ok(())
}
