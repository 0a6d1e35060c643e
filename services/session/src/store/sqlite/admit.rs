//! Taking a message: everything that must be true together, in one transaction.

use rusqlite::{Connection, OptionalExtension, params};

use super::super::{
    Aborted, Admission, Admitted, InboundKey, NewTurn, Origin, Reply, Target, Turn, TurnState,
};
use super::{entries, sessions, turns};
use crate::error::Error;
use crate::id::RunId;
use crate::queue::{DropPolicy, QueueMode};

/// How many quiet windows a message waits at most while others keep coming.
const QUIET_WINDOWS_MAX: i64 = 10;

pub(super) fn admit(conn: &Connection, admission: Admission) -> Result<Admitted, Error> {
    if let Some(known) = known(conn, &admission)? {
        return Ok(Admitted::Known(Box::new(known)));
    }
    let Admission {
        key,
        run,
        entry,
        queue,
        seed,
        inbound,
        now,
        ..
    } = &admission;

    let existing = sessions::find(conn, key)?;
    if let Some(expected) = &admission.expected_session
        && existing
            .as_ref()
            .is_none_or(|session| session.session_id != *expected)
    {
        return Err(Error::SessionMoved(key.clone()));
    }
    let session = sessions::ensure(conn, key, seed, *now)?;
    let target = match &admission.reply {
        Reply::Screens => None,
        Reply::To(target) => Some(target.clone()),
        Reply::SessionChat => {
            let chat = existing.as_ref().and_then(|session| session.target.clone());
            Some(chat.ok_or_else(|| Error::NoTarget(key.clone()))?)
        }
    };

    let gave_way = make_room(conn, session, &admission)?;
    let not_before = quiet_until(conn, session, &admission)?;
    let bytes = i64::try_from(entry.content.len()).unwrap_or(i64::MAX);
    conn.prepare_cached(
        "INSERT INTO turns (run, session, key, session_id, state, mode, target, fingerprint, model, thinking, timeout_ms,
            bytes, queued_at, not_before, traceparent)
         SELECT ?1, id, key, session_id, 'queued', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12 FROM sessions WHERE id = ?2",
    )?
    .execute(params![
        run.as_str(),
        session,
        queue.mode.word(),
        target.as_ref().map(json).transpose()?,
        admission.fingerprint,
        admission.model,
        admission.thinking,
        admission.timeout_ms,
        bytes,
        now,
        not_before,
        admission.traceparent,
    ])?;
    if let Some(InboundKey {
        channel,
        account,
        message,
    }) = inbound
    {
        conn.prepare_cached(
            "INSERT INTO inbound (channel, account, message, run, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![channel, account, message, run.as_str(), now])?;
    }
    if let Reply::To(target) = &admission.reply {
        conn.prepare_cached("UPDATE sessions SET target = ?2 WHERE id = ?1")?
            .execute(params![session, json(target)?])?;
    }
    conn.prepare_cached(
        "UPDATE sessions SET last_run = CASE WHEN active_run IS NULL THEN ?2 ELSE last_run END,
            status = CASE WHEN active_run IS NULL THEN 'queued' ELSE status END WHERE id = ?1",
    )?
    .execute(params![session, run.as_str()])?;

    let entry = entries::append(conn, session, admission.entry.clone())?;
    let turn = turns::find(conn, run)?.ok_or(Error::Unreadable("turn"))?;
    let session = sessions::by_id(conn, session)?;
    Ok(Admitted::New(Box::new(NewTurn {
        turn,
        entry,
        session,
        gave_way,
    })))
}

fn known(conn: &Connection, admission: &Admission) -> Result<Option<Turn>, Error> {
    if let Some(InboundKey {
        channel,
        account,
        message,
    }) = &admission.inbound
    {
        let run: Option<String> = conn
            .prepare_cached("SELECT run FROM inbound WHERE channel = ?1 AND account = ?2 AND message = ?3")?
            .query_row([channel, account, message], |row| row.get(0))
            .optional()?;
        return match run {
            Some(run) => turns::find(conn, &RunId::new(run)),
            None => Ok(None),
        };
    }
    match turns::find(conn, &admission.run)? {
        Some(turn) if turn.fingerprint == admission.fingerprint => Ok(Some(turn)),
        Some(_) => Err(Error::RequestConflict),
        None => Ok(None),
    }
}

/// Makes the queue short enough for one more.
fn make_room(conn: &Connection, session: i64, admission: &Admission) -> Result<Aborted, Error> {
    let Admission { key, queue, now, .. } = admission;
    if queue.mode == QueueMode::Interrupt {
        return turns::abort(conn, key, None, Origin::Interrupt, *now);
    }
    let mut queued: Vec<RunId> = turns::open_turns(conn, session)?
        .into_iter()
        .filter_map(|(run, state)| (state == TurnState::Queued).then_some(run))
        .collect();
    let mut gave_way = Aborted::default();
    while queued.len() >= usize::from(queue.cap) {
        match queue.drop {
            DropPolicy::New => return Err(Error::QueueFull { cap: queue.cap }),
            DropPolicy::Old => {
                let oldest = queued.remove(0);
                gave_way
                    .ended
                    .extend(turns::abort_queued(conn, &oldest, Origin::Interrupt, *now)?);
            }
        }
    }
    Ok(gave_way)
}

/// When the message may be answered. In `collect` mode each new message lengthens the wait of those before it, up to a
/// bound; a message that finds the session idle does not wait.
fn quiet_until(conn: &Connection, session: i64, admission: &Admission) -> Result<i64, Error> {
    let Admission { queue, now, .. } = admission;
    if queue.mode != QueueMode::Collect || turns::open_turns(conn, session)?.is_empty() {
        return Ok(*now);
    }
    let quiet = now + queue.quiet_ms;
    conn.prepare_cached(
        "UPDATE turns SET not_before = max(not_before, min(?2, queued_at + ?3))
         WHERE session = ?1 AND state = 'queued' AND mode = 'collect'",
    )?
    .execute([session, quiet, queue.quiet_ms * QUIET_WINDOWS_MAX])?;
    Ok(quiet)
}

fn json(target: &Target) -> Result<String, Error> {
    serde_json::to_string(target).map_err(|_| Error::Unreadable("target"))
}

/// The places of the keys that were never taken over.
pub(super) fn unknown(conn: &Connection, keys: &[InboundKey]) -> Result<Vec<u32>, Error> {
    let mut find =
        conn.prepare_cached("SELECT 1 FROM inbound WHERE channel = ?1 AND account = ?2 AND message = ?3")?;
    let mut unknown = Vec::new();
    for (place, key) in (0..).zip(keys) {
        if !find.exists(params![key.channel, key.account, key.message])? {
            unknown.push(place);
        }
    }
    Ok(unknown)
}
