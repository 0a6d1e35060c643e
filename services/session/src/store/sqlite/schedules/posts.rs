//! Runs that programs are to be told of.

use gatehouse_core::Timestamp;
use rusqlite::{Connection, params};

use super::rows::WAIT_MS_MAX;
use crate::error::Error;
use crate::schedules::{DeliveryStatus, JobId, NewPost, Post, PostEnd, Slot, SlotKind};

/// The table. A migration is never changed once released.
pub(in crate::store::sqlite) const MIGRATION: &str = r"
-- Runs that a program is to be told of, until it was or it is given up.
CREATE TABLE schedule_posts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job TEXT NOT NULL,
    kind TEXT NOT NULL,
    slot INTEGER NOT NULL,
    url TEXT NOT NULL,
    body TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    not_before INTEGER NOT NULL
) STRICT;
CREATE INDEX schedule_posts_due ON schedule_posts (not_before);
";

/// Posts that are read at once: each may be some hundred kilobytes.
const TOGETHER_MAX: u32 = 16;

pub(super) fn add(conn: &Connection, slot: &Slot, post: &NewPost, now: Timestamp) -> Result<(), Error> {
    conn.prepare_cached(
        "INSERT INTO schedule_posts (job, kind, slot, url, body, not_before) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        slot.job.as_str(),
        slot.kind.word(),
        slot.at,
        post.url,
        post.body,
        now
    ])?;
    Ok(())
}

/// Those that are due, and those from before the clock was set back.
pub(super) fn due(conn: &Connection, now: Timestamp) -> Result<Vec<Post>, Error> {
    let mut statement = conn.prepare_cached(
        "SELECT * FROM (SELECT * FROM schedule_posts WHERE not_before <= ?1 ORDER BY not_before LIMIT ?2)
         UNION ALL
         SELECT * FROM (SELECT * FROM schedule_posts WHERE not_before > ?3 ORDER BY not_before LIMIT ?2)",
    )?;
    let rows = statement.query_map(params![now, TOGETHER_MAX, now.plus_ms(WAIT_MS_MAX)], |row| {
        Ok((
            row.get("id")?,
            row.get::<_, String>("job")?,
            row.get::<_, String>("kind")?,
            row.get("slot")?,
            row.get("url")?,
            row.get("body")?,
            row.get("attempts")?,
        ))
    })?;
    rows.map(|row| {
        let (id, job, kind, at, url, body, attempts) = row?;
        Ok(Post {
            id,
            slot: Slot {
                job: JobId::new(job),
                kind: SlotKind::parse(&kind).ok_or(Error::Unreadable("slot"))?,
                at,
            },
            url,
            body,
            attempts,
        })
    })
    .collect()
}

pub(super) fn next(conn: &Connection) -> Result<Option<Timestamp>, Error> {
    Ok(conn
        .prepare_cached("SELECT min(not_before) FROM schedule_posts")?
        .query_row([], |row| row.get(0))?)
}

pub(super) fn settle(conn: &Connection, id: i64, end: &PostEnd) -> Result<(), Error> {
    let (status, problem) = match end {
        PostEnd::Told => (Some(DeliveryStatus::Delivered), None),
        PostEnd::Again { problem, .. } => (None, Some(problem)),
        PostEnd::GaveUp(problem) => (Some(DeliveryStatus::NotDelivered), Some(problem)),
    };
    conn.prepare_cached(
        "UPDATE schedule_slots SET delivered = ?2, delivery_error = ?3
         FROM (SELECT job, kind, slot FROM schedule_posts WHERE id = ?1) AS post
         WHERE schedule_slots.job = post.job AND schedule_slots.slot = post.slot AND schedule_slots.kind = post.kind",
    )?
    .execute(params![id, status.map(DeliveryStatus::word), problem])?;
    match end {
        PostEnd::Again { at, .. } => conn
            .prepare_cached(
                "UPDATE schedule_posts SET attempts = attempts + 1, not_before = ?2 WHERE id = ?1",
            )?
            .execute(params![id, at])?,
        PostEnd::Told | PostEnd::GaveUp(_) => conn
            .prepare_cached("DELETE FROM schedule_posts WHERE id = ?1")?
            .execute([id])?,
    };
    Ok(())
}
