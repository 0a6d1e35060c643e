//! Rows of a turn that goes on. They are transcript rows like any other; a small table beside them knows which of an attempt's
//! steps are there already, and is emptied when the turn ends.

use rusqlite::{Connection, OptionalExtension, params};

use super::super::{Entry, Hold, Record, Recorded, Role};
use super::{entries, sessions, texts, turns};
use crate::error::Error;
use crate::id::RunId;

/// The assistant's rows of a turn that has not ended, of all its attempts.
pub(super) fn said(conn: &Connection, run: &RunId) -> Result<Vec<Entry>, Error> {
    let Some(turn) = turns::find(conn, run)? else {
        return Ok(Vec::new());
    };
    let mut statement =
        conn.prepare_cached("SELECT seq FROM turn_steps WHERE run = ?1 ORDER BY attempt, step")?;
    let seqs = statement
        .query_map([run.as_str()], |row| row.get(0))?
        .collect::<Result<Vec<i64>, _>>()?;
    let mut said = Vec::new();
    for seq in seqs {
        said.extend(entries::find(conn, &turn.key, seq)?.filter(|entry| entry.row.role == Role::Assistant));
    }
    Ok(said)
}

pub(super) fn record(conn: &Connection, record: Record) -> Result<Recorded, Error> {
    let Record {
        run,
        owner,
        first,
        entries: rows,
        effects,
    } = record;
    let held = turns::hold(conn, &run, &owner)?;
    let nothing = Recorded {
        hold: held,
        entries: Vec::new(),
        session: None,
    };
    let Some(turn) = turns::find(conn, &run)?.filter(|_| held != Hold::Lost) else {
        return Ok(nothing);
    };
    if effects {
        conn.prepare_cached("UPDATE turns SET effects = 1 WHERE run = ?1")?
            .execute([run.as_str()])?;
    }
    // What belongs to a transcript that was left behind is not said into the new one.
    let Some(session) = sessions::id_of(conn, &turn.key)? else {
        return Ok(nothing);
    };
    if sessions::by_id(conn, session)?.session_id != turn.session_id {
        return Ok(nothing);
    }
    let mut recorded = Vec::with_capacity(rows.len());
    for (step, row) in (first..).zip(rows) {
        let known: Option<i64> = conn
            .prepare_cached("SELECT seq FROM turn_steps WHERE run = ?1 AND attempt = ?2 AND step = ?3")?
            .query_row(params![run.as_str(), turn.attempt, step], |row| row.get(0))
            .optional()?;
        let entry = match known {
            Some(seq) => entries::find(conn, &turn.key, seq)?.ok_or(Error::Unreadable("step"))?,
            None => {
                if row.role == Role::Assistant {
                    texts::forget(conn, &run)?;
                }
                let entry = entries::append(conn, session, row)?;
                conn.prepare_cached(
                    "INSERT INTO turn_steps (run, attempt, step, seq) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![run.as_str(), turn.attempt, step, entry.seq])?;
                entry
            }
        };
        recorded.push(entry);
    }
    Ok(Recorded {
        hold: held,
        entries: recorded,
        session: Some(sessions::by_id(conn, session)?),
    })
}
