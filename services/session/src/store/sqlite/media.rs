//! The rows of media.

use rusqlite::{Connection, OptionalExtension, params};

use super::PRUNE_MAX;
use crate::error::Error;
use crate::media::{MediaId, MediaRow};
use gatehouse_core::Timestamp;

/// Keeps a medium, or keeps it longer. Refused when all together would be too many bytes.
pub(super) fn keep(conn: &Connection, row: &MediaRow, total_max: i64) -> Result<(), Error> {
    let MediaRow {
        id,
        mime_type,
        bytes,
        kept_at,
    } = row;
    let again = conn
        .prepare_cached("UPDATE media SET kept_at = max(kept_at, ?2) WHERE id = ?1")?
        .execute(params![id.as_str(), kept_at])?;
    if again > 0 {
        return Ok(());
    }
    let total: i64 = conn
        .prepare_cached("SELECT bytes FROM media_total WHERE one = 1")?
        .query_row([], |row| row.get(0))?;
    if total.saturating_add(*bytes) > total_max {
        return Err(Error::MediaFull);
    }
    conn.prepare_cached("INSERT INTO media (id, mime_type, bytes, kept_at) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![id.as_str(), mime_type, bytes, kept_at])?;
    Ok(())
}

pub(super) fn find(conn: &Connection, id: &MediaId) -> Result<Option<MediaRow>, Error> {
    let mut statement =
        conn.prepare_cached("SELECT id, mime_type, bytes, kept_at FROM media WHERE id = ?1")?;
    let row = statement.query_row([id.as_str()], |row| {
        Ok(MediaRow {
            id: MediaId::stored(row.get(0)?),
            mime_type: row.get(1)?,
            bytes: row.get(2)?,
            kept_at: row.get(3)?,
        })
    });
    Ok(row.optional()?)
}

/// Forgets what no transcript and no invocation of a node names and was kept before a time.
pub(super) fn forget_unnamed(conn: &Connection, before: Timestamp) -> Result<Vec<MediaId>, Error> {
    let mut statement = conn.prepare_cached(
        "DELETE FROM media WHERE id IN
            (SELECT m.id FROM media m INDEXED BY media_by_age WHERE m.kept_at < ?1
                AND NOT EXISTS (SELECT 1 FROM media_refs r WHERE r.media = m.id)
                AND NOT EXISTS (SELECT 1 FROM node_invocation_media i WHERE i.media = m.id) LIMIT ?2)
         RETURNING id -- scans: all that is kept, once in ten minutes, up to the first that nobody names",
    )?;
    let ids = statement.query_map(params![before, PRUNE_MAX], |row| Ok(MediaId::stored(row.get(0)?)))?;
    Ok(ids.collect::<Result<_, _>>()?)
}
