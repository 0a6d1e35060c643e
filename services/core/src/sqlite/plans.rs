//! Work that grows with the past is found where it begins: in every debug build, each statement that a job runs is shown to
//! SQLite's planner once, and a job whose statement reads a whole table or sorts what it found fails. So no statement needs to
//! be listed anywhere, and none can be forgotten: whatever a test runs is looked at.
//!
//! A statement that may do so says why, in a comment inside its text: `-- scans: why` or `-- sorts: why`. Without statistics
//! (nothing here runs ANALYZE) a plan depends on the schema alone, so that the plan on an empty table is the plan on a full one.
//!
//! The planner cannot tell how many rows a search finds. [`Steps`] can: tests compare what an operation costs on a young
//! database and on an old one, in SQLite's own steps and not in time.

use std::{
    cell::RefCell,
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rusqlite::{
    Connection,
    trace::{TraceEvent, TraceEventCodes},
};

/// Steps of SQLite's machine between two counts: fine enough to see a scan of some dozen rows.
const STEPS_COUNTED: i32 = 16;

/// What allows a statement to read a whole table.
const SCANS: &str = "-- scans: ";
/// What allows a statement to sort, or to build an index for itself.
const SORTS: &str = "-- sorts: ";

thread_local! {
    /// Each connection stays on its own thread.
    static SEEN: RefCell<Seen> = RefCell::default();
}

#[derive(Debug, Default)]
struct Seen {
    known: HashSet<String>,
    new: Vec<String>,
}

/// How much the connections of a database worked, in debug builds.
#[derive(Clone, Debug, Default)]
pub(super) struct Steps(Arc<AtomicU64>);

impl Steps {
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Looks at everything that this connection runs from now on. In release builds it does nothing.
pub(super) fn watch(connection: &Connection, steps: &Steps) {
    if cfg!(debug_assertions) {
        connection.trace_v2(TraceEventCodes::SQLITE_TRACE_STMT, Some(note));
        let steps = Arc::clone(&steps.0);
        let count = move || {
            steps.fetch_add(STEPS_COUNTED.unsigned_abs().into(), Ordering::Relaxed);
            false
        };
        connection.progress_handler(STEPS_COUNTED, Some(count));
    }
}

fn note(event: TraceEvent<'_>) {
    let TraceEvent::Stmt(statement, _) = event else {
        return;
    };
    let sql = statement.sql();
    SEEN.with_borrow_mut(|seen| {
        if is_planned(&sql) && !seen.known.contains(sql.as_ref()) {
            seen.known.insert(sql.to_string());
            seen.new.push(sql.into_owned());
        }
    });
}

/// Whether a statement has a plan that is worth a look.
fn is_planned(sql: &str) -> bool {
    let word = sql.split_whitespace().next().unwrap_or_default();
    ["select", "insert", "update", "delete", "replace", "with"]
        .iter()
        .any(|planned| word.eq_ignore_ascii_case(planned))
}

/// Looks at the statements that ran since the last look.
///
/// # Panics
/// When one of them does work that grows and does not say why. The job in which it ran then fails.
pub(super) fn check(connection: &Connection) {
    if !cfg!(debug_assertions) {
        return;
    }
    let new = SEEN.with_borrow_mut(|seen| std::mem::take(&mut seen.new));
    let grown: Vec<String> = new
        .iter()
        .filter_map(|sql| {
            let problem = problem(connection, sql)?;
            Some(format!("{problem}: {sql}"))
        })
        .collect();
    assert!(
        grown.is_empty(),
        "the work of a statement grows with the table: give it an index, or say in it why not (`{SCANS}...`, `{SORTS}...`): {grown:#?}"
    );
}

/// What in the plan grows with a table, unless the statement says why.
fn problem(connection: &Connection, sql: &str) -> Option<String> {
    let plan = plan(connection, sql)
        .unwrap_or_else(|error| vec![format!("SCAN of what cannot be planned: {error}")]);
    plan.into_iter().find(|step| {
        let scans =
            step.starts_with("SCAN ") && !step.contains("CONSTANT ROW") && !step.starts_with("SCAN (");
        let sorts = step.contains("TEMP B-TREE") || step.contains("AUTOMATIC");
        (scans && !sql.contains(SCANS)) || (sorts && !sql.contains(SORTS))
    })
}

fn plan(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
    let mut rows = statement.raw_query(); // parameters have no value here
    let mut steps = Vec::new();
    while let Some(row) = rows.next()? {
        steps.push(row.get("detail")?);
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, kind TEXT);
        CREATE INDEX by_name ON item (name);";

    #[test]
    fn a_statement_that_reads_or_sorts_a_whole_table_is_found_unless_it_says_why() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(SCHEMA).unwrap();
        let found = |sql: &str| problem(&connection, sql).is_some();

        assert!(!found("SELECT id FROM item WHERE name = ?1"));
        assert!(!found("SELECT id FROM item WHERE name = ?1 ORDER BY id"));
        assert!(!found(
            "INSERT INTO item (name) VALUES (?1) ON CONFLICT DO NOTHING"
        ));

        assert!(found("SELECT id FROM item WHERE kind = ?1"));
        assert!(found("SELECT count(*) FROM item"));
        assert!(found("UPDATE item SET name = '' WHERE kind = ?1"));
        assert!(found("DELETE FROM item WHERE kind = ?1"));
        assert!(found("SELECT id FROM item WHERE name = ?1 ORDER BY kind"));
        assert!(found(
            "SELECT a.id FROM item a JOIN item b ON a.kind = b.kind WHERE a.name = ?1"
        ));

        assert!(!found("SELECT count(*) FROM item -- scans: ten kinds of tea"));
        assert!(!found(
            "SELECT id FROM item WHERE name = ?1 ORDER BY kind -- sorts: three at most"
        ));
        assert!(found("SELECT id FROM item ORDER BY kind -- scans: why not"));
    }
}
