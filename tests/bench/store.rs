//! First pages with ten sessions, and with ten thousand and a gigabyte of transcripts: they should cost the same.
//!
//! The generator writes straight into the session service's database while the gateway is down. It knows the tables of this
//! version; a bench may, a test may not.

use std::{path::Path, time::Duration};

use gatehouse_tests::Gateway;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    listener::{self, Caller},
    report::{Report, percentile},
    rpc::milliseconds,
};

const FEW: Size = Size {
    sessions: 10,
    megabytes: 1,
};
const MANY: Size = Size {
    sessions: 10_000,
    megabytes: 1_024,
};

/// Bytes of one generated row: a long paragraph.
const ROW_BYTES: usize = 4_096;

const CALLS: usize = 300;

#[derive(Clone, Copy, Debug)]
struct Size {
    sessions: usize,
    megabytes: usize,
}

/// The first pages a client asks for, and the hello before them.
#[derive(Debug)]
struct Pages {
    list: f64,
    history: f64,
    hello: f64,
}

pub(crate) async fn run(report: &mut Report) {
    let few = measure(FEW).await;
    let megabytes = std::env::var_os("GATEHOUSE_BENCH_STORE_MB").and_then(|text| text.to_str()?.parse().ok());
    let size = Size {
        megabytes: megabytes.unwrap_or(MANY.megabytes),
        ..MANY
    };
    let many = measure(size).await;
    let of = format!(
        "{} sessions, {} MiB, reference {} sessions",
        size.sessions, size.megabytes, FEW.sessions
    );
    report.add(
        format!("sessions.list first page p50, {of}"),
        many.list,
        "ms",
        None,
        Some(few.list),
    );
    report.add(
        "chat.history first page p50, the same",
        many.history,
        "ms",
        None,
        Some(few.history),
    );
    report.add(
        "connect to hello p50, the same",
        many.hello,
        "ms",
        None,
        Some(few.hello),
    );
}

async fn measure(size: Size) -> Pages {
    let gateway = Gateway::start(&json!({})).await;
    let gateway = gateway
        .restart_after(|home| fill(&home.join("session/session.db"), size))
        .await;
    let mut caller = Caller::connect(&gateway).await;
    // The oldest session: its rows are far from what the disk cache saw last.
    let list = time(
        &mut caller,
        "sessions.list",
        &json!({"limit": 10, "includeDerivedTitles": true, "includeLastMessage": true}),
    )
    .await;
    let history = time(
        &mut caller,
        "chat.history",
        &json!({"sessionKey": key(0), "limit": 10}),
    )
    .await;
    let mut hellos = Vec::new();
    for _ in 0..50 {
        let began = Instant::now();
        drop(listener::connect(&gateway).await);
        hellos.push(milliseconds(began.elapsed()));
    }
    Pages {
        list,
        history,
        hello: percentile(&mut hellos, 0.5),
    }
}

async fn time(caller: &mut Caller, method: &str, params: &Value) -> f64 {
    let mut samples = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        samples.push(milliseconds(caller.call(method, params).await));
    }
    percentile(&mut samples, 0.5)
}

/// Fills an empty database, in transactions of a hundred sessions.
fn fill(path: &Path, size: Size) {
    let began = std::time::SystemTime::now();
    let mut connection = Connection::open(path).expect("the database");
    connection
        .execute_batch("PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL;")
        .expect("pragmas");
    let rows = (size.megabytes * 1024 * 1024 / ROW_BYTES / size.sessions).max(2);
    let content = json!("lorem ipsum ".repeat(ROW_BYTES / 12)).to_string();
    for block in (0..size.sessions).collect::<Vec<_>>().chunks(100) {
        let transaction = connection.transaction().expect("a transaction");
        for number in block {
            session(&transaction, *number, rows, &content);
        }
        transaction.commit().expect("a commit");
    }
    let took = began.elapsed().unwrap_or(Duration::ZERO);
    eprintln!(
        "generated {} sessions with {rows} rows each in {took:.1?}",
        size.sessions
    );
}

fn session(connection: &Connection, number: usize, rows: usize, content: &str) {
    let at = 1_700_000_000_000_i64 + i64::try_from(number).expect("a small number") * 1_000;
    let rows = i64::try_from(rows).expect("a small number");
    connection
        .prepare_cached(
            "INSERT INTO sessions (key, agent, session_id, kind, lifecycle_revision, created_at, updated_at, last_interaction_at,
                                   derived_title, preview, last_seq)
             VALUES (?1, 'main', ?2, 'direct', '1', ?3, ?3, ?3, 'lorem ipsum', 'lorem ipsum', ?4)",
        )
        .and_then(|mut insert| insert.execute(params![key(number), format!("generated-{number}"), at, rows]))
        .expect("a session");
    let id = connection.last_insert_rowid();
    let mut insert = connection
        .prepare_cached(
            "INSERT INTO entries (rowid, session, seq, entry_id, role, content, timestamp, run, boundary, in_context, extra)
             VALUES ((?1 << 32) | ?2, ?1, ?2, ?3, ?4, ?5, ?6, NULL, 0, 1, '{}')",
        )
        .expect("the table of rows");
    for seq in 1..=rows {
        let role = if seq % 2 == 1 { "user" } else { "assistant" };
        insert
            .execute(params![
                id,
                seq,
                format!("g{number}-{seq}"),
                role,
                content,
                at + seq
            ])
            .expect("a row");
    }
}

fn key(number: usize) -> String {
    format!("agent:main:generated-{number}")
}
