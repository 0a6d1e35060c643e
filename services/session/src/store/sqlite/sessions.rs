//! The rows of sessions.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, named_params, params};

use super::super::{Change, Entry, Made, NewEntry, Once, Seed, SessionKind, SessionPatch, SessionRecord};
use super::entries;
use super::groups;
use super::rows::open_turns;
pub(super) use super::rows::{COLUMNS, by_id, find, id_of, record};
use crate::agents::ModelName;
use crate::error::Error;
use crate::id::SessionId;
use crate::key::SessionKey;
use crate::routing::PeerKind;
use crate::thinking::Level;
use gatehouse_core::Timestamp;

/// The session's number, making the session when there is none.
pub(super) fn ensure(conn: &Connection, key: &SessionKey, seed: &Seed, now: Timestamp) -> Result<i64, Error> {
    if let Some(id) = id_of(conn, key)? {
        if seed.channel.is_some() {
            belong(conn, id, seed)?;
        }
        return Ok(id);
    }
    conn.prepare_cached(
        "INSERT INTO sessions (key, agent, session_id, kind, lifecycle_revision, created_at, updated_at, channel, chat_type, user)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        key.as_str(),
        key.agent().as_str(),
        SessionId::generate().as_str(),
        SessionKind::from(seed.chat_type).word(),
        SessionId::generate().as_str(),
        now,
        seed.channel,
        seed.chat_type.map(PeerKind::word),
        seed.user,
    ])?;
    Ok(conn.last_insert_rowid())
}

/// A session that a client made by its key belongs to the first chat that speaks in it, as if that chat had made it.
fn belong(conn: &Connection, id: i64, seed: &Seed) -> Result<(), Error> {
    conn.prepare_cached(
        "UPDATE sessions SET channel = ?2, chat_type = ?3, kind = ?4 WHERE id = ?1 AND channel IS NULL",
    )?
    .execute(params![
        id,
        seed.channel,
        seed.chat_type.map(PeerKind::word),
        SessionKind::from(seed.chat_type).word(),
    ])?;
    Ok(())
}

pub(super) fn create(
    conn: &Connection,
    key: &SessionKey,
    patch: &SessionPatch,
    once: Option<&Once>,
    now: Timestamp,
) -> Result<(SessionRecord, Made), Error> {
    let is_known = match once {
        Some(once) => claim_key(conn, once, now)?,
        None => false,
    };
    if let Some(record) = find(conn, key)? {
        return Ok((record, if is_known { Made::Again } else { Made::Found }));
    }
    let seed = Seed {
        user: patch.user.clone(),
        ..Seed::default()
    };
    let id = ensure(conn, key, &seed, now)?;
    apply(conn, id, patch, now)?;
    Ok((by_id(conn, id)?, Made::New))
}

/// Keeps an idempotency key, and says whether it was known. One that was used with another request is refused.
pub(super) fn claim_key(conn: &Connection, once: &Once, now: Timestamp) -> Result<bool, Error> {
    let known: Option<Vec<u8>> = conn
        .prepare_cached("SELECT fingerprint FROM requests WHERE idempotency_key = ?1")?
        .query_row([&once.key], |row| row.get(0))
        .optional()?;
    match known {
        Some(known) if known != once.fingerprint => Err(Error::RequestConflict),
        Some(_) => Ok(true),
        None => {
            conn.prepare_cached(
                "INSERT INTO requests (idempotency_key, fingerprint, created_at) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![once.key, once.fingerprint, now])?;
            Ok(false)
        }
    }
}

pub(super) fn patch(
    conn: &Connection,
    key: &SessionKey,
    patch: &SessionPatch,
    now: Timestamp,
) -> Result<SessionRecord, Error> {
    let id = match id_of(conn, key)? {
        Some(id) => id,
        None if key.is_main() => ensure(conn, key, &Seed::default(), now)?,
        None => return Err(Error::NoSession(key.clone())),
    };
    let session = by_id(conn, id)?;
    if !patch.expected.is_of(&session) {
        return Err(Error::SessionMoved(key.clone()));
    }
    let seen = patch.expected.marked_unread_at;
    if patch.unread == Some(false) && seen.is_some_and(|seen| seen != session.marked_unread_at) {
        return Ok(session); // somebody marked it again since the client looked
    }
    if patch.pinned == Some(true) && patch.archived.unwrap_or(session.archived_at.is_some()) {
        return Err(Error::Field {
            path: "/pinned",
            problem: "cannot be true of an archived session: restore it first",
        });
    }
    apply(conn, id, patch, now)?;
    by_id(conn, id)
}

pub(super) fn apply(conn: &Connection, id: i64, patch: &SessionPatch, now: Timestamp) -> Result<(), Error> {
    let SessionPatch {
        label,
        display_name,
        model,
        thinking_level,
        queue_mode,
        archived,
        pinned,
        unread,
        category,
        parent,
        user: _, // it stays whose it is
        settings: changes,
        expected: _, // whoever changes an old one looks at it
    } = patch;
    if let Some(Some(label)) = label {
        let taken: Option<i64> = conn
            .prepare_cached("SELECT id FROM sessions WHERE label = ?1 AND id <> ?2")?
            .query_row(params![label, id], |row| row.get(0))
            .optional()?;
        if taken.is_some() {
            return Err(Error::LabelTaken(label.clone()));
        }
    }
    fn text<T>(change: &Change<T>, word: impl Fn(&T) -> &str) -> Option<Value> {
        let value = |value: &T| Value::Text(word(value).to_owned());
        change
            .as_ref()
            .map(|change| change.as_ref().map_or(Value::Null, value))
    }
    let since = |is: bool| {
        if is {
            Value::Integer(now.as_ms())
        } else {
            Value::Null
        }
    };
    let mut changes_of_settings = None;
    if !changes.is_empty() {
        let mut settings = by_id(conn, id)?.settings;
        changes.apply(&mut settings);
        let text = serde_json::to_string(&settings).map_err(|_| Error::Unreadable("settings"))?;
        changes_of_settings = Some(Value::Text(text));
    }
    if let Some(Some(group)) = category {
        groups::list(conn, id, group)?;
    }
    let changes = [
        ("label", text(label, String::as_str)),
        ("display_name", text(display_name, String::as_str)),
        ("model_override", text(model, ModelName::as_str)),
        ("thinking_level", text(thinking_level, Level::as_str)),
        ("queue_mode", text(queue_mode, |mode| mode.word())),
        ("category", text(category, String::as_str)),
        (
            "parent",
            parent.as_ref().map(|parent| Value::Text(parent.to_string())),
        ),
        ("settings", changes_of_settings),
        ("archived", archived.map(|is| Value::Integer(is.into()))),
        ("archived_at", archived.map(since)),
        // What is put away is kept at the top no longer.
        (
            "pinned_at",
            pinned
                .map(since)
                .or((*archived == Some(true)).then_some(Value::Null)),
        ),
        ("marked_unread_at", unread.map(since)),
        (
            "last_read_at",
            (*unread == Some(false)).then_some(Value::Integer(now.as_ms())),
        ),
    ];
    let read_only = unread.is_some() && changes.iter().filter(|(_, value)| value.is_some()).count() <= 2;
    for (column, value) in changes {
        if let Some(value) = value {
            conn.prepare_cached(&format!("UPDATE sessions SET {column} = ?1 WHERE id = ?2"))?
                .execute(params![value, id])?;
        }
    }
    // Reading a session does not bring it to the top of the list.
    if !read_only {
        conn.prepare_cached("UPDATE sessions SET updated_at = max(updated_at, ?1) WHERE id = ?2")?
            .execute([now, Timestamp::from_ms(id)])?;
    }
    Ok(())
}

/// Whether this is or was a transcript of the session.
pub(super) fn had(conn: &Connection, session: &SessionRecord, id: &SessionId) -> Result<bool, Error> {
    if session.session_id == *id {
        return Ok(true);
    }
    let key: Option<String> = conn
        .prepare_cached(
            "SELECT s.key FROM former_transcripts t JOIN sessions s ON s.id = t.session WHERE t.session_id = ?1",
        )?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?;
    Ok(key.as_deref() == Some(session.key.as_str()))
}

pub(super) fn reset(
    conn: &Connection,
    key: &SessionKey,
    boundary: NewEntry,
    expected: Option<&SessionId>,
    now: Timestamp,
) -> Result<(SessionRecord, Entry), Error> {
    let id = ensure(conn, key, &Seed::default(), now)?;
    if let Some(expected) = expected
        && by_id(conn, id)?.session_id != *expected
    {
        return Err(Error::SessionMoved(key.clone()));
    }
    let entry = entries::append(conn, id, boundary)?;
    conn.prepare_cached(
        "UPDATE sessions SET session_id = :session, lifecycle_revision = :revision, first_seq = :first, begun_at = :now, preview = NULL,
            derived_title = NULL, status = CASE WHEN active_run IS NULL THEN NULL ELSE status END,
            aborted_last_run = 0, input_tokens = 0, output_tokens = 0, updated_at = max(updated_at, :now)
         WHERE id = :id",
    )?
    .execute(named_params! {
        ":session": SessionId::generate().as_str(), ":revision": SessionId::generate().as_str(),
        ":first": entry.seq, ":now": now, ":id": id,
    })?;
    Ok((by_id(conn, id)?, entry))
}

/// When its transcript began, and when somebody said something last.
pub(super) fn ages(conn: &Connection, id: i64) -> Result<(Timestamp, Timestamp), Error> {
    Ok(conn
        .prepare_cached(
            "SELECT coalesce(begun_at, created_at), coalesce(talked_at, last_interaction_at, created_at) FROM sessions WHERE id = ?1",
        )?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

pub(super) fn expired(conn: &Connection, now: Timestamp) -> Result<Vec<SessionRecord>, Error> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM sessions INDEXED BY sessions_expiring
         WHERE expires_at <= ?1 AND pinned_at IS NULL AND active_run IS NULL ORDER BY expires_at LIMIT 100"
    ))?;
    let found = statement.query_map([now], record)?;
    Ok(found.collect::<Result<_, _>>()?)
}

pub(super) fn delete(
    conn: &Connection,
    key: &SessionKey,
    expected: Option<&SessionId>,
) -> Result<bool, Error> {
    let Some(id) = id_of(conn, key)? else {
        return Ok(false);
    };
    let session = by_id(conn, id)?;
    if expected.is_some_and(|expected| *expected != session.session_id) {
        return Err(Error::SessionMoved(key.clone()));
    }
    if !open_turns(conn, id)?.is_empty() {
        return Err(Error::StillStopping(key.clone()));
    }
    conn.prepare_cached("DELETE FROM entries WHERE session = ?1")?
        .execute([id])?;
    conn.prepare_cached("DELETE FROM sessions WHERE id = ?1")?
        .execute([id])?;
    Ok(true)
}
