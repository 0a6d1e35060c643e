//! Turns as lists show them.

use rusqlite::{Connection, Row, named_params};

use super::super::{ListedTurn, Place, TaskFilter, TaskPage, TurnState};
use super::turns;
use crate::error::Error;

const COLUMNS: &str = "t.*, coalesce(s.label, s.display_name, s.derived_title) AS title";

pub(super) fn page(conn: &Connection, filter: &TaskFilter) -> Result<TaskPage, Error> {
    let limit = i64::from(filter.limit);
    let mut page = TaskPage::default();
    if filter.after.is_none() {
        page.tasks = living(conn, filter, limit)?;
    }
    let room = limit - i64::try_from(page.tasks.len()).unwrap_or(limit);
    let mut ended = ended(conn, filter, room + 1)?;
    if i64::try_from(ended.len()).is_ok_and(|found| found > room) {
        ended.truncate(usize::try_from(room).unwrap_or_default());
        page.next = ended.last().map(|(place, _)| *place).or(Some(Place::FIRST));
    }
    page.tasks.extend(ended.into_iter().map(|(_, task)| task));
    Ok(page)
}

/// Those that have not ended, the newest first.
fn living(conn: &Connection, filter: &TaskFilter, limit: i64) -> Result<Vec<ListedTurn>, Error> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM turns t LEFT JOIN sessions s ON s.id = t.session
         WHERE t.id IN (
            SELECT id FROM turns INDEXED BY turns_waiting WHERE state = 'queued'
            UNION ALL SELECT id FROM turns INDEXED BY turns_active WHERE state IN ('leased', 'running')
         )
            AND (:states = '' OR instr(:states, ',' || t.state || ',') > 0)
            AND (:key IS NULL OR t.key = :key) AND (:agent IS NULL OR s.agent = :agent)
            AND (:all OR (s.id IS NOT NULL AND (s.user IS NULL OR s.user = :user)))
         ORDER BY t.id DESC LIMIT :limit
         -- scans: the indexes hold what waits and runs, and nothing of the past
         -- sorts: what waits and runs is bounded by the queues"
    ))?;
    let rows = statement.query_map(
        named_params! {
            ":states": words(filter.states.as_deref()),
            ":key": filter.key.as_ref().map(|key| key.as_str()),
            ":agent": filter.agent.as_ref().map(|agent| agent.as_str()),
            ":limit": limit,
            ":all": filter.viewer.sees_all(),
            ":user": filter.viewer.user(),
        },
        task,
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Those that have ended, the one that ended last first.
fn ended(conn: &Connection, filter: &TaskFilter, limit: i64) -> Result<Vec<(Place, ListedTurn)>, Error> {
    let after = filter.after.unwrap_or(Place::FIRST);
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM turns t INDEXED BY turns_ended LEFT JOIN sessions s ON s.id = t.session
         WHERE t.ended_at IS NOT NULL AND t.ended_at <= :ended AND (t.ended_at, t.id) < (:ended, :id)
            AND (:states = '' OR instr(:states, ',' || t.state || ',') > 0)
            AND (:key IS NULL OR t.key = :key) AND (:agent IS NULL OR s.agent = :agent)
            AND (:all OR (s.id IS NOT NULL AND (s.user IS NULL OR s.user = :user)))
         ORDER BY t.ended_at DESC, t.id DESC LIMIT :limit"
    ))?;
    let rows = statement.query_map(
        named_params! {
            ":ended": after.ended_at,
            ":id": after.id,
            ":states": words(filter.states.as_deref()),
            ":key": filter.key.as_ref().map(|key| key.as_str()),
            ":agent": filter.agent.as_ref().map(|agent| agent.as_str()),
            ":limit": limit,
            ":all": filter.viewer.sees_all(),
            ":user": filter.viewer.user(),
        },
        |row| {
            let place = Place {
                ended_at: row.get("ended_at")?,
                id: row.get("id")?,
            };
            Ok((place, task(row)?))
        },
    )?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn task(row: &Row<'_>) -> rusqlite::Result<ListedTurn> {
    Ok(ListedTurn {
        turn: turns::turn(row)?,
        title: row.get("title")?,
    })
}

/// The states as one text, each between commas. Empty: any.
fn words(states: Option<&[TurnState]>) -> String {
    states.map_or_else(String::new, |states| {
        let words: Vec<&str> = states.iter().map(|state| state.word()).collect();
        format!(",{},", words.join(","))
    })
}
