//! What an idle connection weighs, in all layers.

use std::time::Duration;

use gatehouse_tests::{Gateway, process::pss_kib};
use serde_json::json;
use tokio::time::sleep;

use crate::{listener, report::Report};

/// Few enough for the usual limit of open files, many enough to drown the noise.
const FEW: usize = 500;
const MANY: usize = 5_000;

pub(crate) async fn run(report: &mut Report) {
    for clients in [FEW, MANY] {
        let gateway = Gateway::start(&json!({})).await;
        sleep(Duration::from_secs(2)).await;
        let weigh = || gateway.pids().iter().map(|pid| pss_kib(*pid)).sum::<u64>();
        let before = weigh();
        let mut sockets = Vec::with_capacity(clients);
        for _ in 0..clients {
            sockets.push(listener::connect(&gateway).await);
        }
        sleep(Duration::from_secs(8)).await; // presence has settled
        let grown = weigh().saturating_sub(before);
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let each = grown as f64 / clients as f64;
        report.add(
            format!("memory for each of {clients} idle connections"),
            each,
            "KiB",
            Some(12.0),
            None,
        );
    }
}
