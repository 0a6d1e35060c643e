//! Durable turns a second with a model that answers at once: each message is stored, leased, answered, stored and told to all
//! screens. Fresh, and with a hundred thousand turns behind it: the past should cost nothing.

use std::{path::Path, time::Duration};

use futures::{SinkExt, StreamExt, future::join_all};
use gatehouse_tests::{Gateway, process::cpu};
use memchr::memmem;
use rusqlite::{Connection, params};
use serde_json::json;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use crate::{
    listener::{self, number_after},
    model::Model,
    report::Report,
};

/// Screens that ask, and conversations on each of them: more than may run at once, so that the queue is never empty.
const SCREENS: u64 = 4;
const CONVERSATIONS: u64 = 16;
/// Before the measured time: statements are compiled, connections made.
const WARM: Duration = Duration::from_secs(2);
const MEASURED: Duration = Duration::from_secs(10);
/// Turns of the past.
const PAST: i64 = 100_000;

/// Turns a second, and the processor time of all services for each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) a_second: f64,
    pub(crate) cpu_ms: f64,
}

pub(crate) async fn run(report: &mut Report) {
    let model = Model::serve(1, Duration::ZERO).await;
    let gateway = Gateway::start(&json!({
        "models": {"providers": {"bench": {"baseUrl": model.base, "apiKey": "k", "models": [{"id": "m", "name": "M"}]}}},
        "agents": {"defaults": {"model": {"primary": "bench/m"}}},
    }))
    .await;
    let fresh = measure(&gateway, "fresh").await;
    let gateway = gateway
        .restart_after(|home| fill(&home.join("session/session.db")))
        .await;
    let old = measure(&gateway, "old").await;
    report.add(
        "durable turns a second, 64 conversations",
        fresh.a_second,
        "1/s",
        None,
        None,
    );
    report.add(
        "processor time of all services for a turn",
        fresh.cpu_ms,
        "ms",
        None,
        None,
    );
    report.add(
        format!("durable turns a second after {PAST} turns; reference fresh"),
        old.a_second,
        "1/s",
        None,
        Some(fresh.a_second),
    );
    report.add(
        "processor time of all services for a turn, the same",
        old.cpu_ms,
        "ms",
        Some(fresh.cpu_ms * 1.05),
        Some(fresh.cpu_ms),
    );
}

/// `name` makes conversations of their own: a model reads what was said in them, and that is not what is compared.
pub(crate) async fn measure(gateway: &Gateway, name: &str) -> Rate {
    let began = Instant::now();
    let warm = began + WARM;
    let end = warm + MEASURED;
    let spent = || gateway.pids().iter().map(|pid| cpu(*pid)).sum::<Duration>();
    let watch = async {
        tokio::time::sleep_until(warm).await;
        let before = spent();
        tokio::time::sleep_until(end).await;
        spent() - before
    };
    let (counts, cpu) = tokio::join!(
        join_all((0..SCREENS).map(|screen| take_part(gateway, format!("{name}{screen}c"), warm, end))),
        watch
    );
    let turns: u32 = counts.iter().sum();
    Rate {
        a_second: f64::from(turns) / MEASURED.as_secs_f64(),
        cpu_ms: cpu.as_secs_f64() * 1_000.0 / f64::from(turns.max(1)),
    }
}

/// Keeps the conversations of one screen going until the end, and counts the turns that ended after `warm`.
async fn take_part(gateway: &Gateway, name: String, warm: Instant, end: Instant) -> u32 {
    let mut socket = listener::hello(gateway).await;
    let mut ended = 0;
    let mut asked = 0_u64;
    let mut ask = |conversation: u64| {
        asked += 1;
        let key = Uuid::new_v4().to_string();
        let params =
            json!({"sessionKey": format!("{name}{conversation}"), "message": "go", "idempotencyKey": key});
        let request =
            json!({"type": "req", "id": asked.to_string(), "method": "chat.send", "params": params});
        Message::text(request.to_string())
    };
    for conversation in 0..CONVERSATIONS {
        socket.feed(ask(conversation)).await.expect("sent");
    }
    socket.flush().await.expect("sent");
    let mark = format!("\"sessionKey\":\"agent:main:{name}");
    loop {
        let Ok(frame) = tokio::time::timeout_at(end, socket.next()).await else {
            return ended;
        };
        let Message::Text(text) = frame.expect("an open socket").expect("a frame") else {
            continue;
        };
        let failed =
            memmem::find(text.as_bytes(), b"\"state\":\"error\"").is_some() || text.contains("\"ok\":false");
        assert!(!failed, "a turn failed: {text}");
        if memmem::find(text.as_bytes(), b"\"state\":\"final\"").is_some()
            && let Some(conversation) = number_after(text.as_bytes(), mark.as_bytes())
        {
            ended += u32::from(Instant::now() > warm);
            socket.send(ask(conversation)).await.expect("sent");
        }
    }
}

/// Turns of a past, with their rows and their keys, in a hundred sessions.
fn fill(path: &Path) {
    let connection = Connection::open(path).expect("the database");
    let fill = "
        PRAGMA synchronous = OFF;
        BEGIN;
        WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 100)
        INSERT INTO sessions (key, agent, session_id, kind, lifecycle_revision, created_at, updated_at, last_seq)
        SELECT 'agent:main:past-' || i, 'main', 'past-' || i, 'direct', '1', 1, 1, 0 FROM n;
        COMMIT;";
    connection.execute_batch(fill).expect("sessions of a past");
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(0));
    let turns = "
        WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO turns (run, session, key, session_id, state, mode, fingerprint, bytes, queued_at, not_before, started_at,
            ended_at, stop_reason, attempt, visible)
        SELECT 'past-' || i, s.id, s.key, s.session_id, 'done', 'followup', x'00', 2, ?2 - i, ?2 - i, ?2 - i, ?2 - i, 'stop', 1, 1
        FROM n JOIN sessions s ON s.key = 'agent:main:past-' || (1 + i % 100)";
    connection
        .execute(turns, params![PAST, now])
        .expect("turns of a past");
    let rows = "
        WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO entries (rowid, session, seq, entry_id, role, content, timestamp, run, boundary, in_context, extra)
        SELECT (s.id << 32) | i, s.id, i, 'past-' || i, iif(i % 2, 'user', 'assistant'), '[{\"type\":\"text\",\"text\":\"lorem\"}]', ?2 - i,
            'past-' || i, 0, 1, '{}'
        FROM n JOIN sessions s ON s.key = 'agent:main:past-' || (1 + i % 100)";
    connection
        .execute(rows, params![PAST * 2, now])
        .expect("rows of a past");
}
