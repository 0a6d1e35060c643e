//! What nodes were asked for.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::error::Error;
use crate::nodes::store::{HISTORY_MAX, KEPT_RESULT_BYTES_MAX, WAITING_MAX};
use crate::nodes::{
    Asker, Begun, End, InvocationRecord, NewInvocation, NodeId, Payload, State, Trouble, Waiting,
};

/// Rows that one call forgets of each kind, so that the writer is not held up.
const FORGOTTEN_MAX: u32 = 2_000;

pub(super) fn begin(conn: &Connection, new: &NewInvocation) -> Result<Begun, Error> {
    if let Some(known) = known(conn, &new.node, &new.key)? {
        return Ok(Begun::Known(Box::new(known)));
    }
    let waits = new.expires_at.is_some();
    if waits && waiting_count(conn, &new.node, false)? >= WAITING_MAX {
        return Ok(Begun::Full);
    }
    let state = if waits { State::Queued } else { State::Running };
    conn.prepare_cached(
        "INSERT INTO node_invocations (id, node, command, key, fingerprint, client, device, state, params, session_key,
            timeout_ms, created_at, started_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
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

pub(super) fn known(conn: &Connection, node: &NodeId, key: &str) -> Result<Option<InvocationRecord>, Error> {
    conn.prepare_cached("SELECT * FROM node_invocations WHERE node = ?1 AND key = ?2")?
        .query_row([node.as_str(), key], |row| Ok(record(row)))
        .optional()?
        .transpose()
}

pub(super) fn start(conn: &Connection, id: &str, now: i64) -> Result<bool, Error> {
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
    expires_at: i64,
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

pub(super) fn end(conn: &Connection, id: &str, end: &End, now: i64) -> Result<bool, Error> {
    let End {
        state,
        payload,
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
    Ok(changed > 0)
}

/// Ends all that a node was asked for: it is no node any more.
pub(super) fn end_of_node(conn: &Connection, node: &NodeId, now: i64) -> Result<(), Error> {
    conn.prepare_cached(
        "UPDATE node_invocations SET state = iif(state = 'queued', 'error', 'lost'), ended_at = ?2, params = NULL,
            error_code = 'NODE_REMOVED', error_message = 'the node was removed'
         WHERE node = ?1 AND state IN ('queued', 'running')",
    )?
    .execute(params![node.as_str(), now])?;
    Ok(())
}

pub(super) fn waiting(
    conn: &Connection,
    node: &NodeId,
    foreground: bool,
    now: i64,
) -> Result<Vec<Waiting>, Error> {
    let mut statement = conn.prepare_cached(
        "SELECT * FROM node_invocations INDEXED BY node_invocations_waiting
         WHERE state = 'queued' AND node = ?1 AND foreground = ?2 AND expires_at > ?3 ORDER BY n LIMIT ?4",
    )?;
    let waiting = statement.query_map(params![node.as_str(), foreground, now, WAITING_MAX], |row| {
        Ok(Waiting {
            id: row.get("id")?,
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

pub(super) fn expire(conn: &Connection, now: i64) -> Result<Option<i64>, Error> {
    conn.prepare_cached(
        "UPDATE node_invocations INDEXED BY node_invocations_expiring SET state = 'timeout', ended_at = ?1, params = NULL,
            error_code = 'EXPIRED', error_message = 'the node did not come in time'
         WHERE state = 'queued' AND expires_at <= ?1",
    )?
    .execute([now])?;
    let mut statement = conn.prepare_cached(
        "SELECT min(expires_at) FROM node_invocations INDEXED BY node_invocations_expiring WHERE state = 'queued'
         -- scans: the first of an index that holds what waits",
    )?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

pub(super) fn lose(conn: &Connection, now: i64) -> Result<u64, Error> {
    let lost = conn
        .prepare_cached(
            "UPDATE node_invocations INDEXED BY node_invocations_running SET state = 'lost', ended_at = ?1,
                error_code = 'DISCONNECTED', error_message = 'the gateway was restarted meanwhile'
             WHERE state = 'running'
             -- scans: the index holds what runs, and nothing of the past",
        )?
        .execute([now])?;
    Ok(u64::try_from(lost).unwrap_or(u64::MAX))
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
    records.into_iter().collect()
}

pub(super) fn forget(conn: &Connection, results_before: i64, before: i64) -> Result<u64, Error> {
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
        asker: Asker {
            client: row.get("client")?,
            device: row.get("device")?,
        },
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
    })
}
