//! Counting rows of transcripts.

use std::collections::BTreeMap;

use rusqlite::{Connection, named_params, params};

use super::super::{Cell, Counts, EntryExtra, Metered, ModelOf, Role, SessionCells, UsageQuery};
use super::sessions;
use crate::error::Error;
use crate::id::SessionId;
use crate::key::SessionKey;
use gatehouse_core::Timestamp;

/// Sessions that one answer counts: the ones that were changed last. A household has some hundreds.
const SESSIONS_MAX: u32 = 5_000;

/// Rows of a session that one answer counts; older ones of a longer session are left out.
const ROWS_MAX: u32 = 100_000;

pub(super) fn count(conn: &Connection, query: &UsageQuery) -> Result<Vec<SessionCells>, Error> {
    let mut changed = conn.prepare_cached(
        "SELECT id FROM sessions WHERE updated_at >= :from AND (:agent IS NULL OR agent = :agent)
            AND (:key IS NULL OR key = :key) AND (:all OR user IS NULL OR user = :user)
         ORDER BY updated_at DESC, id DESC LIMIT :max",
    )?;
    let ids = changed
        .query_map(
            named_params! {
                ":from": query.begin(),
                ":agent": query.agent.as_ref().map(|agent| agent.as_str()),
                ":key": query.key.as_ref().map(|key| key.as_str()),
                ":max": SESSIONS_MAX,
                ":all": query.viewer.sees_all(),
                ":user": query.viewer.user(),
            },
            |row| row.get::<_, i64>(0),
        )?
        .collect::<Result<Vec<_>, _>>()?;
    ids.into_iter().map(|id| session(conn, id, query)).collect()
}

fn session(conn: &Connection, id: i64, query: &UsageQuery) -> Result<SessionCells, Error> {
    let mut rows = conn.prepare_cached(
        "SELECT timestamp, role, extra FROM entries WHERE session = ?1 AND timestamp >= ?2 AND timestamp < ?3
         ORDER BY seq DESC LIMIT ?4",
    )?;
    let mut rows = rows.query(params![id, query.begin(), query.end(), ROWS_MAX])?;
    let mut cells: BTreeMap<(usize, ModelOf), Counts> = BTreeMap::new();
    let mut between: Option<(Timestamp, Timestamp)> = None;
    while let Some(row) = rows.next()? {
        let time: Timestamp = row.get(0)?;
        let role: String = row.get(1)?;
        let extra: String = row.get(2)?;
        let (Some(day), Some(role)) = (query.day(time), Role::parse(&role)) else {
            continue;
        };
        // A row that cannot be read is counted as one that says nothing of itself.
        let extra: EntryExtra = serde_json::from_str(&extra).unwrap_or_default();
        let Some((model, counts)) = counted(role, extra) else {
            continue;
        };
        between = Some(between.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
        *cells.entry((day, model)).or_default() += counts;
    }
    Ok(SessionCells {
        session: sessions::by_id(conn, id)?,
        between,
        cells: cells
            .into_iter()
            .map(|((day, model), counts)| Cell { day, model, counts })
            .collect(),
    })
}

/// The answers of a session that were counted.
pub(super) fn answers(
    conn: &Connection,
    key: &SessionKey,
) -> Result<Option<(SessionId, Vec<Metered>)>, Error> {
    let Some(id) = sessions::id_of(conn, key)? else {
        return Ok(None);
    };
    let session = sessions::by_id(conn, id)?;
    let mut rows = conn.prepare_cached(
        "SELECT timestamp, extra FROM entries WHERE session = ?1 AND seq >= ?2 AND role = 'assistant' ORDER BY seq DESC LIMIT ?3",
    )?;
    let mut rows = rows.query(params![id, session.first_seq, ROWS_MAX])?;
    let mut answers = Vec::new();
    while let Some(row) = rows.next()? {
        let extra: String = row.get(1)?;
        let extra: EntryExtra = serde_json::from_str(&extra).unwrap_or_default();
        if let Some(tokens) = extra.usage {
            answers.push(Metered {
                timestamp: row.get(0)?,
                model: ModelOf {
                    provider: extra.provider,
                    model: extra.model,
                },
                tokens,
            });
        }
    }
    answers.reverse();
    Ok(Some((session.session_id, answers)))
}

/// What one row counts for, and whose it is.
fn counted(role: Role, extra: EntryExtra) -> Option<(ModelOf, Counts)> {
    let none = Counts::default();
    match role {
        Role::User => Some((ModelOf::default(), Counts { user: 1, ..none })),
        Role::Tool => Some((ModelOf::default(), Counts { tool: 1, ..none })),
        Role::System => None,
        Role::Assistant => {
            let tokens = extra.usage.unwrap_or_default();
            let counts = Counts {
                input: tokens.input,
                output: tokens.output,
                metered: i64::from(extra.usage.is_some()),
                assistant: 1,
                errors: i64::from(extra.error_message.is_some()),
                ..none
            };
            let model = ModelOf {
                provider: extra.provider,
                model: extra.model,
            };
            Some((model, counts))
        }
    }
}
