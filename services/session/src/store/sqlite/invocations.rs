//! What nodes were asked for.

use rusqlite::{Connection, OptionalExtension, Row, Rows, params};

use crate::error::Error;
use crate::media::{MediaId, MediaRow};
use crate::nodes::store::{HISTORY_MAX, KEPT_RESULT_BYTES_MAX, WAITING_MAX};
use crate::nodes::{
    Asker, Begun, End, Expired, InvocationRecord, NewInvocation, NodeId, Payload, Settled, State, Trouble,
    Waiting,
};
use gatehouse_core::Timestamp;

/// Rows that one call forgets of each kind, so that the writer is not held up.
const FORGOTTEN_MAX: u32 = 2_000;

pub(super) fn begin(conn: &Connection, new: &NewInvocation) -> Result<Begun, Error> {
    if let Some(known) = known(conn, &new.node, &new.asker, &new.key)? {
        return Ok(Begun::Known(Box::new(known)));
    }
    let waits = new.expires_at.is_some();
    if waits && waiting_count(conn, &new.node, false)? >= WAITING_MAX {
        return Ok(Begun::Full);
    }
    let state = if waits { State::Queued } else { State::Running };
    conn.prepare_cached(
        "INSERT INTO node_invocations (id, node, command, key, fingerprint, client, device, state, params, session_key,
            timeout_ms, created_at, started_at, expires_at, user)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?
    .execute(params![
        new.id,
        new.node.as_str(),
        new.command,
        new.key,
        new.fingerprint,
        new.asker.client,
        new.asker.device,
        state.word(),
        new.params.as_ref().filter(|_| waits),
        new.session_key,
        new.timeout_ms,
        new.now,
        (!waits).then_some(new.now),
        new.expires_at,
        new.asker.user,
    ])?;
    Ok(Begun::New)
}

fn waiting_count(conn: &Connection, node: &NodeId, foreground: bool) -> Result<u32, Error> {
    let mut statement = conn.prepare_cached(
        "SELECT count(*) FROM node_invocations INDEXED BY node_invocations_waiting
         WHERE state = 'queued' AND node = ?1 AND foreground = ?2",
    )?;
    Ok(statement.query_row(params![node.as_str(), foreground], |row| row.get(0))?)
}

pub(super) fn known(
    conn: &Connection,
    node: &NodeId,
    asker: &Asker,
    key: &str,
) -> Result<Option<InvocationRecord>, Error> {
    let [client, device, user] =
        [&asker.client, &asker.device, &asker.user].map(|part| part.as_deref().unwrap_or_default());
    conn.prepare_cached(
        "SELECT * FROM node_invocations WHERE node = ?1 AND key = ?2
            AND ifnull(client, '') = ?3 AND ifnull(device, '') = ?4 AND ifnull(user, '') = ?5",
    )?
    .query_row([node.as_str(), key, client, device, user], |row| Ok(record(row)))
    .optional()?
    .transpose()
}

pub(super) fn start(conn: &Connection, id: &str, now: Timestamp) -> Result<bool, Error> {
    let changed = conn
        .prepare_cached(
            "UPDATE node_invocations SET state = 'running', started_at = ?2, params = NULL
             WHERE id = ?1 AND state = 'queued' AND foreground = 0",
        )?
        .execute(params![id, now])?;
    Ok(changed > 0)
}

pub(super) fn put_off(
    conn: &Connection,
    id: &str,
    given: Option<&str>,
    expires_at: Timestamp,
) -> Result<bool, Error> {
    let node: Option<String> = conn
        .prepare_cached("SELECT node FROM node_invocations WHERE id = ?1 AND state = 'running'")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    let Some(node) = node else { return Ok(false) };
    if waiting_count(conn, &NodeId::new(node), true)? >= WAITING_MAX {
        return Ok(false);
    }
    conn.prepare_cached(
        "UPDATE node_invocations SET state = 'queued', foreground = 1, params = ?2, expires_at = ?3 WHERE id = ?1",
    )?
    .execute(params![id, given, expires_at])?;
    Ok(true)
}

pub(super) fn end(conn: &Connection, id: &str, end: &End, now: Timestamp) -> Result<bool, Error> {
    let End {
        state,
        payload,
        media,
        trouble,
    } = end;
    let kept = *state == State::Ok && payload.bytes() <= KEPT_RESULT_BYTES_MAX;
    let changed = conn
        .prepare_cached(
            "UPDATE node_invocations SET state = ?2, ended_at = ?3, params = NULL, has_result = ?4, result = ?5,
                result_text = ?6, error_code = ?7, error_message = ?8
             WHERE id = ?1 AND state IN ('queued', 'running')",
        )?
        .execute(params![
            id,
            state.word(),
            now,
            kept,
            payload.json.as_ref().filter(|_| kept),
            payload.text.as_ref().filter(|_| kept),
            trouble.as_ref().map(|trouble| &trouble.code),
            trouble.as_ref().map(|trouble| &trouble.message),
        ])?;
    if changed > 0 {
        for (position, medium) in media.iter().enumerate() {
            conn.prepare_cached(
                "INSERT INTO node_invocation_media (invocation, position, media)
                 SELECT n, ?2, ?3 FROM node_invocations WHERE id = ?1",
            )?
            .execute(params![
                id,
                i64::try_from(position).unwrap_or(i64::MAX),
                medium.as_str()
            ])?;
        }
    }
    Ok(changed > 0)
}

/// Ends all that a node was asked for: it is no node any more.
pub(super) fn end_of_node(conn: &Connection, node: &NodeId, now: Timestamp) -> Result<Vec<Settled>, Error> {
    let mut statement = conn.prepare_cached(
        "UPDATE node_invocations SET state = iif(state = 'queued', 'error', 'lost'), ended_at = ?2, params = NULL,
            error_code = 'NODE_REMOVED', error_message = 'the node was removed'
         WHERE node = ?1 AND state IN ('queued', 'running')
         RETURNING id, node, command, state",
    )?;
    settled(statement.query(params![node.as_str(), now])?)
}

/// The rows that a statement ended.
fn settled(mut rows: Rows<'_>) -> Result<Vec<Settled>, Error> {
    let mut settled = Vec::new();
    while let Some(row) = rows.next()? {
        let state: String = row.get("state")?;
        settled.push(Settled {
            id: row.get("id")?,
            node: NodeId::new(row.get::<_, String>("node")?),
            command: row.get("command")?,
            state: State::parse(&state).ok_or(Error::Unreadable("invocation"))?,
        });
    }
    Ok(settled)
}

/// How many run, and how many wait.
pub(super) fn under_way(conn: &Connection) -> Result<(u64, u64), Error> {
    let running: i64 = conn
        .prepare_cached(
            "SELECT count(*) FROM node_invocations INDEXED BY node_invocations_running WHERE state = 'running'
             -- scans: the index holds what runs, and nothing of the past",
        )?
        .query_row([], |row| row.get(0))?;
    let waiting: i64 = conn
        .prepare_cached(
            "SELECT count(*) FROM node_invocations INDEXED BY node_invocations_expiring WHERE state = 'queued'
             -- scans: the index holds what waits, and nothing of the past",
        )?
        .query_row([], |row| row.get(0))?;
    Ok((running.unsigned_abs(), waiting.unsigned_abs()))
}

pub(super) fn waiting(
    conn: &Connection,
    node: &NodeId,
    foreground: bool,
    now: Timestamp,
) -> Result<Vec<Waiting>, Error> {
    let mut statement = conn.prepare_cached(
        "SELECT * FROM node_invocations INDEXED BY node_invocations_waiting
         WHERE state = 'queued' AND node = ?1 AND foreground = ?2 AND expires_at > ?3 ORDER BY n LIMIT ?4",
    )?;
    let waiting = statement.query_map(params![node.as_str(), foreground, now, WAITING_MAX], |row| {
        Ok(Waiting {
            id: row.get("id")?,
            asker: asker(row)?,
            command: row.get("command")?,
            params: row.get("params")?,
            timeout_ms: row.get("timeout_ms")?,
            key: row.get("key")?,
            fingerprint: row.get("fingerprint")?,
            session_key: row.get("session_key")?,
            created_at: row.get("created_at")?,
        })
    })?;
    Ok(waiting.collect::<Result<_, _>>()?)
}

pub(super) fn expire(conn: &Connection, now: Timestamp) -> Result<Expired, Error> {
    let mut statement = conn.prepare_cached(
        "UPDATE node_invocations INDEXED BY node_invocations_expiring SET state = 'timeout', ended_at = ?1, params = NULL,
            error_code = 'EXPIRED', error_message = 'the node did not come in time'
         WHERE state = 'queued' AND expires_at <= ?1
         RETURNING id, node, command, state",
    )?;
    let ended = settled(statement.query([now])?)?;
    let mut statement = conn.prepare_cached(
        "SELECT min(expires_at) FROM node_invocations INDEXED BY node_invocations_expiring WHERE state = 'queued'
         -- scans: the first of an index that holds what waits",
    )?;
    let next = statement.query_row([], |row| row.get(0))?;
    Ok(Expired { ended, next })
}

pub(super) fn lose(conn: &Connection, now: Timestamp) -> Result<Vec<Settled>, Error> {
    let mut statement = conn.prepare_cached(
        "UPDATE node_invocations INDEXED BY node_invocations_running SET state = 'lost', ended_at = ?1,
                error_code = 'DISCONNECTED', error_message = 'the gateway was restarted meanwhile'
             WHERE state = 'running'
             RETURNING id, node, command, state
             -- scans: the index holds what runs, and nothing of the past",
    )?;
    settled(statement.query([now])?)
}

pub(super) fn newest(
    conn: &Connection,
    node: Option<&NodeId>,
    limit: u32,
) -> Result<Vec<InvocationRecord>, Error> {
    let read = |row: &Row<'_>| Ok(record(row));
    let records: Vec<Result<InvocationRecord, Error>> = match node {
        Some(node) => conn
            .prepare_cached("SELECT * FROM node_invocations WHERE node = ?1 ORDER BY n DESC LIMIT ?2")?
            .query_map(params![node.as_str(), limit], read)?
            .collect::<Result<_, _>>()?,
        None => conn
            .prepare_cached(
                "SELECT * FROM node_invocations ORDER BY n DESC LIMIT ?1 -- scans: the newest of the table's own order",
            )?
            .query_map([limit], read)?
            .collect::<Result<_, _>>()?,
    };
    let mut records: Vec<InvocationRecord> = records.into_iter().collect::<Result<_, _>>()?;
    for record in &mut records {
        record.media = media_of(conn, &record.id)?;
    }
    Ok(records)
}

/// What an invocation's result held that is seen or heard.
fn media_of(conn: &Connection, id: &str) -> Result<Vec<MediaRow>, Error> {
    let mut statement = conn.prepare_cached(
        "SELECT m.id, m.mime_type, m.bytes, m.kept_at FROM node_invocations i
            JOIN node_invocation_media r ON r.invocation = i.n JOIN media m ON m.id = r.media
         WHERE i.id = ?1 ORDER BY r.position",
    )?;
    let media = statement.query_map([id], |row| {
        Ok(MediaRow {
            id: MediaId::stored(row.get(0)?),
            mime_type: row.get(1)?,
            bytes: row.get(2)?,
            kept_at: row.get(3)?,
        })
    })?;
    Ok(media.collect::<Result<_, _>>()?)
}

pub(super) fn forget(conn: &Connection, results_before: Timestamp, before: Timestamp) -> Result<u64, Error> {
    conn.prepare_cached(
        "UPDATE node_invocations SET has_result = 0, result = NULL, result_text = NULL WHERE n IN
            (SELECT n FROM node_invocations INDEXED BY node_invocations_with_result
             WHERE has_result = 1 AND ended_at < ?1 LIMIT ?2)",
    )?
    .execute(params![results_before, FORGOTTEN_MAX])?;
    let old = conn
        .prepare_cached(
            "DELETE FROM node_invocations WHERE n IN
                (SELECT n FROM node_invocations INDEXED BY node_invocations_ended WHERE ended_at < ?1 LIMIT ?2)",
        )?
        .execute(params![before, FORGOTTEN_MAX])?;
    let newest: Option<i64> = conn
        .prepare_cached("SELECT max(n) FROM node_invocations")?
        .query_row([], |row| row.get(0))?;
    let oldest_kept = newest.unwrap_or(0) - i64::from(HISTORY_MAX);
    let many = conn
        .prepare_cached(
            "DELETE FROM node_invocations WHERE n IN
                (SELECT n FROM node_invocations WHERE n <= ?1 AND ended_at IS NOT NULL LIMIT ?2)",
        )?
        .execute(params![oldest_kept, FORGOTTEN_MAX])?;
    Ok(u64::try_from(old + many).unwrap_or(u64::MAX))
}

fn asker(row: &Row<'_>) -> rusqlite::Result<Asker> {
    Ok(Asker {
        client: row.get("client")?,
        device: row.get("device")?,
        user: row.get("user")?,
    })
}

fn record(row: &Row<'_>) -> Result<InvocationRecord, Error> {
    let state: String = row.get("state")?;
    let (code, message): (Option<String>, Option<String>) =
        (row.get("error_code")?, row.get("error_message")?);
    let has_result: bool = row.get("has_result")?;
    let payload = Payload {
        json: row.get("result")?,
        text: row.get("result_text")?,
    };
    Ok(InvocationRecord {
        id: row.get("id")?,
        node: NodeId::new(row.get::<_, String>("node")?),
        command: row.get("command")?,
        key: row.get("key")?,
        fingerprint: row.get("fingerprint")?,
        asker: asker(row)?,
        state: State::parse(&state).ok_or(Error::Unreadable("invocation"))?,
        created_at: row.get("created_at")?,
        started_at: row.get("started_at")?,
        ended_at: row.get("ended_at")?,
        expires_at: row.get("expires_at")?,
        payload: has_result.then_some(payload),
        trouble: code.map(|code| Trouble {
            code,
            message: message.unwrap_or_default(),
        }),
        media: Vec::new(),
    })
}
