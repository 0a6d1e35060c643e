//! Making a session out of what was said in another one.

use rusqlite::{Connection, OptionalExtension, named_params, params};

use super::super::{ForkFrom, Forked, Once, Seed, SessionPatch, SessionRecord};
use super::{entries, sessions, turns};
use crate::error::Error;
use crate::key::SessionKey;
use crate::transcripts::{Entry, Role};
use gatehouse_core::Timestamp;

/// Copies the rows up to `from` under a new key; a session that has it already is answered as it is. What was paid for an answer
/// stays with the first of the two, so that nothing is counted twice.
pub(super) fn fork(
    conn: &Connection,
    (source, from): (&SessionKey, &ForkFrom),
    key: &SessionKey,
    patch: &SessionPatch,
    once: Option<&Once>,
    now: Timestamp,
) -> Result<Forked, Error> {
    if let Some(once) = once {
        sessions::claim_key(conn, once, now)?;
    }
    if let Some(session) = sessions::find(conn, key)? {
        return Ok(Forked {
            session, // it was made before: by this request, when it is a repeat
            left_out: None,
        });
    }
    let Some(old) = sessions::id_of(conn, source)? else {
        return Err(Error::NoSession(source.clone()));
    };
    let parent = sessions::by_id(conn, old)?;
    let (last, left_out) = cut(conn, old, &parent, from)?;
    // It belongs to no chat, whatever its parent does: nobody there began it. What was somebody's own stays that.
    let seed = Seed {
        user: parent.user.clone().or_else(|| patch.user.clone()),
        ..Seed::default()
    };
    let new = sessions::ensure(conn, key, &seed, now)?;
    copy(conn, old, new, parent.first_seq, last)?;
    let patch = SessionPatch {
        parent: Some(source.clone()),
        ..patch.clone()
    };
    sessions::apply(conn, new, &patch, now)?;
    Ok(Forked {
        session: sessions::by_id(conn, new)?,
        left_out,
    })
}

/// The last row that is taken over, and the one that is left out in its favour.
fn cut(
    conn: &Connection,
    session: i64,
    record: &SessionRecord,
    from: &ForkFrom,
) -> Result<(i64, Option<Entry>), Error> {
    let open = first_open(conn, session, record.first_seq)?;
    let (last, left_out) = match from {
        ForkFrom::Row(id) => {
            let entry = entries::by_entry_id(conn, session, id)?
                .filter(|entry| entry.seq >= record.first_seq)
                .ok_or_else(|| Error::NoRow(id.clone()))?;
            match entry.row.role {
                Role::User => (entry.seq - 1, Some(entry)),
                Role::Assistant | Role::Tool | Role::System => (entry.seq, None),
            }
        }
        ForkFrom::End => (record.last_seq, None),
        ForkFrom::LastCompleted => {
            let last = open.map_or(record.last_seq, |open| open - 1);
            return Ok((last, None));
        }
    };
    match open {
        Some(open) if open <= last => Err(Error::RunActive(record.key.clone())),
        Some(_) | None => Ok((last, left_out)),
    }
}

/// The first row of what runs or waits.
fn first_open(conn: &Connection, session: i64, first: i64) -> Result<Option<i64>, Error> {
    let mut rows = conn.prepare_cached(
        "SELECT seq FROM entries WHERE session = ?1 AND seq >= ?2 AND run = ?3 ORDER BY seq LIMIT 1",
    )?;
    let mut open: Option<i64> = None;
    for (run, _) in turns::open_turns(conn, session)? {
        let seq: Option<i64> = rows
            .query_row(params![session, first, run.as_str()], |row| row.get(0))
            .optional()?;
        open = open.into_iter().chain(seq).min();
    }
    Ok(open)
}

fn copy(conn: &Connection, old: i64, new: i64, first: i64, last: i64) -> Result<(), Error> {
    let before = first - 1; // rows of a new session count from 1
    conn.prepare_cached(
        "INSERT INTO entries (rowid, session, seq, entry_id, role, content, timestamp, run, boundary, in_context, extra)
         SELECT (:new << 32) | (seq - :before), :new, seq - :before, entry_id, role, content, timestamp, run, boundary, in_context,
            CASE WHEN extra ->> '$.compacts' IS NULL THEN json_remove(extra, '$.usage')
                ELSE json_set(json_remove(extra, '$.usage'), '$.compacts', max(1, (extra ->> '$.compacts') - :before)) END
         FROM entries WHERE session = :old AND seq BETWEEN :first AND :last",
    )?
    .execute(named_params! { ":new": new, ":old": old, ":before": before, ":first": first, ":last": last })?;
    conn.prepare_cached(
        "INSERT INTO media_refs (media, session) SELECT media, ?2 FROM media_refs WHERE session = ?1 ON CONFLICT DO NOTHING",
    )?
    .execute([old, new])?;
    conn.prepare_cached(
        "UPDATE sessions SET last_seq = max(0, :last - :before),
            context_seq = coalesce((SELECT max(extra ->> '$.compacts') FROM entries WHERE session = :new), context_seq),
            derived_title = (SELECT derived_title FROM sessions WHERE id = :old),
            preview = (SELECT preview FROM sessions WHERE id = :old AND last_seq = :last),
            last_interaction_at = (SELECT max(timestamp) FROM entries WHERE session = :new)
         WHERE id = :new",
    )?
    .execute(named_params! { ":new": new, ":old": old, ":before": before, ":last": last })?;
    Ok(())
}
