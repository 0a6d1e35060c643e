//! The text in flight: what was shown of a turn that has not ended, so that it outlives the process that showed it. The rows go
//! with the end of their turn, by a trigger.

use rusqlite::{Connection, OptionalExtension, params};

use super::super::Hold;
use super::turns;
use crate::error::Error;
use crate::id::{Owner, RunId};

pub(super) fn show(
    conn: &Connection,
    run: &RunId,
    owner: &Owner,
    text: &str,
    asked: Option<&str>,
) -> Result<Hold, Error> {
    let shown = conn
        .prepare_cached(
            "UPDATE turns SET visible = visible + 1, asked = ?3 WHERE run = ?1 AND owner = ?2 AND state = 'running'",
        )?
        .execute(params![run.as_str(), owner.as_str(), asked])?;
    if shown > 0 {
        add(conn, run, owner, text)?;
    }
    turns::hold(conn, run, owner)
}

pub(super) fn keep(conn: &Connection, run: &RunId, owner: &Owner, text: &str) -> Result<Hold, Error> {
    add(conn, run, owner, text)?;
    turns::hold(conn, run, owner)
}

fn add(conn: &Connection, run: &RunId, owner: &Owner, text: &str) -> Result<(), Error> {
    if text.is_empty() {
        return Ok(());
    }
    conn.prepare_cached(
        "INSERT INTO turn_texts (run, attempt, part, text)
         SELECT t.run, t.attempt,
            1 + coalesce((SELECT max(part) FROM turn_texts p WHERE p.run = t.run AND p.attempt = t.attempt), 0), ?3
         FROM turns t WHERE t.run = ?1 AND t.owner = ?2 AND t.state = 'running'",
    )?
    .execute(params![run.as_str(), owner.as_str(), text])?;
    Ok(())
}

/// What was in flight is a row now.
pub(super) fn forget(conn: &Connection, run: &RunId) -> Result<(), Error> {
    conn.prepare_cached("DELETE FROM turn_texts WHERE run = ?1")?
        .execute([run.as_str()])?;
    Ok(())
}

/// Whose model writes what was shown last.
pub(super) fn asked(conn: &Connection, run: &RunId) -> Result<Option<String>, Error> {
    let mut statement = conn.prepare_cached("SELECT asked FROM turns WHERE run = ?1")?;
    let asked = statement.query_row([run.as_str()], |row| row.get(0)).optional()?;
    Ok(asked.flatten())
}

/// The newest attempt that kept a text: an attempt that died before its first word leaves the older text in its place, as the
/// screens do.
pub(super) fn kept(conn: &Connection, run: &RunId) -> Result<String, Error> {
    let mut statement = conn.prepare_cached(
        "SELECT text FROM turn_texts
         WHERE run = ?1 AND attempt = (SELECT max(attempt) FROM turn_texts WHERE run = ?1) ORDER BY part",
    )?;
    let mut text = String::new();
    for part in statement.query_map([run.as_str()], |row| row.get::<_, String>(0))? {
        text.push_str(&part?);
    }
    Ok(text)
}
