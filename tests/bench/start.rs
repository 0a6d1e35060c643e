//! From `gatehouse up` to the first hello, and what an idle gateway weighs.

use std::time::Duration;

use gatehouse_tests::{
    Client, Gateway,
    process::{cpu, pss_kib},
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::report::{Report, percentile};

const ROUNDS: usize = 5;

pub(crate) async fn run(report: &mut Report) {
    let mut starts = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let gateway = Gateway::start(&json!({})).await;
        let _client = Client::plain(&gateway, &["operator.read"]).await;
        starts.push(began.elapsed().as_secs_f64());
    }
    report.add(
        "start of everything to the first hello, median of 5",
        percentile(&mut starts, 0.5),
        "s",
        Some(1.0),
        None,
    );

    let gateway = Gateway::start(&json!({})).await;
    sleep(Duration::from_secs(5)).await; // idle: start-up buffers are given back
    let pids = gateway.pids();
    let kib: u64 = pids.iter().map(|pid| pss_kib(*pid)).sum();
    report.add(
        "memory idle, all processes (PSS)",
        mib(kib),
        "MiB",
        Some(80.0),
        None,
    );
    let before: Duration = pids.iter().map(|pid| cpu(*pid)).sum();
    sleep(Duration::from_secs(10)).await;
    let idle = pids.iter().map(|pid| cpu(*pid)).sum::<Duration>() - before;
    report.add(
        "processor time idle, all processes",
        idle.as_secs_f64() * 10.0,
        "% core",
        Some(1.0),
        None,
    );
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
pub(crate) fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
