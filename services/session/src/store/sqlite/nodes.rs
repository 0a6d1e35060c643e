//! Nodes and what they were granted.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::de::DeserializeOwned;

use super::{SqliteStore, invocations};
use crate::error::Error;
use crate::nodes::store::{Connected, NODES_MAX, Nodes};
use crate::nodes::{
    Asker, Begun, End, Expired, Facts, HostStats, InvocationRecord, NewInvocation, NodeId, NodeRecord,
    PairRequest, Settled, Surface, Waiting,
};
use gatehouse_core::Timestamp;

/// The tables. A migration is never changed once released.
pub(super) const MIGRATION: &str = r"
-- Devices that were connected as nodes. What they say of themselves, what they offer and what they were granted is JSON: it is
-- read whole, and few.
CREATE TABLE nodes (
    id TEXT PRIMARY KEY,
    facts TEXT NOT NULL,
    name TEXT,
    granted TEXT,
    created_at INTEGER,
    approved_at INTEGER,
    request TEXT UNIQUE,
    asked TEXT,
    asked_at INTEGER,
    connected_at INTEGER NOT NULL,
    disconnected_at INTEGER,
    seen_at INTEGER NOT NULL,
    seen_reason TEXT NOT NULL,
    stats TEXT,
    session_host INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- What nodes were asked for. `n` is the order in which it was.
CREATE TABLE node_invocations (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    node TEXT NOT NULL,
    command TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    client TEXT,
    device TEXT,
    state TEXT NOT NULL,
    foreground INTEGER NOT NULL DEFAULT 0,
    params TEXT,
    session_key TEXT,
    timeout_ms INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    expires_at INTEGER,
    result TEXT,
    result_text TEXT,
    has_result INTEGER NOT NULL DEFAULT 0,
    error_code TEXT,
    error_message TEXT
) STRICT;
CREATE UNIQUE INDEX node_invocations_by_key ON node_invocations (node, key);
CREATE INDEX node_invocations_of_node ON node_invocations (node, n DESC);
CREATE INDEX node_invocations_waiting ON node_invocations (node, foreground, n) WHERE state = 'queued';
CREATE INDEX node_invocations_expiring ON node_invocations (expires_at) WHERE state = 'queued';
CREATE INDEX node_invocations_running ON node_invocations (n) WHERE state = 'running';
CREATE INDEX node_invocations_ended ON node_invocations (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX node_invocations_with_result ON node_invocations (ended_at) WHERE has_result = 1;
";

#[async_trait]
impl Nodes for SqliteStore {
    async fn connect(
        &self,
        node: &NodeId,
        facts: Facts,
        declared: Surface,
        now: Timestamp,
    ) -> Result<Option<Connected>, Error> {
        let node = node.clone();
        self.database
            .write(move |tx| connect(tx, &node, &facts, declared, now))
            .await
    }

    async fn disconnect(&self, node: &NodeId, connected_at: Timestamp, now: Timestamp) -> Result<(), Error> {
        let node = node.clone();
        self.database
            .write(move |tx| {
                tx.prepare_cached(
                    "UPDATE nodes SET disconnected_at = ?3, seen_at = max(seen_at, ?3)
                     WHERE id = ?1 AND connected_at = ?2 AND disconnected_at IS NULL",
                )?
                .execute(params![node.as_str(), connected_at, now])?;
                Ok::<_, Error>(())
            })
            .await
    }

    async fn node(&self, node: &NodeId) -> Result<Option<NodeRecord>, Error> {
        let node = node.clone();
        self.database.read(move |conn| find(conn, &node)).await
    }

    async fn nodes(&self) -> Result<Vec<NodeRecord>, Error> {
        self.database.read(all).await
    }

    async fn asking(&self, request: &str) -> Result<Option<NodeRecord>, Error> {
        let request = request.to_owned();
        self.database.read(move |conn| asking(conn, &request)).await
    }

    async fn answer(
        &self,
        request: &str,
        granted: bool,
        now: Timestamp,
    ) -> Result<Option<NodeRecord>, Error> {
        let request = request.to_owned();
        self.database
            .write(move |tx| answer(tx, &request, granted, now))
            .await
    }

    async fn rename(&self, node: &NodeId, name: String) -> Result<Option<NodeRecord>, Error> {
        let node = node.clone();
        self.database
            .write(move |tx| {
                tx.prepare_cached("UPDATE nodes SET name = ?2 WHERE id = ?1")?
                    .execute(params![node.as_str(), name])?;
                find(tx, &node)
            })
            .await
    }

    async fn forget(&self, node: &NodeId, now: Timestamp) -> Result<Option<Vec<Settled>>, Error> {
        let node = node.clone();
        self.database
            .write(move |tx| {
                let ended = invocations::end_of_node(tx, &node, now)?;
                let forgotten = tx
                    .prepare_cached("DELETE FROM nodes WHERE id = ?1")?
                    .execute([node.as_str()])?;
                Ok::<_, Error>((forgotten > 0).then_some(ended))
            })
            .await
    }

    async fn seen(&self, node: &NodeId, reason: &str, now: Timestamp) -> Result<(), Error> {
        let (node, reason) = (node.clone(), reason.to_owned());
        self.database
            .write(move |tx| {
                tx.prepare_cached("UPDATE nodes SET seen_at = ?2, seen_reason = ?3 WHERE id = ?1")?
                    .execute(params![node.as_str(), now, reason])?;
                Ok::<_, Error>(())
            })
            .await
    }

    async fn keep_stats(&self, node: &NodeId, stats: HostStats) -> Result<(), Error> {
        let node = node.clone();
        self.database
            .write(move |tx| {
                tx.prepare_cached("UPDATE nodes SET stats = ?2 WHERE id = ?1")?
                    .execute(params![node.as_str(), json(&stats)?])?;
                Ok::<_, Error>(())
            })
            .await
    }

    async fn host_sessions(&self, node: &NodeId, hosts: bool) -> Result<(), Error> {
        let node = node.clone();
        self.database
            .write(move |tx| {
                tx.prepare_cached("UPDATE nodes SET session_host = ?2 WHERE id = ?1")?
                    .execute(params![node.as_str(), hosts])?;
                Ok::<_, Error>(())
            })
            .await
    }

    async fn begin(&self, invocation: NewInvocation) -> Result<Begun, Error> {
        self.database
            .write(move |tx| invocations::begin(tx, &invocation))
            .await
    }

    async fn known(
        &self,
        node: &NodeId,
        asker: &Asker,
        key: &str,
    ) -> Result<Option<InvocationRecord>, Error> {
        let (node, asker, key) = (node.clone(), asker.clone(), key.to_owned());
        self.database
            .read(move |conn| invocations::known(conn, &node, &asker, &key))
            .await
    }

    async fn start(&self, id: &str, now: Timestamp) -> Result<bool, Error> {
        let id = id.to_owned();
        self.database
            .write(move |tx| invocations::start(tx, &id, now))
            .await
    }

    async fn put_off(&self, id: &str, params: Option<String>, expires_at: Timestamp) -> Result<bool, Error> {
        let id = id.to_owned();
        self.database
            .write(move |tx| invocations::put_off(tx, &id, params.as_deref(), expires_at))
            .await
    }

    async fn end(&self, id: &str, end: End, now: Timestamp) -> Result<bool, Error> {
        let id = id.to_owned();
        self.database
            .write(move |tx| invocations::end(tx, &id, &end, now))
            .await
    }

    async fn waiting(&self, node: &NodeId, foreground: bool, now: Timestamp) -> Result<Vec<Waiting>, Error> {
        let node = node.clone();
        self.database
            .read(move |conn| invocations::waiting(conn, &node, foreground, now))
            .await
    }

    async fn expire(&self, now: Timestamp) -> Result<Expired, Error> {
        self.database.write(move |tx| invocations::expire(tx, now)).await
    }

    async fn lose(&self, now: Timestamp) -> Result<Vec<Settled>, Error> {
        self.database
            .write(move |tx| {
                tx.prepare_cached(
                    "UPDATE nodes SET disconnected_at = seen_at WHERE disconnected_at IS NULL
                     -- scans: there are few nodes",
                )?
                .execute([])?;
                invocations::lose(tx, now)
            })
            .await
    }

    async fn under_way(&self) -> Result<(u64, u64), Error> {
        self.database.read(invocations::under_way).await
    }

    async fn invocations(&self, node: Option<NodeId>, limit: u32) -> Result<Vec<InvocationRecord>, Error> {
        self.database
            .read(move |conn| invocations::newest(conn, node.as_ref(), limit))
            .await
    }

    async fn forget_invocations(&self, results_before: Timestamp, before: Timestamp) -> Result<u64, Error> {
        self.database
            .write(move |tx| invocations::forget(tx, results_before, before))
            .await
    }
}

fn connect(
    conn: &Connection,
    node: &NodeId,
    facts: &Facts,
    declared: Surface,
    now: Timestamp,
) -> Result<Option<Connected>, Error> {
    let known = find(conn, node)?;
    if known.is_none() && !make_room(conn)? {
        return Ok(None);
    }
    conn.prepare_cached(
        "INSERT INTO nodes (id, facts, connected_at, seen_at, seen_reason) VALUES (?1, ?2, ?3, ?3, 'connect')
         ON CONFLICT (id) DO UPDATE SET facts = ?2, connected_at = ?3, disconnected_at = NULL, seen_at = ?3,
            seen_reason = 'connect'",
    )?
    .execute(params![node.as_str(), json(facts)?, now])?;
    let granted = known.as_ref().and_then(|known| known.granted.as_ref());
    let request = known.as_ref().and_then(|known| known.request.as_ref());
    let is_granted = granted.is_some_and(|granted| declared.is_within(granted));
    let is_asked = request.is_some_and(|request| request.surface == declared);
    let asks = !is_granted && !is_asked;
    if asks {
        conn.prepare_cached("UPDATE nodes SET request = ?2, asked = ?3, asked_at = ?4 WHERE id = ?1")?
            .execute(params![
                node.as_str(),
                uuid::Uuid::new_v4().to_string(),
                json(&declared)?,
                now
            ])?;
    } else if is_granted {
        conn.prepare_cached("UPDATE nodes SET request = NULL, asked = NULL, asked_at = NULL WHERE id = ?1")?
            .execute([node.as_str()])?;
    }
    let node = find(conn, node)?.ok_or(Error::Unreadable("node"))?;
    Ok(Some(Connected { node, asks }))
}

/// A node that nobody agreed to and that is gone makes room for a new one. False: there is none.
fn make_room(conn: &Connection) -> Result<bool, Error> {
    let count: u32 = conn
        .prepare_cached("SELECT count(*) FROM nodes -- scans: there are few nodes")?
        .query_row([], |row| row.get(0))?;
    if count < NODES_MAX {
        return Ok(true);
    }
    let freed = conn
        .prepare_cached(
            "DELETE FROM nodes WHERE id = (SELECT id FROM nodes
                WHERE granted IS NULL AND disconnected_at IS NOT NULL ORDER BY seen_at LIMIT 1)
             -- scans: there are few nodes
             -- sorts: the same",
        )?
        .execute([])?;
    Ok(freed > 0)
}

fn find(conn: &Connection, node: &NodeId) -> Result<Option<NodeRecord>, Error> {
    conn.prepare_cached("SELECT * FROM nodes WHERE id = ?1")?
        .query_row([node.as_str()], |row| Ok(record(row)))
        .optional()?
        .transpose()
}

fn all(conn: &Connection) -> Result<Vec<NodeRecord>, Error> {
    let mut statement =
        conn.prepare_cached("SELECT * FROM nodes -- scans: all are asked for, and there are few")?;
    let records = statement.query_map([], |row| Ok(record(row)))?;
    records.map(|record| record?).collect()
}

fn asking(conn: &Connection, request: &str) -> Result<Option<NodeRecord>, Error> {
    conn.prepare_cached("SELECT * FROM nodes WHERE request = ?1")?
        .query_row([request], |row| Ok(record(row)))
        .optional()?
        .transpose()
}

fn answer(
    conn: &Connection,
    request: &str,
    granted: bool,
    now: Timestamp,
) -> Result<Option<NodeRecord>, Error> {
    let Some(node) = asking(conn, request)? else {
        return Ok(None);
    };
    let statement = if granted {
        "UPDATE nodes SET granted = asked, created_at = coalesce(created_at, ?2), approved_at = ?2,
            request = NULL, asked = NULL, asked_at = NULL WHERE request = ?1"
    } else {
        "UPDATE nodes SET request = NULL, asked = NULL, asked_at = NULL WHERE request = ?1 AND ?2 IS NOT NULL"
    };
    conn.prepare_cached(statement)?.execute(params![request, now])?;
    find(conn, &node.id)
}

fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|_| Error::Unreadable("node"))
}

fn parsed<T: DeserializeOwned>(text: Option<String>) -> Result<Option<T>, Error> {
    text.map(|text| serde_json::from_str(&text).map_err(|_| Error::Unreadable("node")))
        .transpose()
}

fn record(row: &Row<'_>) -> Result<NodeRecord, Error> {
    let facts: String = row.get("facts")?;
    let (id, surface): (Option<String>, Option<Surface>) = (row.get("request")?, parsed(row.get("asked")?)?);
    let asked_at: Option<Timestamp> = row.get("asked_at")?;
    let request = id
        .zip(surface)
        .zip(asked_at)
        .map(|((id, surface), asked_at)| PairRequest {
            id,
            surface,
            asked_at,
        });
    Ok(NodeRecord {
        id: NodeId::new(row.get::<_, String>("id")?),
        facts: serde_json::from_str(&facts).map_err(|_| Error::Unreadable("node"))?,
        name: row.get("name")?,
        granted: parsed(row.get("granted")?)?,
        request,
        created_at: row.get("created_at")?,
        approved_at: row.get("approved_at")?,
        connected_at: row.get("connected_at")?,
        disconnected_at: row.get("disconnected_at")?,
        seen_at: row.get("seen_at")?,
        seen_reason: row.get("seen_reason")?,
        stats: parsed(row.get("stats")?)?,
        session_host: row.get("session_host")?,
    })
}
