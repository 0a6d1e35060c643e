//! The outbox in SQLite.

use async_trait::async_trait;
use gatehouse_core::{Content, Timestamp, trace};
use rusqlite::{Connection, Row, Transaction, params};

use super::{Sqlite, accounts::held, enqueue::enqueue, previews, reports, waiting};
use crate::{
    account::lease::Lease,
    adapter::{AccountKey, Report},
    id::{Address, DeliveryKey, MessageId},
    outbox::{
        plan::Rest,
        store::{Chosen, Counts, Delivery, More, NewDelivery, OutboxStore, Outcome, Page, Part, Retry, Sent},
    },
    store::StoreError,
};

#[async_trait]
impl OutboxStore for Sqlite {
    async fn enqueue(
        &self,
        id: String,
        delivery: NewDelivery,
        now: Timestamp,
    ) -> Result<(String, bool), StoreError> {
        let trace = trace::current().unwrap_or_default();
        self.0
            .write(move |tx| enqueue(tx, id, &delivery, trace, now))
            .await
    }

    async fn heads(&self, lease: Lease, limit: u32) -> Result<Vec<Delivery>, StoreError> {
        self.0
            .read(move |connection| {
                held(connection, &lease)?;
                heads(connection, &lease.account, limit)
            })
            .await
    }

    async fn parts(
        &self,
        lease: Lease,
        seq: i64,
        parts: Vec<String>,
        rest: Option<Rest>,
        now: Timestamp,
    ) -> Result<Vec<Part>, StoreError> {
        self.step(lease, move |tx| self::parts(tx, seq, &parts, rest.as_ref(), now))
            .await
    }

    async fn waits(&self, seq: i64) -> Result<bool, StoreError> {
        self.0.read(move |connection| waits(connection, seq)).await
    }

    async fn part_leaves(
        &self,
        lease: Lease,
        seq: i64,
        position: u32,
        labelled: Option<String>,
    ) -> Result<(), StoreError> {
        self.step(lease, move |tx| {
            part_leaves(tx, seq, position, labelled.as_deref())
        })
        .await
    }

    async fn part_sent(&self, lease: Lease, seq: i64, position: u32, sent: Sent) -> Result<(), StoreError> {
        self.step(lease, move |tx| part_sent(tx, seq, position, &sent))
            .await
    }

    async fn postpone(&self, lease: Lease, seq: i64, retry: Retry) -> Result<(), StoreError> {
        self.step(lease, move |tx| postpone(tx, seq, retry)).await
    }

    async fn settle(
        &self,
        lease: Lease,
        seq: i64,
        outcome: Outcome,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.step(lease, move |tx| settle(tx, seq, &outcome, now)).await
    }

    async fn recover(&self, lease: Lease) -> Result<usize, StoreError> {
        let account = lease.account.clone();
        self.step(lease, move |tx| recover(tx, &account)).await
    }

    async fn expire(&self, before: Timestamp, now: Timestamp) -> Result<Vec<String>, StoreError> {
        self.0.write(move |tx| expire(tx, before, now)).await
    }

    async fn waiting(&self, chosen: Chosen, after: i64, limit: u32) -> Result<Page, StoreError> {
        self.0
            .read(move |connection| waiting::waiting(connection, &chosen, after, limit))
            .await
    }

    async fn drop_waiting(&self, chosen: Chosen, limit: u32, now: Timestamp) -> Result<Page, StoreError> {
        self.0
            .write(move |tx| waiting::drop_waiting(tx, &chosen, limit, now))
            .await
    }

    async fn more(&self, id: String, more: More, now: Timestamp) -> Result<bool, StoreError> {
        self.0.write(move |tx| waiting::more(tx, id, more, now)).await
    }

    async fn report(
        &self,
        account: AccountKey,
        receipt: String,
        report: Report,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.0
            .write(move |tx| reports::keep(tx, &account, &receipt, report, now))
            .await
    }

    async fn counts(&self, account: AccountKey) -> Result<Counts, StoreError> {
        self.0.read(move |connection| counts(connection, &account)).await
    }

    async fn prune(&self, before: Timestamp, rests_before: Timestamp) -> Result<(), StoreError> {
        self.0
            .write(move |tx| {
                tx.execute("DELETE FROM outbox WHERE settled_at < ?1", [before])?;
                tx.execute("DELETE FROM outbox_rest WHERE created_at < ?1", [rests_before])?;
                reports::prune(tx, rests_before)
            })
            .await
    }
}

impl Sqlite {
    /// One step of whoever has the account, and of nobody else.
    async fn step<T: Send + 'static>(
        &self,
        lease: Lease,
        step: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.0
            .write(move |tx| {
                held(tx, &lease)?;
                step(tx)
            })
            .await
    }
}

fn heads(connection: &Connection, account: &AccountKey, limit: u32) -> Result<Vec<Delivery>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, id, delivery_key, run_id, channel, account, chat, thread_id, reply_to_id, text, created_at, attempts,
         unknowns, late, next_at, queued_at, content, traceparent, session_key, part_count FROM outbox WHERE seq IN
         (SELECT min(seq) FROM outbox INDEXED BY outbox_waiting
          WHERE state IN ('queued', 'sending') AND channel = ?1 AND account = ?2 GROUP BY chat)
         ORDER BY next_at, seq LIMIT ?3 -- sorts: one delivery of each chat in which one waits",
    )?;
    let rows = statement.query_map(params![account.channel, account.account, limit], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let traceparent: Option<String> = row.get("traceparent")?;
    Ok(Delivery {
        seq: row.get(0)?,
        id: row.get(1)?,
        content: NewDelivery {
            key: DeliveryKey::stored(row.get(2)?),
            run_id: row.get(3)?,
            account: AccountKey {
                channel: row.get(4)?,
                account: row.get(5)?,
            },
            to: Address::stored(row.get(6)?),
            thread_id: row.get(7)?,
            reply_to_id: row.get::<_, Option<String>>(8)?.map(MessageId::stored),
            message: message(row)?,
            created_at: row.get(10)?,
            session_key: row.get("session_key")?,
            parts: row.get("part_count")?,
        },
        attempts: row.get(11)?,
        unknowns: row.get(12)?,
        late: row.get(13)?,
        next_at: row.get(14)?,
        queued_at: row.get(15)?,
        trace: trace::Context::continued(traceparent.as_deref()),
    })
}

fn message(row: &Row<'_>) -> rusqlite::Result<Content> {
    let json: Option<String> = row.get("content")?;
    Content::from_columns(row.get("text")?, json.as_deref()).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(16, rusqlite::types::Type::Text, error.into())
    })
}

fn waits(connection: &Connection, seq: i64) -> Result<bool, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT 1 FROM outbox WHERE seq = ?1 AND state IN ('queued', 'sending')")?;
    Ok(statement.exists([seq])?)
}

/// A delivery that is over takes no further step.
fn under_way(changed: usize) -> Result<(), StoreError> {
    if changed == 0 {
        Err(StoreError::Over)
    } else {
        Ok(())
    }
}

fn parts(
    tx: &Transaction<'_>,
    seq: i64,
    parts: &[String],
    rest: Option<&Rest>,
    now: Timestamp,
) -> Result<Vec<Part>, StoreError> {
    if !waits(tx, seq)? {
        return Err(StoreError::Over);
    }
    let kept = tx
        .prepare_cached("SELECT 1 FROM outbox_part WHERE delivery = ?1")?
        .exists([seq])?;
    if !kept {
        for (position, text) in parts.iter().enumerate() {
            tx.prepare_cached("INSERT INTO outbox_part (delivery, position, text) VALUES (?1, ?2, ?3)")?
                .execute(params![seq, position, text])?;
        }
        tx.prepare_cached("UPDATE outbox SET part_count = ?2 WHERE seq = ?1")?
            .execute(params![seq, parts.len().max(1)])?;
        if let Some(rest) = rest {
            waiting::keep_rest(tx, seq, rest, now)?;
        }
    }
    let mut statement = tx.prepare_cached(
        "SELECT position, text, state = 'sent', possible_duplicate, unconfirmed FROM outbox_part WHERE delivery = ?1 ORDER BY position",
    )?;
    let rows = statement.query_map([seq], |row| {
        Ok(Part {
            position: row.get(0)?,
            text: row.get(1)?,
            sent: row.get(2)?,
            possible_duplicate: row.get(3)?,
            unconfirmed: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn part_leaves(
    tx: &Transaction<'_>,
    seq: i64,
    position: u32,
    labelled: Option<&str>,
) -> Result<(), StoreError> {
    let changed = tx
        .prepare_cached(
            "UPDATE outbox SET state = 'sending', late = late OR ?2 WHERE seq = ?1 AND state IN ('queued', 'sending')",
        )?
        .execute(params![seq, labelled.is_some()])?;
    under_way(changed)?;
    tx.prepare_cached(
        "UPDATE outbox_part SET state = 'sending', text = coalesce(?3, text) WHERE delivery = ?1 AND position = ?2",
    )?
    .execute(params![seq, position, labelled])?;
    Ok(())
}

fn part_sent(tx: &Transaction<'_>, seq: i64, position: u32, sent: &Sent) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE outbox SET attempts = 0 WHERE seq = ?1")?
        .execute([seq])?;
    tx.prepare_cached(
        "UPDATE outbox_part SET state = 'sent', receipt = ?3, sent_at = ?4, unconfirmed = ?5
         WHERE delivery = ?1 AND position = ?2",
    )?
    .execute(params![seq, position, sent.receipt, sent.at, sent.unconfirmed])?;
    if let Some(receipt) = &sent.receipt {
        reports::catch_up(tx, seq, position, receipt)?;
    }
    if position == 0 {
        previews::replaced(tx, seq)?;
        // By it an answer to us is told from a message of somebody's own. Whoever reads a long answer may begin to write
        // before its last line is there.
        tx.prepare_cached(
            "INSERT OR REPLACE INTO said (channel, account, chat, at)
             SELECT channel, account, lower(chat), ?2 FROM outbox WHERE seq = ?1",
        )?
        .execute(params![seq, sent.at])?;
    }
    Ok(())
}

fn postpone(tx: &Transaction<'_>, seq: i64, retry: Retry) -> Result<(), StoreError> {
    let changed = tx
        .prepare_cached(
            "UPDATE outbox SET state = 'queued', attempts = attempts + 1, unknowns = unknowns + ?3, next_at = ?2
             WHERE seq = ?1 AND state IN ('queued', 'sending')",
        )?
        .execute(params![seq, retry.next_at, retry.unknown])?;
    under_way(changed)?;
    tx.prepare_cached(
        "UPDATE outbox_part SET state = 'queued', possible_duplicate = possible_duplicate OR ?2
         WHERE delivery = ?1 AND state = 'sending'",
    )?
    .execute(params![seq, retry.unknown])?;
    Ok(())
}

fn settle(tx: &Transaction<'_>, seq: i64, outcome: &Outcome, now: Timestamp) -> Result<(), StoreError> {
    let (state, reason) = match outcome {
        Outcome::Sent => ("sent", None),
        Outcome::Dead(reason) => ("dead", Some(reason)),
        Outcome::Unknown(reason) => ("unknown", Some(reason)),
    };
    // What was sent stands in the session's transcript; what was given up on is kept, for whoever asks why.
    let changed = tx
        .prepare_cached(
            "UPDATE outbox SET state = ?2, reason = ?3, settled_at = ?4, text = iif(?2 = 'sent', '', text),
             content = iif(?2 = 'sent', NULL, content) WHERE seq = ?1 AND state IN ('queued', 'sending')",
        )?
        .execute(params![seq, state, reason, now])?;
    under_way(changed)?;
    tx.prepare_cached("UPDATE outbox_part SET text = '' WHERE delivery = ?1 AND state = 'sent'")?
        .execute([seq])?;
    Ok(())
}

fn recover(tx: &Transaction<'_>, account: &AccountKey) -> Result<usize, StoreError> {
    let parts = tx.execute(
        "UPDATE outbox_part SET state = 'queued', possible_duplicate = 1 WHERE state = 'sending' AND delivery IN
         (SELECT seq FROM outbox WHERE state IN ('queued', 'sending') AND channel = ?1 AND account = ?2)",
        params![account.channel, account.account],
    )?;
    tx.execute(
        "UPDATE outbox SET state = 'queued' WHERE state IN ('queued', 'sending') AND channel = ?1 AND account = ?2",
        params![account.channel, account.account],
    )?;
    Ok(parts)
}

fn expire(tx: &Transaction<'_>, before: Timestamp, now: Timestamp) -> Result<Vec<String>, StoreError> {
    let mut statement = tx.prepare_cached(
        "UPDATE outbox INDEXED BY outbox_waiting SET state = 'dead', reason = 'expired', settled_at = ?2
         WHERE state IN ('queued', 'sending') AND state = 'queued' AND queued_at < ?1 RETURNING channel
         -- scans: the index holds what waits, and nothing of the past",
    )?;
    let rows = statement.query_map([before, now], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn counts(connection: &Connection, account: &AccountKey) -> Result<Counts, StoreError> {
    let place = params![account.channel, account.account];
    let (waiting, parts, oldest_at) = connection
        .prepare_cached(
            "SELECT count(*), coalesce(sum(max(part_count - (SELECT count(*) FROM outbox_part
                 WHERE delivery = outbox.seq AND outbox_part.state = 'sent'), 0)), 0), min(queued_at)
             FROM outbox INDEXED BY outbox_waiting
             WHERE state IN ('queued', 'sending') AND channel = ?1 AND account = ?2",
        )?
        .query_row(place, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let dead = connection
        .prepare_cached(
            "SELECT count(*) FROM outbox INDEXED BY outbox_dead
             WHERE state IN ('dead', 'unknown') AND channel = ?1 AND account = ?2 AND dropped = 0",
        )?
        .query_row(place, |row| row.get(0))?;
    let (repeated, unconfirmed) = connection
        .prepare_cached(
            "SELECT coalesce(sum(possible_duplicate <> 0), 0), coalesce(sum(unconfirmed <> 0), 0)
             FROM outbox_part INDEXED BY outbox_part_doubtful JOIN outbox ON outbox.seq = outbox_part.delivery
             WHERE (possible_duplicate <> 0 OR unconfirmed <> 0) AND channel = ?1 AND account = ?2
             -- scans: the index holds what is doubtful of seven days, and a status asks for it",
        )?
        .query_row(place, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let [not_delivered, delivered, read] = reports::counts(connection, account)?;
    Ok(Counts {
        waiting,
        parts,
        oldest_at,
        dead,
        repeated,
        unconfirmed,
        not_delivered,
        delivered,
        read,
    })
}
