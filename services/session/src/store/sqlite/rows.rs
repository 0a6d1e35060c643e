//! How rows are read that the rows of other tables go by: whatever changes sessions, transcripts, turns and deliveries stands above.

use gatehouse_core::trace;
use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension, Row};

use super::super::{SessionKind, SessionRecord, SessionStatus, TurnState};
use crate::agents::ModelName;
use crate::error::Error;
use crate::id::{RunId, SessionId};
use crate::key::SessionKey;
use crate::routing::PeerKind;
use crate::sessions::settings::Settings;
use crate::thinking::Level;
use crate::turns::queue::QueueMode;

pub(super) fn find(conn: &Connection, key: &SessionKey) -> Result<Option<SessionRecord>, Error> {
    let mut statement = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM sessions WHERE key = ?1"))?;
    Ok(statement.query_row([key.as_str()], record).optional()?)
}

pub(super) fn by_id(conn: &Connection, id: i64) -> Result<SessionRecord, Error> {
    let mut statement = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM sessions WHERE id = ?1"))?;
    Ok(statement.query_row([id], record)?)
}

pub(super) fn id_of(conn: &Connection, key: &SessionKey) -> Result<Option<i64>, Error> {
    let mut statement = conn.prepare_cached("SELECT id FROM sessions WHERE key = ?1")?;
    Ok(statement.query_row([key.as_str()], |row| row.get(0)).optional()?)
}

/// The turns of a session that have not ended, in order of arrival.
pub(super) fn open_turns(conn: &Connection, session: i64) -> Result<Vec<(RunId, TurnState)>, Error> {
    let mut statement = conn.prepare_cached(
        "SELECT run, state, id FROM turns WHERE session = ?1 AND state = 'queued'
         UNION ALL SELECT run, state, id FROM turns WHERE session = ?1 AND state IN ('leased', 'running') ORDER BY id
         -- sorts: what waits in one session, and the one that runs",
    )?;
    let rows = statement.query_map([session], |row| {
        let state: String = row.get(1)?;
        Ok((
            RunId::new(row.get::<_, String>(0)?),
            TurnState::parse(&state).unwrap_or(TurnState::Queued),
        ))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The trace of a row. Rows of earlier versions may have none, and begin one each time they are read.
pub(super) fn trace_of(row: &Row<'_>) -> rusqlite::Result<trace::Context> {
    let text: Option<String> = row.get("traceparent")?;
    Ok(trace::Context::continued(text.as_deref()))
}

/// A session's columns in the order in which [`record`] reads them. A list reads by place: looking these names up for each
/// row was most of what it cost.
pub(super) const COLUMNS: &str = "key, session_id, kind, lifecycle_revision, created_at, updated_at, last_interaction_at, label,
    display_name, derived_title, preview, channel, chat_type, target, status, active_run, last_run, started_at, ended_at,
    aborted_last_run, model_override, answered_provider, answered_model, thinking_level, queue_mode, input_tokens,
    output_tokens, archived_at, pinned_at, marked_unread_at, last_read_at, last_activity_at, category, parent, settings,
    first_seq, last_seq, user";

pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<SessionRecord> {
    let mut columns = Columns { row, next: 0 };
    let key = SessionKey::stored(columns.take()?);
    Ok(SessionRecord {
        agent: key.agent(),
        key,
        session_id: SessionId::new(columns.take::<String>()?),
        kind: SessionKind::parse(&columns.take::<String>()?),
        lifecycle_revision: columns.take()?,
        created_at: columns.take()?,
        updated_at: columns.take()?,
        last_interaction_at: columns.take()?,
        label: columns.take()?,
        display_name: columns.take()?,
        derived_title: columns.take()?,
        preview: columns.take()?,
        channel: columns.take()?,
        chat_type: columns.word(PeerKind::stored)?,
        target: columns
            .take::<Option<String>>()?
            .and_then(|target| serde_json::from_str(&target).ok()),
        status: columns.word(SessionStatus::parse)?,
        active_run: columns.take::<Option<String>>()?.map(RunId::new),
        last_run: columns.take::<Option<String>>()?.map(RunId::new),
        started_at: columns.take()?,
        ended_at: columns.take()?,
        aborted_last_run: columns.take()?,
        model_override: columns.take::<Option<String>>()?.map(ModelName::known),
        answered_by: columns.take::<Option<String>>()?.zip(columns.take()?),
        thinking_level: columns.take::<Option<String>>()?.map(Level::known),
        queue_mode: columns.word(QueueMode::parse)?,
        input_tokens: columns.take()?,
        output_tokens: columns.take()?,
        archived_at: columns.take()?,
        pinned_at: columns.take()?,
        marked_unread_at: columns.take()?,
        last_read_at: columns.take()?,
        last_activity_at: columns.take()?,
        category: columns.take()?,
        parent: columns.take::<Option<String>>()?.map(SessionKey::stored),
        settings: settings(columns.take::<Option<String>>()?),
        first_seq: columns.take()?,
        last_seq: columns.take()?,
        user: columns.take()?,
    })
}

/// A row, read from the left.
struct Columns<'r, 's> {
    row: &'r Row<'s>,
    next: usize,
}

impl Columns<'_, '_> {
    fn take<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        let value = self.row.get(self.next)?;
        self.next += 1;
        Ok(value)
    }

    /// A word that may be absent, or one that this version does not know.
    fn word<T>(&mut self, read: impl Fn(&str) -> Option<T>) -> rusqlite::Result<Option<T>> {
        Ok(self.take::<Option<String>>()?.and_then(|word| read(&word)))
    }
}

/// What this version cannot read of it is as usual.
fn settings(text: Option<String>) -> Settings {
    text.and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default()
}
