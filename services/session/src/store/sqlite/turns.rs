//! The rows of turns, and the only function that ends one.

use gatehouse_core::{Content, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::super::{
    Aborted, Claimed, Depths, Ended, Finish, Hold, Lease, NewEntry, Origin, Outlook, Target, Task, Tokens,
    Turn, TurnState,
};
pub(super) use super::rows::{open_turns, trace_of};
use super::{MERGE_BYTES_MAX, deliveries, entries, sessions};
use crate::agents::ModelName;
use crate::error::Error;
use crate::id::{Owner, RunId, SessionId};
use crate::key::SessionKey;
use crate::stop::StopReason;
use crate::thinking::Level;
use crate::turns::queue::QueueMode;

pub(super) fn find(conn: &Connection, run: &RunId) -> Result<Option<Turn>, Error> {
    let mut statement = conn.prepare_cached("SELECT * FROM turns WHERE run = ?1")?;
    Ok(statement.query_row([run.as_str()], turn).optional()?)
}

pub(super) fn get(conn: &Connection, run: &RunId) -> Result<Turn, Error> {
    find(conn, run)?.ok_or_else(|| Error::NoRun(run.to_string()))
}

/// The turn that is to begin next: the first to come of those that are due, each of a session in which none runs.
pub(super) fn next(conn: &Connection, now: Timestamp) -> Result<Option<(i64, i64)>, Error> {
    let mut statement = conn.prepare_cached(
        "SELECT t.id, t.session FROM turns t INDEXED BY turns_waiting WHERE t.state = 'queued'
            AND (t.not_before <= ?1 OR t.queued_at > ?1) -- taken in the future: the clock was set back since
            AND NOT EXISTS (SELECT 1 FROM turns o WHERE o.session = t.session AND o.state = 'queued' AND o.id < t.id)
            AND NOT EXISTS (SELECT 1 FROM turns a WHERE a.session = t.session AND a.state IN ('leased', 'running'))
         ORDER BY t.id LIMIT 1 -- scans: the index holds what waits, and nothing of the past",
    )?;
    let next = statement.query_row([now], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(next.optional()?)
}

pub(super) fn claim(conn: &Connection, lease: &Lease, now: Timestamp) -> Result<Option<Claimed>, Error> {
    let Some((id, session)) = next(conn, now)? else {
        return Ok(None);
    };
    let turn = conn
        .prepare_cached(
            "UPDATE turns SET state = 'running', owner = ?2, lease_until = ?3, attempt = attempt + 1,
                started_at = coalesce(started_at, ?4)
             WHERE id = ?1 RETURNING *",
        )?
        .query_row(params![id, lease.owner.as_str(), lease.until, now], turn)?;
    conn.prepare_cached(
        "UPDATE sessions SET active_run = ?2, last_run = ?2, status = 'running', started_at = ?3, ended_at = NULL,
            aborted_last_run = 0, updated_at = max(updated_at, ?3)
         WHERE id = ?1",
    )?
    .execute(params![session, turn.run.as_str(), now])?;
    let merged = if turn.mode == QueueMode::Collect {
        merge(conn, session, &turn, now)?
    } else {
        Vec::new()
    };
    let session = sessions::by_id(conn, session)?;
    Ok(Some(Claimed {
        turn,
        session,
        merged,
    }))
}

/// Ends the turns that wait directly behind this one and want the same: their messages are answered by it.
fn merge(conn: &Connection, session: i64, head: &Turn, now: Timestamp) -> Result<Vec<Ended>, Error> {
    let mut statement = conn.prepare_cached(
        "SELECT run, bytes, (SELECT bytes FROM turns WHERE run = ?2) FROM turns
         WHERE session = ?1 AND state = 'queued' ORDER BY id",
    )?;
    let waiting = statement
        .query_map(params![session, head.run.as_str()], |row| {
            Ok((
                RunId::new(row.get::<_, String>(0)?),
                row.get::<_, i64>(1)?,
                row.get::<_, i64>(2)?,
            ))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    let mut merged = Vec::new();
    let mut total = waiting.first().map_or(0, |(_, _, head)| *head);
    for (run, bytes, _) in waiting {
        let next = get(conn, &run)?;
        total += bytes;
        if total > MERGE_BYTES_MAX || !wants_the_same(head, &next, QueueMode::Collect) {
            break;
        }
        let end = End {
            merged_into: Some(head.run.clone()),
            ..End::new(TurnState::Done, now)
        };
        merged.extend(finish_as(conn, &run, &Guard::Queued, end)?);
    }
    Ok(merged)
}

/// What waits in a session, in order, with the bytes of each message.
pub(super) fn waiting(conn: &Connection, session: i64) -> Result<Vec<(RunId, i64)>, Error> {
    let mut statement = conn
        .prepare_cached("SELECT run, bytes FROM turns WHERE session = ?1 AND state = 'queued' ORDER BY id")?;
    let rows = statement.query_map([session], |row| {
        Ok((RunId::new(row.get::<_, String>(0)?), row.get(1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether one answer can serve both, the second of which came in this mode. Never across chats: a reply goes to the chat that
/// asked. Nor across people: it answers the message of one, and what he may have done is not what another may.
pub(super) fn wants_the_same(a: &Turn, b: &Turn, mode: QueueMode) -> bool {
    let same_chat = match (&a.target, &b.target) {
        (None, None) => true,
        (Some(a), Some(b)) => a.same_chat(b),
        (None, Some(_)) | (Some(_), None) => false,
    };
    same_chat
        && a.sender == b.sender
        && b.mode == mode
        && a.session_id == b.session_id
        && a.model == b.model
        && a.thinking == b.thinking
        && a.timeout_ms == b.timeout_ms
        && a.task.is_none()
        && b.task.is_none()
}

pub(super) fn outlook(conn: &Connection, held: &[RunId], now: Timestamp) -> Result<Outlook, Error> {
    // Turns that were taken in the future are due: see `next`.
    let (waiting, next_due) = conn
        .prepare_cached(
            "SELECT count(*) > 0, min(CASE WHEN not_before > ?1 AND queued_at <= ?1 THEN not_before END)
             FROM turns INDEXED BY turns_waiting WHERE state = 'queued'
             -- scans: the index holds what waits, and nothing of the past",
        )?
        .query_row([now], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut leased = conn.prepare_cached(
        "SELECT run FROM turns INDEXED BY turns_active WHERE state IN ('leased', 'running')
         -- scans: the index holds what runs, and nothing of the past",
    )?;
    let leased = leased
        .query_map([], |row| Ok(RunId::new(row.get::<_, String>(0)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Outlook {
        waiting,
        next_due,
        leased_elsewhere: leased.iter().any(|run| !held.contains(run)),
    })
}

/// What waits and runs, for the metrics.
pub(super) fn depths(conn: &Connection) -> Result<Depths, Error> {
    let (turns_waiting, oldest_turn) = conn
        .prepare_cached(
            "SELECT count(*), min(queued_at) FROM turns INDEXED BY turns_waiting WHERE state = 'queued'
             -- scans: the index holds what waits, and nothing of the past",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let turns_running = conn
        .prepare_cached(
            "SELECT count(*) FROM turns INDEXED BY turns_active WHERE state IN ('leased', 'running')
             -- scans: the index holds what runs, and nothing of the past",
        )?
        .query_row([], |row| row.get(0))?;
    let (replies_waiting, oldest_reply) = conn
        .prepare_cached(
            "SELECT count(*), min(created_at) FROM deliveries INDEXED BY deliveries_waiting WHERE state = 'waiting'
             -- scans: the index holds what waits, and nothing of the past",
        )?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Depths {
        turns_waiting,
        turns_running,
        oldest_turn,
        replies_waiting,
        oldest_reply,
    })
}

pub(super) fn renew(
    conn: &Connection,
    run: &RunId,
    owner: &Owner,
    lease_until: Timestamp,
) -> Result<Hold, Error> {
    conn.prepare_cached(
        "UPDATE turns SET lease_until = ?3 WHERE run = ?1 AND owner = ?2 AND state IN ('leased', 'running')",
    )?
    .execute(params![run.as_str(), owner.as_str(), lease_until])?;
    hold(conn, run, owner)
}

pub(super) fn hold(conn: &Connection, run: &RunId, owner: &Owner) -> Result<Hold, Error> {
    let Some(turn) = find(conn, run)? else {
        return Ok(Hold::Lost);
    };
    if turn.state.is_terminal() || turn.owner.as_ref() != Some(owner) {
        return Ok(Hold::Lost);
    }
    Ok(turn.abort.map_or(Hold::Held, Hold::Stop))
}

pub(super) fn finish(conn: &Connection, finish: Finish) -> Result<Option<Ended>, Error> {
    let Finish {
        run,
        owner,
        state,
        summary,
        entry,
        reply,
        stop_reason,
        error,
        usage,
        answered_by,
        now,
    } = finish;
    let end = End {
        summary,
        entry,
        reply,
        stop_reason,
        error,
        usage,
        answered_by,
        ..End::new(state, now)
    };
    finish_as(conn, &run, &Guard::Owner(&owner), end)
}

pub(super) fn abort(
    conn: &Connection,
    key: &SessionKey,
    run: Option<&RunId>,
    origin: Origin,
    now: Timestamp,
) -> Result<Aborted, Error> {
    abort_those(conn, key, origin, now, |other| {
        Ok(run.is_none_or(|run| run == other))
    })
}

/// The turns whose answers go to this chat: others of the session, asked elsewhere, go on.
pub(super) fn abort_in_chat(
    conn: &Connection,
    key: &SessionKey,
    chat: &Target,
    origin: Origin,
    now: Timestamp,
) -> Result<Aborted, Error> {
    abort_those(conn, key, origin, now, |run| {
        let target = find(conn, run)?.and_then(|turn| turn.target);
        Ok(target.is_some_and(|target| target.same_chat(chat)))
    })
}

fn abort_those(
    conn: &Connection,
    key: &SessionKey,
    origin: Origin,
    now: Timestamp,
    meant: impl Fn(&RunId) -> Result<bool, Error>,
) -> Result<Aborted, Error> {
    let Some(session) = sessions::id_of(conn, key)? else {
        return Ok(Aborted::default());
    };
    let open = open_turns(conn, session)?;
    let mut aborted = Aborted::default();
    for (other, state) in open {
        if !meant(&other)? {
            continue;
        }
        if state == TurnState::Queued {
            aborted.ended.extend(abort_queued(conn, &other, origin, now)?);
        } else {
            conn.prepare_cached("UPDATE turns SET abort_origin = coalesce(abort_origin, ?2) WHERE run = ?1")?
                .execute(params![other.as_str(), origin.word()])?;
            aborted.asked.push(other);
        }
    }
    Ok(aborted)
}

pub(super) fn abort_queued(
    conn: &Connection,
    run: &RunId,
    origin: Origin,
    now: Timestamp,
) -> Result<Option<Ended>, Error> {
    let end = End {
        stop_reason: Some(origin.into()),
        abort: Some(origin),
        ..End::new(TurnState::Aborted, now)
    };
    finish_as(conn, run, &Guard::Queued, end)
}

/// In which state a turn must be to be ended.
#[derive(Debug)]
pub(super) enum Guard<'a> {
    Queued,
    /// Leased or running, by this owner.
    Owner(&'a Owner),
    /// Leased or running, whoever the owner is: it is dead.
    AnyOwner,
}

/// How a turn ends, inside the store.
#[derive(Debug)]
pub(super) struct End {
    pub(super) state: TurnState,
    /// Stands before the entry.
    pub(super) summary: Option<NewEntry>,
    pub(super) entry: Option<NewEntry>,
    pub(super) reply: Option<Content>,
    pub(super) stop_reason: Option<StopReason>,
    pub(super) error: Option<String>,
    pub(super) usage: Option<Tokens>,
    pub(super) answered_by: Option<(String, String)>,
    pub(super) abort: Option<Origin>,
    pub(super) merged_into: Option<RunId>,
    pub(super) now: Timestamp,
}

impl End {
    pub(super) fn new(state: TurnState, now: Timestamp) -> Self {
        Self {
            state,
            summary: None,
            entry: None,
            reply: None,
            stop_reason: None,
            error: None,
            usage: None,
            answered_by: None,
            abort: None,
            merged_into: None,
            now,
        }
    }
}

/// S2: the one way out of the open states. Answers `None` when the turn is not, or no longer, as the guard wants it.
pub(super) fn finish_as(
    conn: &Connection,
    run: &RunId,
    guard: &Guard<'_>,
    end: End,
) -> Result<Option<Ended>, Error> {
    let guarded = match guard {
        Guard::Queued => "state = 'queued' AND :owner IS NULL",
        Guard::Owner(_) => "state IN ('leased', 'running') AND owner = :owner",
        Guard::AnyOwner => "state IN ('leased', 'running') AND :owner IS NULL",
    };
    let owner = match guard {
        Guard::Owner(owner) => Some(owner.as_str()),
        Guard::Queued | Guard::AnyOwner => None,
    };
    let changed = conn
        .prepare_cached(&format!(
            "UPDATE turns SET state = :state, lease_until = NULL, ended_at = :now, stop_reason = :stop, error = :error,
                abort_origin = coalesce(abort_origin, :abort), merged_into = :merged WHERE run = :run AND {guarded}"
        ))?
        .execute(named_params! {
            ":state": end.state.word(), ":now": end.now, ":stop": end.stop_reason.as_ref().map(StopReason::word), ":error": end.error,
            ":abort": end.abort.map(Origin::word), ":merged": end.merged_into.as_ref().map(RunId::as_str),
            ":run": run.as_str(), ":owner": owner,
        })?;
    if changed == 0 {
        return Ok(None);
    }
    let mut turn = get(conn, run)?;
    let Some(session) = sessions::id_of(conn, &turn.key)? else {
        return Ok(Some(Ended {
            turn,
            summary: None,
            entry: None,
            session: None,
        }));
    };
    settle_session(conn, session, run, &end)?;
    let same_transcript = sessions::by_id(conn, session)?.session_id == turn.session_id;
    // What belongs to a transcript that was left behind is not said into the new one.
    let append = |entry: Option<NewEntry>| {
        let entry = entry.filter(|_| same_transcript);
        entry
            .map(|entry| entries::append(conn, session, entry))
            .transpose()
    };
    let summary = append(end.summary)?;
    let entry = append(end.entry)?;
    if let Some(entry) = &entry {
        conn.prepare_cached("UPDATE turns SET answer_seq = ?2 WHERE run = ?1")?
            .execute(params![run.as_str(), entry.seq])?;
        turn.answer_seq = Some(entry.seq);
    }
    if let (Some(content), Some(target)) = (end.reply, &turn.target) {
        deliveries::add(conn, &turn, target, content, end.now)?;
    }
    let session = Some(sessions::by_id(conn, session)?);
    Ok(Some(Ended {
        turn,
        summary,
        entry,
        session,
    }))
}

/// Keeps the session's row in step with the end of a turn. While another turn runs, that one is the news.
fn settle_session(conn: &Connection, session: i64, run: &RunId, end: &End) -> Result<(), Error> {
    let usage = end.usage.unwrap_or_default();
    conn.prepare_cached(
        "UPDATE sessions SET
            status = CASE WHEN active_run IS NULL OR active_run = :run THEN :status ELSE status END,
            ended_at = CASE WHEN active_run IS NULL OR active_run = :run THEN :now ELSE ended_at END,
            aborted_last_run = CASE WHEN active_run IS NULL OR active_run = :run THEN :aborted ELSE aborted_last_run END,
            active_run = CASE WHEN active_run = :run THEN NULL ELSE active_run END,
            answered_provider = coalesce(:provider, answered_provider), answered_model = coalesce(:model, answered_model),
            input_tokens = input_tokens + :input, output_tokens = output_tokens + :output,
            last_activity_at = CASE WHEN :status = 'done' THEN :now ELSE last_activity_at END,
            updated_at = max(updated_at, :now)
         WHERE id = :id",
    )?
    .execute(named_params! {
        ":run": run.as_str(), ":status": end.state.session_status().word(), ":now": end.now,
        ":aborted": end.state == TurnState::Aborted,
        ":provider": end.answered_by.as_ref().map(|(provider, _)| provider),
        ":model": end.answered_by.as_ref().map(|(_, model)| model),
        ":input": usage.input, ":output": usage.output, ":id": session,
    })?;
    Ok(())
}

pub(super) fn turn(row: &Row<'_>) -> rusqlite::Result<Turn> {
    let state: String = row.get("state")?;
    let mode: String = row.get("mode")?;
    let target: Option<String> = row.get("target")?;
    let abort: Option<String> = row.get("abort_origin")?;
    Ok(Turn {
        run: RunId::new(row.get::<_, String>("run")?),
        key: SessionKey::stored(row.get("key")?),
        session_id: SessionId::new(row.get::<_, String>("session_id")?),
        state: TurnState::parse(&state).unwrap_or(TurnState::Failed),
        owner: row.get::<_, Option<String>>("owner")?.map(Owner::new),
        lease_until: row.get("lease_until")?,
        shown: row.get("visible")?,
        effects: row.get("effects")?,
        attempt: row.get("attempt")?,
        mode: QueueMode::parse(&mode).unwrap_or_default(),
        target: target.and_then(|target| serde_json::from_str::<Target>(&target).ok()),
        sender: row.get("sender")?,
        fingerprint: row.get("fingerprint")?,
        model: row.get::<_, Option<String>>("model")?.map(ModelName::known),
        thinking: row.get::<_, Option<String>>("thinking")?.map(Level::known),
        timeout_ms: row.get("timeout_ms")?,
        queued_at: row.get("queued_at")?,
        started_at: row.get("started_at")?,
        ended_at: row.get("ended_at")?,
        stop_reason: row.get::<_, Option<String>>("stop_reason")?.map(StopReason::from),
        error: row.get("error")?,
        abort: abort.as_deref().and_then(Origin::parse),
        merged_into: row.get::<_, Option<String>>("merged_into")?.map(RunId::new),
        task: row
            .get::<_, Option<String>>("task")?
            .as_deref()
            .and_then(Task::parse),
        program: row.get("program")?,
        answer_seq: row.get("answer_seq")?,
        trace: trace_of(row)?,
    })
}
