//! Replies on their way to the bridge.

use gatehouse_core::{Content, Timestamp};
use rusqlite::{Connection, Row, params};

use super::super::{DELIVERY_LATER, Delivery, DeliveryOutcome, Recalled, Target, Turn};
use super::rows::trace_of;
use crate::error::Error;
use crate::id::RunId;
use crate::key::SessionKey;

/// The most that one answer to [`waiting`] holds in text, so that a heap of long replies does not fill the memory.
const TEXT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Adds the reply of a turn. A run has one reply, so its part is always 0; the key keeps it from being sent twice.
pub(super) fn add(
    conn: &Connection,
    turn: &Turn,
    target: &Target,
    content: Content,
    now: Timestamp,
) -> Result<(), Error> {
    let (words, content) = content.into_columns();
    let target = serde_json::to_string(target).map_err(|_| Error::Unreadable("target"))?;
    conn.prepare_cached(
        "INSERT INTO deliveries (key, run, session_key, target, text, content, created_at, traceparent)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (key) DO NOTHING",
    )?
    .execute(params![
        key_of(&turn.run),
        turn.run.as_str(),
        turn.key.as_str(),
        target,
        words,
        content,
        now,
        turn.trace.to_string()
    ])?;
    Ok(())
}

fn key_of(run: &RunId) -> String {
    format!("{run}/0")
}

pub(super) fn is_made(conn: &Connection, run: &RunId) -> Result<bool, Error> {
    let mut statement = conn.prepare_cached("SELECT 1 FROM deliveries WHERE key = ?1")?;
    Ok(statement.exists([key_of(run)])?)
}

pub(super) fn waiting(conn: &Connection, now: Timestamp, rows_max: u32) -> Result<Vec<Delivery>, Error> {
    // A reply waits for the older ones of its chat, also for one that is to be offered again later. One that is to wait longer
    // than anybody is told to was put off before the clock was set back, and is due.
    let mut statement = conn.prepare_cached(
        "SELECT * FROM deliveries d INDEXED BY deliveries_waiting
         WHERE state = 'waiting' AND (not_before <= ?1 OR not_before > ?3)
            AND NOT EXISTS (SELECT 1 FROM deliveries o WHERE o.state = 'waiting' AND o.id < d.id
                AND o.session_key = d.session_key AND o.not_before > ?1 AND o.not_before <= ?3)
         ORDER BY id LIMIT ?2 -- scans: the index holds what waits, and nothing of the past",
    )?;
    let mut deliveries = Vec::new();
    let mut bytes = 0;
    let latest = now + DELIVERY_LATER;
    for delivery in statement.query_map(params![now, rows_max, latest], delivery)? {
        let Some(delivery) = delivery? else {
            return Err(Error::Unreadable("delivery"));
        };
        bytes += delivery.content.bytes();
        if bytes > TEXT_BYTES_MAX && !deliveries.is_empty() {
            break;
        }
        deliveries.push(delivery);
    }
    Ok(deliveries)
}

/// Those that are put off for longer than anybody is told to are due: see [`waiting`].
pub(super) fn next_due(conn: &Connection, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    let mut statement = conn.prepare_cached(
        "SELECT min(not_before) FROM deliveries INDEXED BY deliveries_waiting
         WHERE state = 'waiting' AND not_before > ?1 AND not_before <= ?2
         -- scans: the index holds what waits, and nothing of the past",
    )?;
    let latest = now + DELIVERY_LATER;
    Ok(statement.query_row([now, latest], |row| row.get(0))?)
}

pub(super) fn settle(conn: &Connection, delivery: i64, outcome: &DeliveryOutcome) -> Result<bool, Error> {
    let changed = match outcome {
        DeliveryOutcome::Taken { now } => conn
            .prepare_cached(
                "UPDATE deliveries SET state = 'taken', text = '', content = NULL, settled_at = ?2
                 WHERE id = ?1 AND state = 'waiting'",
            )?
            .execute([delivery, (*now).as_ms()])?,
        DeliveryOutcome::Later { not_before } => conn
            .prepare_cached(
                "UPDATE deliveries SET attempts = attempts + 1, not_before = ?2 WHERE id = ?1 AND state = 'waiting'",
            )?
            .execute([delivery, (*not_before).as_ms()])?,
        DeliveryOutcome::Refused { error, now } => conn
            .prepare_cached(
                "UPDATE deliveries SET state = 'refused', error = ?2, settled_at = ?3
                 WHERE id = ?1 AND state = 'waiting'",
            )?
            .execute(params![delivery, error, now])?,
    };
    Ok(changed > 0)
}

pub(super) fn recall(
    conn: &Connection,
    session: &SessionKey,
    recalled: &Recalled,
    now: Timestamp,
) -> Result<i64, Error> {
    let Recalled { run, chat } = recalled;
    let mut statement = conn.prepare_cached(
        "SELECT id, run, target FROM deliveries INDEXED BY deliveries_waiting_of_session
         WHERE state = 'waiting' AND session_key = ?1",
    )?;
    let mut rows = statement.query([session.as_str()])?;
    let mut recalled = 0;
    while let Some(row) = rows.next()? {
        let (id, of, target): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let target =
            serde_json::from_str::<Target>(&target).map_err(|_| Error::Unreadable("delivery's target"))?;
        let meant = run.as_ref().is_none_or(|run| run.as_str() == of)
            && chat.as_ref().is_none_or(|chat| chat.same_chat(&target));
        if meant {
            conn.prepare_cached(
                "UPDATE deliveries SET state = 'dropped', text = '', content = NULL, settled_at = ?2 WHERE id = ?1",
            )?
            .execute([id, now.as_ms()])?;
            recalled += 1;
        }
    }
    Ok(recalled)
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<Option<Delivery>> {
    let target: String = row.get("target")?;
    let Ok(target) = serde_json::from_str::<Target>(&target) else {
        return Ok(None);
    };
    let json: Option<String> = row.get("content")?;
    let Ok(content) = Content::from_columns(row.get("text")?, json.as_deref()) else {
        return Ok(None);
    };
    Ok(Some(Delivery {
        id: row.get("id")?,
        key: row.get("key")?,
        run: RunId::new(row.get::<_, String>("run")?),
        session: SessionKey::stored(row.get("session_key")?),
        target,
        content,
        created_at: row.get("created_at")?,
        attempts: row.get("attempts")?,
        trace: trace_of(row)?,
    }))
}
