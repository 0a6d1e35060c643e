//! Which sessions are forgotten by themselves.

use rusqlite::Connection;

use super::super::SessionRecord;
use super::sessions::{COLUMNS, record};
use crate::error::Error;
use crate::sessions::Kept;

/// Sessions that are forgotten in one go.
const TOGETHER_MAX: i64 = 100;
/// Those of them that are forgotten for their room: what they had is only known once they are gone.
const FOR_ROOM_MAX: i64 = 10;

/// The oldest sessions that may be forgotten. Main ones, pinned ones, and those in which something runs or waits are not among them.
pub(super) fn surplus(conn: &Connection, kept: &Kept) -> Result<Vec<SessionRecord>, Error> {
    let count: i64 = conn
        .prepare_cached("SELECT coalesce(sum(n), 0) FROM session_counts -- scans: two rows for each agent")?
        .query_row([], |row| row.get(0))?;
    let beyond = kept
        .sessions_max
        .map_or(0, |max| (count - i64::from(max)).clamp(0, TOGETHER_MAX));
    let for_room = match kept.bytes_max {
        Some(max) if bytes(conn)? > max => FOR_ROOM_MAX,
        Some(_) | None => 0,
    };
    let beyond = usize::try_from(beyond.max(for_room)).unwrap_or(0);
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM sessions INDEXED BY sessions_newest_of_all
         WHERE pinned_at IS NULL AND active_run IS NULL AND status IS NOT 'queued' AND key <> 'agent:' || agent || ':main'
         ORDER BY updated_at, id LIMIT ?1 -- scans: from the oldest, up to as many as are wanted"
    ))?;
    let oldest = statement.query_map([TOGETHER_MAX], record)?;
    let oldest: Vec<SessionRecord> = oldest.collect::<Result<_, _>>()?;
    let is_wanted = |place: usize, session: &SessionRecord| {
        place < beyond || kept.since.is_some_and(|since| session.updated_at < since)
    };
    let wanted = oldest.into_iter().enumerate();
    Ok(wanted
        .filter(|(place, session)| is_wanted(*place, session))
        .map(|(_, session)| session)
        .collect())
}

/// The bytes of the pages that hold something. The file itself does not become smaller: what is forgotten makes room in it.
fn bytes(conn: &Connection) -> Result<i64, Error> {
    let figure = |name: &str| conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let pages = figure("page_count")? - figure("freelist_count")?;
    Ok(pages.saturating_mul(figure("page_size")?))
}
