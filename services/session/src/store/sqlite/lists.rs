//! Lists of sessions: pages, counts, and sessions that are looked for by something else than their key.

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::super::{Lookup, SessionFilter, SessionPage, SessionRecord, ShownKind, SortBy};
use super::sessions::{COLUMNS, record};
use crate::error::Error;
use crate::key::AgentId;

/// Sessions that one look-up answers: more than anybody chooses among.
const FOUND_MAX: u32 = 200;
/// Sessions whose titles are read for an address that is none of a key: a person opened it, and waits.
const TITLED_MAX: u32 = 5000;

/// The key of an agent's session with this name.
const NAMED: [&str; 2] = [
    "key = 'agent:' || agent || ':global'",
    "key = 'agent:' || agent || ':unknown'",
];

pub(super) fn page(conn: &Connection, filter: &SessionFilter) -> Result<SessionPage, Error> {
    let mut wheres = Wheres::default();
    wheres.filter(filter);
    let SessionFilter {
        agent,
        archived,
        limit,
        offset,
        sort,
        ..
    } = filter;
    let order = match sort {
        // Without a filter the index in the order of the list is read, from the newest; as far as the page goes.
        SortBy::Change => {
            "ORDER BY updated_at DESC, id DESC LIMIT ? OFFSET ?
             -- scans: the index in the order of the list, up to the end of the page"
        }
        SortBy::Interaction => {
            "ORDER BY coalesce(last_interaction_at, 0) DESC, updated_at DESC, id DESC LIMIT ? OFFSET ?
             -- scans: a person asks for another order than that of the index
             -- sorts: by when something was said, which changes with each message"
        }
    };
    let snapshot = conn.unchecked_transaction()?;
    let total = if wheres.counted_apart() {
        counted(&snapshot, agent.as_ref(), *archived)?
    } else {
        snapshot
            .prepare_cached(&format!(
                "SELECT count(*) FROM sessions WHERE {} -- scans: how many there are beside the page is counted",
                wheres.text()
            ))?
            .query_row(params_from_iter(wheres.values.iter()), |row| row.get(0))?
    };
    let text = wheres.text();
    let mut values = wheres.values;
    values.push(Value::Integer((*limit).into()));
    values.push(Value::Integer((*offset).into()));
    let sessions = snapshot
        .prepare_cached(&format!("SELECT {COLUMNS} FROM sessions WHERE {text} {order}"))?
        .query_map(params_from_iter(values.iter()), record)?
        .collect::<Result<_, _>>()?;
    Ok(SessionPage { sessions, total })
}

/// What must hold of a session on a page.
#[derive(Debug, Default)]
struct Wheres {
    clauses: Vec<String>,
    values: Vec<Value>,
    /// Clauses that the counts know, too.
    of_counts: usize,
}

impl Wheres {
    fn add(&mut self, clause: impl Into<String>, value: impl Into<Option<Value>>) {
        self.clauses.push(clause.into());
        self.values.extend(value.into());
    }

    fn text(&self) -> String {
        if self.clauses.is_empty() {
            "1".to_owned()
        } else {
            self.clauses.join(" AND ")
        }
    }

    /// Whether the counts that are kept say how many there are.
    fn counted_apart(&self) -> bool {
        self.clauses.len() == self.of_counts
    }

    fn filter(&mut self, filter: &SessionFilter) {
        let SessionFilter {
            viewer,
            agent,
            since,
            search,
            label,
            archived,
            kind,
            channel,
            parent,
            without,
            agents,
            interaction,
            pinned,
            group,
            active,
            without_jobs,
            sort: _,
            limit: _,
            offset: _,
        } = filter;
        if let Some(agent) = agent {
            self.add("agent = ?", Value::Text(agent.to_string()));
        }
        if let Some(archived) = archived {
            self.add("archived = ?", Value::Integer((*archived).into()));
        }
        self.of_counts = self.clauses.len();
        if !viewer.sees_all() {
            match viewer.user() {
                Some(user) => self.add("(user IS NULL OR user = ?)", Value::Text(user.to_owned())),
                None => self.add("user IS NULL", None),
            }
        }
        if let Some(parent) = parent {
            self.add("parent = ?", Value::Text(parent.to_string()));
        }
        if let Some(since) = since {
            self.add("updated_at >= ?", Value::Integer((*since).as_ms()));
        }
        if let Some(label) = label {
            self.add("label = ?", Value::Text(label.clone()));
        }
        if let Some(channel) = channel {
            self.add("channel = ?", Value::Text(channel.clone()));
        }
        if let Some(kind) = kind {
            self.kind(*kind);
        }
        let [global, unknown] = NAMED;
        for kind in without {
            match kind {
                ShownKind::Global => self.add(format!("NOT {global}"), None),
                ShownKind::Unknown => self.add(format!("NOT {unknown}"), None),
                ShownKind::Of(kind) => self.add("kind <> ?", Value::Text(kind.word().to_owned())),
            }
        }
        if let Some(agents) = agents {
            let places = vec!["?"; agents.len()].join(", ");
            // Not by the index of agents, which would have the page sorted.
            self.clauses.push(format!("+agent IN ({places})"));
            let names = agents.iter().map(|agent| Value::Text(agent.to_string()));
            self.values.extend(names);
        }
        if *interaction {
            self.add("last_interaction_at IS NOT NULL", None);
        }
        if let Some(pinned) = pinned {
            self.add("(pinned_at IS NOT NULL) = ?", Value::Integer((*pinned).into()));
        }
        match group.as_deref() {
            None => {}
            Some("") => self.add("+category IS NULL", None),
            // Not by the index of groups, which would have the page sorted.
            Some(group) => self.add("+category = ?", Value::Text(group.to_owned())),
        }
        if *active {
            self.add(
                "(active_run IS NOT NULL
                 OR EXISTS (SELECT 1 FROM turns WHERE turns.session = sessions.id AND turns.state = 'queued'))",
                None,
            );
        }
        if *without_jobs {
            // The key of what a job says apart from everything else: `agent:<agent>:cron:<job>`.
            self.add("substr(key, length('agent:' || agent) + 1, 6) <> ':cron:'", None);
        }
        if let Some(search) = search {
            self.add(
                "-- scans: a search looks into every title, and a person asks for it
                 instr(lower(key || char(10) || coalesce(label, '') || char(10) || coalesce(display_name, '')
                    || char(10) || coalesce(derived_title, '')), ?) > 0",
                Value::Text(search.to_lowercase()),
            );
        }
    }

    fn kind(&mut self, kind: ShownKind) {
        let [global, unknown] = NAMED;
        match kind {
            ShownKind::Global => self.add(global, None),
            ShownKind::Unknown => self.add(unknown, None),
            ShownKind::Of(kind) => {
                self.add("kind = ?", Value::Text(kind.word().to_owned()));
                self.add(format!("NOT {global} AND NOT {unknown}"), None);
            }
        }
    }
}

fn counted(conn: &Connection, agent: Option<&AgentId>, archived: Option<bool>) -> Result<i64, Error> {
    let mut statement = conn.prepare_cached(
        "SELECT coalesce(sum(n), 0) FROM session_counts
         WHERE (?1 IS NULL OR agent = ?1) AND (?2 IS NULL OR archived = ?2)
         -- scans: two rows for each agent",
    )?;
    Ok(statement.query_row(params![agent.map(AgentId::as_str), archived], |row| row.get(0))?)
}

pub(super) fn counts(conn: &Connection) -> Result<Vec<(AgentId, i64)>, Error> {
    let mut statement = conn.prepare_cached(
        "SELECT agent, sum(n) FROM session_counts GROUP BY agent HAVING sum(n) > 0 -- scans: two rows for each agent",
    )?;
    let rows = statement.query_map([], |row| Ok((AgentId::stored(row.get(0)?), row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn look_up(conn: &Connection, lookup: &Lookup) -> Result<Vec<SessionRecord>, Error> {
    let ends_with_uuid = "substr(key, -36) GLOB '????????-????-????-????-????????????'";
    let newest = "ORDER BY updated_at DESC, id DESC LIMIT";
    let (text, values) = match lookup {
        Lookup::Id(id) => (
            format!("session_id = ? {newest} {FOUND_MAX} -- sorts: the few with one id"),
            vec![Value::Text(id.to_string())],
        ),
        Lookup::ShortId(digits) => (
            format!(
                "{ends_with_uuid} AND substr(replace(substr(key, -36), '-', ''), 1, ?) = ? {newest} {FOUND_MAX}
                 -- scans: a person opened the address of a session"
            ),
            vec![
                Value::Integer(i64::try_from(digits.len()).unwrap_or(i64::MAX)),
                Value::Text(digits.clone()),
            ],
        ),
        Lookup::EndsWithUuid => (
            format!(
                "{ends_with_uuid} {newest} {TITLED_MAX}
                 -- scans: a person opened the address of a session"
            ),
            Vec::new(),
        ),
    };
    let mut statement = conn.prepare_cached(&format!("SELECT {COLUMNS} FROM sessions WHERE {text}"))?;
    let rows = statement.query_map(params_from_iter(values.iter()), record)?;
    Ok(rows.collect::<Result<_, _>>()?)
}
