//! The rows of transcripts.

use std::collections::HashSet;

use gatehouse_core::Content;
use gatehouse_core::content::Block;
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

use super::super::{ContextRow, Entry, EntryExtra, HistoryPage, HistoryQuery, NewEntry, Role, TurnState};
use super::rows::{by_id, id_of, open_turns};
use crate::error::Error;
use crate::id::{EntryId, RunId};
use crate::key::SessionKey;

/// Characters of the newest message that lists show: the contract's bound.
const PREVIEW_CHARS: usize = 240;
/// Characters of a title taken from the first message.
const TITLE_CHARS: usize = 60;

/// Adds a row and keeps the session's own row in step.
pub(super) fn append(conn: &Connection, session: i64, row: NewEntry) -> Result<Entry, Error> {
    let preview = Some(clip(&row.preview, PREVIEW_CHARS)).filter(|text| !text.is_empty());
    // What was said to the gateway is not what a conversation is about.
    let names = row.role == Role::User && row.in_context;
    let title = Some(clip(&row.preview, TITLE_CHARS)).filter(|text| names && !text.is_empty());
    let seq: i64 = conn
        .prepare_cached(
            "UPDATE sessions SET last_seq = last_seq + 1, updated_at = max(updated_at, :now),
                last_interaction_at = CASE WHEN :boundary THEN last_interaction_at ELSE :now END,
                preview = coalesce(:preview, preview), derived_title = coalesce(derived_title, :title)
             WHERE id = :id RETURNING last_seq",
        )?
        .query_row(
            named_params! {
                ":now": row.timestamp, ":boundary": row.boundary, ":preview": preview, ":title": title, ":id": session,
            },
            |row| row.get(0),
        )?;
    let extra = serde_json::to_string(&row.extra).map_err(|_| Error::Unreadable("row"))?;
    conn.prepare_cached(
        // Rows of one session are neighbours in the file: a conversation that grew beside hundreds of others is read from
        // a few pages, and not from one page for each row.
        "INSERT INTO entries (rowid, session, seq, entry_id, role, content, timestamp, run, boundary, in_context, extra)
         VALUES ((?1 << 32) | ?2, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        session,
        seq,
        row.id.as_str(),
        row.role.word(),
        row.content,
        row.timestamp,
        row.run.as_ref().map(RunId::as_str),
        row.boundary,
        row.in_context,
        extra,
    ])?;
    if let Some(from) = row.extra.compacts {
        conn.prepare_cached("UPDATE sessions SET context_seq = max(context_seq, ?2) WHERE id = ?1")?
            .execute([session, from])?;
    }
    for media in named_media(&row.content) {
        conn.prepare_cached(
            "INSERT INTO media_refs (media, session) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        )?
        .execute(params![media, session])?;
    }
    Ok(Entry { seq, row })
}

/// The media that a row names by their ids. Words alone, as most rows are, are not looked through.
fn named_media(content: &str) -> Vec<String> {
    if !content.starts_with('[') || !content.contains("\"id\":") {
        return Vec::new();
    }
    let content = Content::from_json(content).unwrap_or_default();
    let results = content.results().flat_map(|result| result.content.blocks());
    let ids = content
        .blocks()
        .iter()
        .chain(results)
        .filter_map(|block| match block {
            Block::Media(media) => media.source.id().map(str::to_owned),
            _ => None,
        });
    ids.collect()
}

pub(super) fn find(conn: &Connection, key: &SessionKey, seq: i64) -> Result<Option<Entry>, Error> {
    let mut statement = conn.prepare_cached(
        "SELECT * FROM entries WHERE session = (SELECT id FROM sessions WHERE key = ?1) AND seq = ?2",
    )?;
    Ok(statement
        .query_row(params![key.as_str(), seq], entry)
        .optional()?)
}

/// A row by its own id.
pub(super) fn by_entry_id(conn: &Connection, session: i64, id: &EntryId) -> Result<Option<Entry>, Error> {
    let mut statement = conn.prepare_cached(
        "SELECT * FROM entries WHERE session = ?1 AND entry_id = ?2 ORDER BY seq DESC LIMIT 1",
    )?;
    Ok(statement
        .query_row(params![session, id.as_str()], entry)
        .optional()?)
}

/// The same, of the transcript that is the session's now.
pub(super) fn message(conn: &Connection, key: &SessionKey, id: &EntryId) -> Result<Option<Entry>, Error> {
    let Some(session) = id_of(conn, key)? else {
        return Ok(None);
    };
    let first = by_id(conn, session)?.first_seq;
    let found = by_entry_id(conn, session, id)?;
    Ok(found.filter(|entry| entry.seq >= first))
}

pub(super) fn history(
    conn: &Connection,
    key: &SessionKey,
    query: &HistoryQuery,
) -> Result<HistoryPage, Error> {
    let snapshot = conn.unchecked_transaction()?;
    let Some(id) = id_of(&snapshot, key)? else {
        return Ok(HistoryPage {
            session: None,
            entries: Vec::new(),
            has_more: false,
            joins: query.after.is_none(),
        });
    };
    let session = by_id(&snapshot, id)?;
    let page = if let Some((transcript, seq)) = &query.after {
        let is_of_it =
            *transcript == session.session_id && (session.first_seq - 1..=session.last_seq).contains(seq);
        let entries = if is_of_it {
            newer(&snapshot, id, *seq, query)?
        } else {
            None
        };
        HistoryPage {
            session: Some(session),
            joins: entries.is_some(),
            entries: entries.unwrap_or_default(),
            has_more: false,
        }
    } else {
        let last = session.last_seq - i64::from(query.offset);
        let entries = older(&snapshot, id, session.first_seq, last, query)?;
        let has_more = entries.first().is_some_and(|entry| entry.seq > session.first_seq);
        HistoryPage {
            session: Some(session),
            entries,
            has_more,
            joins: true,
        }
    };
    Ok(page)
}

/// The newest rows up to `last`, oldest first.
fn older(
    conn: &Connection,
    session: i64,
    first: i64,
    last: i64,
    query: &HistoryQuery,
) -> Result<Vec<Entry>, Error> {
    let mut statement = conn.prepare_cached(
        "SELECT * FROM entries WHERE session = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq DESC LIMIT ?4",
    )?;
    let mut entries = bounded(
        statement.query_map(params![session, first, last, query.limit], entry)?,
        query.bytes_max,
    )?;
    entries.reverse();
    Ok(entries)
}

/// The rows that follow, oldest first. `None`: they are more than the bounds allow, and a part of them would leave a hole.
fn newer(
    conn: &Connection,
    session: i64,
    after: i64,
    query: &HistoryQuery,
) -> Result<Option<Vec<Entry>>, Error> {
    let mut statement =
        conn.prepare_cached("SELECT * FROM entries WHERE session = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3")?;
    let rows = statement.query_map(params![session, after, i64::from(query.limit) + 1], entry)?;
    let (mut entries, mut bytes) = (Vec::new(), 0);
    for entry in rows {
        let entry = entry?;
        bytes += entry.row.content.len();
        entries.push(entry);
        if bytes > query.bytes_max || entries.len() > usize::try_from(query.limit).unwrap_or(usize::MAX) {
            return Ok(None);
        }
    }
    Ok(Some(entries))
}

fn bounded(
    rows: impl Iterator<Item = rusqlite::Result<Entry>>,
    bytes_max: usize,
) -> Result<Vec<Entry>, Error> {
    let mut entries = Vec::new();
    let mut bytes = 0;
    for entry in rows {
        let entry = entry?;
        bytes += entry.row.content.len();
        if bytes > bytes_max && !entries.is_empty() {
            break;
        }
        entries.push(entry);
    }
    Ok(entries)
}

pub(super) fn context(conn: &Connection, key: &SessionKey, rows_max: u32) -> Result<Vec<ContextRow>, Error> {
    let snapshot = conn.unchecked_transaction()?;
    let Some(id) = id_of(&snapshot, key)? else {
        return Ok(Vec::new());
    };
    let session = by_id(&snapshot, id)?;
    let waiting: HashSet<RunId> = open_turns(&snapshot, id)?
        .into_iter()
        .filter_map(|(run, state)| (state == TurnState::Queued).then_some(run))
        .collect();
    // Of the turns of a whole conversation only the few that were merged into another one matter. What was merged while it waited goes
    // where that turn went: once more, because a turn that runs is merged into none.
    let mut statement = snapshot.prepare_cached(
        "SELECT e.role, e.content, e.run, coalesce(h.merged_into, t.merged_into),
            iif(e.role = 'user', NULL, coalesce(e.extra ->> '$.wrote', e.extra ->> '$.provider')), e.seq, coalesce(h.read_after, t.read_after)
         FROM entries e LEFT JOIN turns t INDEXED BY turns_merged
            ON t.session = e.session AND t.run = e.run AND t.merged_into IS NOT NULL AND e.role = 'user'
            LEFT JOIN turns h INDEXED BY turns_merged
            ON h.session = t.session AND h.run = t.merged_into AND h.merged_into IS NOT NULL
         WHERE e.session = ?1 AND e.seq >= max(?2, (SELECT context_seq FROM sessions WHERE id = ?1)) AND e.in_context = 1
         ORDER BY e.seq DESC LIMIT ?3",
    )?;
    let rows = statement.query_map(params![id, session.first_seq, rows_max], |row| {
        let run = row.get::<_, Option<String>>(2)?.map(RunId::new);
        let merged = row.get::<_, Option<String>>(3)?.map(RunId::new);
        let answered_in = merged.or_else(|| run.clone());
        Ok(ContextRow {
            role: Role::parse(&row.get::<_, String>(0)?).unwrap_or(Role::System),
            content: row.get(1)?,
            waiting: answered_in.as_ref().is_some_and(|run| waiting.contains(run)),
            answered_in,
            run,
            provider: row.get(4)?,
            seq: row.get(5)?,
            read_after: row.get(6)?,
        })
    })?;
    let mut rows = rows.collect::<Result<Vec<_>, _>>()?;
    rows.reverse();
    Ok(rows)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let extra: String = row.get("extra")?;
    Ok(Entry {
        seq: row.get("seq")?,
        row: NewEntry {
            id: EntryId::new(row.get::<_, String>("entry_id")?),
            role: Role::parse(&row.get::<_, String>("role")?).unwrap_or(Role::System),
            content: row.get("content")?,
            preview: String::new(),
            timestamp: row.get("timestamp")?,
            run: row.get::<_, Option<String>>("run")?.map(RunId::new),
            boundary: row.get("boundary")?,
            in_context: row.get("in_context")?,
            extra: serde_json::from_str::<EntryExtra>(&extra).unwrap_or_default(),
        },
    })
}

/// The start of a text on one line.
fn clip(text: &str, chars: usize) -> String {
    let mut out = String::new();
    for (n, c) in text.trim().chars().enumerate() {
        if n + 1 == chars {
            out.push('…');
            break;
        }
        out.push(if c.is_whitespace() { ' ' } else { c });
    }
    out
}

#[cfg(test)]
mod tests;
