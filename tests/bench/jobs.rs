//! Jobs: ten thousand that are not due cost nothing, one that is due begins at its time, and a thousand that are due in one second all do.

use std::time::Duration;

use futures::{StreamExt, future::join_all};
use gatehouse_tests::{Gateway, http, process::cpu};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use crate::{
    listener,
    model::Model,
    report::{Report, percentile},
    screens::now,
};

/// As many as there may be.
const IDLE: usize = 10_000;
/// Added at the same time.
const TOGETHER: usize = 32;
/// How long the gateway is watched doing nothing.
const WATCHED: Duration = Duration::from_secs(20);
/// Jobs that are due alone, one after the other.
const ALONE: u64 = 20;
/// Jobs that are due in one second.
const DUE: u64 = 1_000;
/// A year ahead, in milliseconds.
const YEAR_MS: u64 = 365 * 24 * 3_600_000;
/// For everything that was due to begin.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) async fn run(report: &mut Report) {
    let model = Model::serve(1, Duration::ZERO).await;
    let gateway = Gateway::start(&json!({
        "models": {"providers": {"bench": {"baseUrl": model.base, "apiKey": "k", "models": [{"id": "m", "name": "M"}]}}},
        "agents": {"defaults": {"model": {"primary": "bench/m"}, "maxConcurrent": 64}},
    }))
    .await;
    alone(report, &gateway).await;
    together(report, &gateway).await;
    sleep(Duration::from_secs(5)).await; // what was done is over
    let without = idle(&gateway).await;
    // Those that ran are there as well, for the next hundred years.
    let ran = usize::try_from(ALONE + DUE).expect("a small number");
    let times = vec![now_ms() + YEAR_MS; IDLE - ran];
    add_all(&gateway, &times).await;
    sleep(Duration::from_secs(5)).await;
    report.add(
        format!(
            "processor time with {IDLE} jobs of which none is due, all processes; reference without them"
        ),
        idle(&gateway).await,
        "% core",
        None,
        Some(without),
    );
}

/// From the time of a job to the event that its run has begun.
async fn alone(report: &mut Report, gateway: &Gateway) {
    let mut screen = listener::hello(gateway).await;
    let mut delays = Vec::new();
    for n in 0..ALONE {
        // Not on a whole second, on which other things happen.
        let due = (now_ms() / 1_000 + 2) * 1_000 + 37 * (n + 1);
        add_all(gateway, &[due]).await;
        delays.extend(begun(&mut screen, 1).await);
    }
    for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
        report.add(
            format!("from the time of a job to the event that its run began, {name}"),
            percentile(&mut delays, share),
            "ms",
            Some(50.0),
            None,
        );
    }
}

async fn together(report: &mut Report, gateway: &Gateway) {
    let mut screen = listener::hello(gateway).await;
    // Far enough ahead that all are there before their second.
    let second = (now_ms() / 1_000 + 30) * 1_000;
    let times: Vec<u64> = (0..DUE).map(|n| second + n * 1_000 / DUE).collect();
    add_all(gateway, &times).await;
    assert!(now_ms() < second, "the jobs are there before they are due");
    let mut delays = begun(&mut screen, times.len()).await;
    for (name, share) in [("p50", 0.5), ("the last", 1.0)] {
        report.add(
            format!(
                "{DUE} jobs due in one second: from the time of each to the event that its run began, {name}"
            ),
            percentile(&mut delays, share),
            "ms",
            None,
            None,
        );
    }
}

/// How late the next runs were when a screen was told that they began.
async fn begun(screen: &mut WebSocketStream<TcpStream>, count: usize) -> Vec<f64> {
    let begun = async {
        let mut delays = Vec::with_capacity(count);
        while delays.len() < count {
            let frame = screen.next().await.expect("an open socket").expect("a frame");
            let at = now_ms();
            let Message::Text(text) = frame else { continue };
            let frame: Value = serde_json::from_str(&text).expect("JSON");
            let run = &frame["payload"];
            if frame["event"] == "cron" && run["action"] == "started" {
                let due = run["runAtMs"].as_u64().expect("its time");
                #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
                delays.push(at.saturating_sub(due) as f64);
            }
        }
        delays
    };
    timeout(PATIENCE, begun).await.expect("every job begins")
}

/// Jobs that run once at these times, some of them added at the same time.
async fn add_all(gateway: &Gateway, times: &[u64]) {
    let client = http::client();
    let share = times.len().div_ceil(TOGETHER).max(1);
    join_all(times.chunks(share).map(async |times| {
        for due in times {
            let job = json!({
                "name": "bench", "sessionTarget": "isolated", "wakeMode": "now", "delivery": {"mode": "none"},
                "payload": {"kind": "agentTurn", "message": "go"},
                // Once in a hundred years, counted from its time: to the millisecond.
                "schedule": {"kind": "every", "everyMs": 100 * YEAR_MS, "anchorMs": due},
            });
            let added = client
                .post(format!("{}/rpc/cron.add", gateway.http()))
                .bearer_auth(gateway.token())
                .body(job.to_string())
                .send()
                .await
                .expect("an answer");
            assert!(
                added.status().is_success(),
                "{}",
                added.text().await.unwrap_or_default()
            );
        }
    }))
    .await;
}

/// The share of a processor that all processes use while nothing happens, in percent.
async fn idle(gateway: &Gateway) -> f64 {
    let spent = || gateway.pids().iter().map(|pid| cpu(*pid)).sum::<Duration>();
    let before = spent();
    sleep(WATCHED).await;
    (spent() - before).as_secs_f64() * 100.0 / WATCHED.as_secs_f64()
}

fn now_ms() -> u64 {
    u64::try_from(now().as_millis()).expect("a time of this age")
}
