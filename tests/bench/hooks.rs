//! Hooks: how many events a second are on the disk when they are answered, beside how often the same disk flushes a small file.

use std::{fs::File, io::Write, path::Path, time::Duration};

use futures::future::join_all;
use gatehouse_tests::Gateway;
use hmac::{Hmac, Mac};
use reqwest::StatusCode;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::time::Instant;

use crate::{
    report::{Report, percentile},
    rpc::milliseconds,
};

/// Programs that send, each one event after the other, and each with a key of its own: one key may bring so many in a minute. All
/// together send less than the thousand events that may wait.
const PROGRAMS: usize = 32;
const EVENTS: usize = 30;
/// What an event says.
const WORDS: &str =
    "the build broke in step four of nine, and somebody should look at it before the others come back";
const FLUSHES: u32 = 500;

pub(crate) async fn run(report: &mut Report) {
    let mappings: Vec<Value> = (0..PROGRAMS)
        .map(|program| {
            json!({
                "match": {"path": format!("p{program}")}, "messageTemplate": "{{text}}", "deliver": false,
                "signature": {"profile": "github", "secret": secret(program)},
            })
        })
        .collect();
    // One turn at a time: what is measured is how events are taken, and not how they are answered.
    let gateway = Gateway::start(&json!({
        "hooks": {"enabled": true, "token": "hM4sT8vQ2wZ6xC9b", "mappings": mappings},
        "agents": {"defaults": {"maxConcurrent": 1}},
    }))
    .await;
    let flushes = flushes(&gateway.path("session"));

    let began = Instant::now();
    let sent = join_all((0..PROGRAMS).map(|program| send(&gateway, program))).await;
    let took = began.elapsed();

    let mut delays: Vec<f64> = sent.into_iter().flatten().collect();
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = delays.len() as f64 / took.as_secs_f64();
    report.add(
        format!(
            "hooks accepted a second, each on the disk, {PROGRAMS} programs; reference flushes of the disk"
        ),
        rate,
        "1/s",
        None,
        Some(flushes),
    );
    report.add(
        "a hook from request to answer, the same, p50",
        percentile(&mut delays, 0.5),
        "ms",
        None,
        Some(1_000.0 / flushes),
    );
    report.add(
        "the same, p99",
        percentile(&mut delays, 0.99),
        "ms",
        None,
        Some(1_000.0 / flushes),
    );
}

fn secret(program: usize) -> String {
    format!("pL3nR7tY1uJ5kM8c{program}")
}

/// Sends events one after the other, and answers how long each took.
async fn send(gateway: &Gateway, program: usize) -> Vec<f64> {
    // One connection each, as a program keeps one.
    let client = reqwest::Client::builder().build().expect("a client");
    let mut delays = Vec::with_capacity(EVENTS);
    for event in 0..EVENTS {
        let body = json!({"text": WORDS, "event": event}).to_string();
        let request = client
            .post(format!("{}/hooks/p{program}", gateway.http()))
            .header("x-hub-signature-256", signature(&secret(program), &body))
            .body(body);
        let began = Instant::now();
        let answer = request.send().await.expect("an answer");
        let took = began.elapsed();
        let status = answer.status();
        let told = answer.text().await.unwrap_or_default();
        assert_eq!(status, StatusCode::ACCEPTED, "event {event}: {told}");
        delays.push(milliseconds(took));
    }
    delays
}

fn signature(key: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any key length fits");
    mac.update(body.as_bytes());
    let digits: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256={digits}")
}

/// How often a second the disk under this folder takes a small write for good.
fn flushes(folder: &Path) -> f64 {
    let path = folder.join("bench-flushes");
    let mut file = File::create(&path).expect("a file");
    let began = Instant::now();
    for _ in 0..FLUSHES {
        file.write_all(WORDS.as_bytes()).expect("written");
        file.sync_data().expect("on the disk");
    }
    let a_second = f64::from(FLUSHES) / began.elapsed().max(Duration::from_micros(1)).as_secs_f64();
    drop(file);
    std::fs::remove_file(path).expect("removed");
    a_second
}
