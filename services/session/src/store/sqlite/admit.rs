//! Taking a message: everything that must be true together, in one transaction.

mod room;

use rusqlite::{Connection, OptionalExtension, named_params, params};

use super::super::{
    Aborted, Admission, Admitted, Aged, Answered, Entry, GatewayAnswer, InboundKey, Lease, NewEntry, NewTurn,
    Reply, Target, Task, Turn, TurnState,
};
use super::{entries, sessions, turns};
use crate::agents::ModelName;
use crate::error::Error;
use crate::id::RunId;
use crate::schedules::host_zone;
use crate::stop::StopReason;
use crate::thinking::Level;
use gatehouse_core::Timestamp;

pub(super) fn admit(
    conn: &Connection,
    admission: Admission,
    lease: Option<&Lease>,
) -> Result<Admitted, Error> {
    if let Some(known) = known(conn, &admission)? {
        return Ok(Admitted::Known(Box::new(known)));
    }
    let Admission { run, now, .. } = &admission;
    let (session, target) = place(conn, &admission)?;
    let open = turns::open_turns(conn, session)?;
    let boundary = if open.is_empty() {
        begin_anew(conn, session, &admission)?
    } else {
        None // somebody waits for an answer there
    };
    note_talk(conn, session, &admission)?;
    begin_transcript(conn, session, &admission)?;
    let gave_way = room::make_room(conn, session, &open, &admission)?;
    let idle = open.len() == gave_way.ended.len();
    let not_before = if idle {
        *now
    } else {
        room::quiet_until(conn, session, &admission)?
    };
    // Nothing that came before is overtaken.
    let begun = match lease {
        Some(lease) if idle && turns::next(conn, *now)?.is_none() => Some(lease),
        Some(_) | None => None,
    };
    insert(conn, &admission, session, target.as_ref(), begun, not_before)?;
    // Who says something on a screen has read what stands there.
    let reads = !matches!(admission.reply, Reply::To(_));
    if begun.is_some() {
        conn.prepare_cached(
            "UPDATE sessions SET active_run = ?2, last_run = ?2, status = 'running', started_at = ?3, ended_at = NULL,
                aborted_last_run = 0, expires_at = ?3 + keep_ms, last_read_at = iif(?4, ?3, last_read_at),
                marked_unread_at = iif(?4, NULL, marked_unread_at) WHERE id = ?1",
        )?
        .execute(params![session, run.as_str(), now, reads])?;
    } else {
        conn.prepare_cached(
            "UPDATE sessions SET last_run = CASE WHEN active_run IS NULL THEN ?2 ELSE last_run END,
                status = CASE WHEN active_run IS NULL THEN 'queued' ELSE status END,
                expires_at = ?3 + keep_ms, last_read_at = iif(?4, ?3, last_read_at),
                marked_unread_at = iif(?4, NULL, marked_unread_at) WHERE id = ?1",
        )?
        .execute(params![session, run.as_str(), now, reads])?;
    }

    let entry = entries::append(conn, session, admission.entry.clone())?;
    let turn = turns::find(conn, run)?.ok_or(Error::Unreadable("turn"))?;
    let session = sessions::by_id(conn, session)?;
    Ok(Admitted::New(Box::new(NewTurn {
        turn,
        entry,
        session,
        gave_way,
        boundary,
    })))
}

/// Begins a new transcript where the one before is over. Answers the row between them.
fn begin_anew(conn: &Connection, session: i64, admission: &Admission) -> Result<Option<Entry>, Error> {
    let Some(life) = admission.life.as_ref().filter(|life| !life.is_endless()) else {
        return Ok(None);
    };
    let record = sessions::by_id(conn, session)?;
    if record.last_seq < record.first_seq {
        return Ok(None);
    }
    let (begun_at, talked_at) = sessions::ages(conn, session)?;
    let aged = Aged {
        key: &record.key,
        channel: record.channel.as_deref(),
        chat: record.chat_type,
        begun_at,
        talked_at,
    };
    if !life.is_over(&aged, admission.now, &host_zone()) {
        return Ok(None);
    }
    let boundary = NewEntry::boundary("A new conversation: the one before was over", admission.now);
    let (_, boundary) = sessions::reset(conn, &record.key, boundary, None, admission.now)?;
    Ok(Some(boundary))
}

/// Notes that somebody said something.
fn note_talk(conn: &Connection, session: i64, admission: &Admission) -> Result<(), Error> {
    if admission.life.is_some() {
        conn.prepare_cached("UPDATE sessions SET talked_at = ?2 WHERE id = ?1")?
            .execute(params![session, admission.now])?;
    }
    Ok(())
}

/// Takes a message together with its answer: its turn is over as it begins.
pub(super) fn answer(
    conn: &Connection,
    admission: Admission,
    answer: GatewayAnswer,
) -> Result<Answered, Error> {
    let GatewayAnswer {
        change,
        entry: answer,
        reply,
    } = answer;
    if let Some(known) = known(conn, &admission)? {
        return Ok(Answered::Known(Box::new(known)));
    }
    let Admission { run, now, .. } = &admission;
    let (session, target) = place(conn, &admission)?;
    if let Some(change) = &change {
        sessions::apply(conn, session, change, *now)?;
    }
    insert(conn, &admission, session, target.as_ref(), None, *now)?;
    let entry = entries::append(conn, session, admission.entry.clone())?;
    let turn = turns::find(conn, run)?.ok_or(Error::Unreadable("turn"))?;
    let new = NewTurn {
        turn,
        entry,
        session: sessions::by_id(conn, session)?,
        gave_way: Aborted::default(),
        boundary: None,
    };
    let end = turns::End {
        entry: Some(answer),
        reply: Some(reply),
        stop_reason: Some(StopReason::Stop),
        ..turns::End::new(TurnState::Done, *now)
    };
    let ended = turns::finish_as(conn, run, &turns::Guard::Queued, end)?.ok_or(Error::Unreadable("turn"))?;
    Ok(Answered::New(Box::new((new, ended))))
}

/// The session of a message, made when there is none, and where its answer goes.
fn place(conn: &Connection, admission: &Admission) -> Result<(i64, Option<Target>), Error> {
    let Admission { key, seed, now, .. } = admission;
    let existing = sessions::find(conn, key)?;
    if let Some(expected) = &admission.expected_session {
        let is_of_it = match &existing {
            Some(session) => sessions::had(conn, session, expected)?,
            None => false,
        };
        if !is_of_it {
            return Err(Error::SessionMoved(key.clone()));
        }
    }
    if let Some(session) = &existing {
        admission.viewer.check(session)?;
    }
    let session = sessions::ensure(conn, key, seed, *now)?;
    let is_made = existing.is_none() || admission.brought.is_forked;
    if is_made && admission.brought.keep_ms.is_some() {
        conn.prepare_cached("UPDATE sessions SET keep_ms = ?2 WHERE id = ?1")?
            .execute(params![session, admission.brought.keep_ms])?;
    }
    let target = match &admission.reply {
        Reply::Clients => None,
        Reply::To(target) => Some(target.clone()),
        Reply::SessionChat => {
            let chat = existing.as_ref().and_then(|session| session.target.clone());
            Some(chat.ok_or_else(|| Error::NoTarget(key.clone()))?)
        }
    };
    Ok((session, target))
}

/// A conversation that was held elsewhere becomes the beginning of a transcript that is empty, or goes on with one.
fn begin_transcript(conn: &Connection, session: i64, admission: &Admission) -> Result<(), Error> {
    let before = &admission.brought.before;
    if before.is_empty() {
        return Ok(());
    }
    let record = sessions::by_id(conn, session)?;
    if admission.brought.goes_on || record.last_seq < record.first_seq {
        for row in before {
            entries::append(conn, session, row.clone())?;
        }
    }
    Ok(())
}

/// The rows of a turn that is new: it runs when somebody holds it, and waits otherwise.
fn insert(
    conn: &Connection,
    admission: &Admission,
    session: i64,
    target: Option<&Target>,
    begun: Option<&Lease>,
    not_before: Timestamp,
) -> Result<(), Error> {
    let Admission {
        run,
        entry,
        queue,
        inbound,
        now,
        ..
    } = admission;
    let state = if begun.is_some() {
        TurnState::Running
    } else {
        TurnState::Queued
    };
    let bytes = i64::try_from(entry.content.len()).unwrap_or(i64::MAX);
    conn.prepare_cached(
        "INSERT INTO turns (run, session, key, session_id, state, mode, target, fingerprint, model, thinking, timeout_ms,
            bytes, queued_at, not_before, traceparent, task, program, sender, owner, lease_until, attempt, started_at)
         SELECT :run, id, key, session_id, :state, :mode, :target, :fingerprint, :model, :thinking, :timeout,
            :bytes, :now, :not_before, :trace, :task, :program, :sender, :owner, :until, :owner IS NOT NULL, iif(:owner IS NULL, NULL, :now)
         FROM sessions WHERE id = :session",
    )?
    .execute(named_params! {
        ":run": run.as_str(), ":session": session, ":state": state.word(), ":mode": queue.mode.word(),
        ":target": target.map(json).transpose()?, ":fingerprint": admission.fingerprint,
        ":model": admission.model.as_ref().map(ModelName::as_str), ":thinking": admission.thinking.as_ref().map(Level::as_str), ":timeout": admission.timeout_ms,
        ":bytes": bytes, ":now": now, ":not_before": not_before, ":trace": admission.trace.to_string(),
        ":task": admission.task.map(Task::word), ":program": admission.brought.program,
        ":sender": admission.sender,
        ":owner": begun.map(|lease| lease.owner.as_str()), ":until": begun.map(|lease| lease.until),
    })?;
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
    Ok(())
}

pub(super) fn known(conn: &Connection, admission: &Admission) -> Result<Option<Turn>, Error> {
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
