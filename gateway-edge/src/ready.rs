//! Whether the house can accept and durably store: asked of the services themselves, and remembered for a moment so that
//! nobody can make the edge ask more often.

use std::time::Duration;

use futures::future::join_all;
use gatehouse_core::Service;
use serde::Serialize;
use tokio::{
    sync::{Mutex, watch},
    time::{Instant, timeout},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{backend::Backend, edge::Edge};

/// How long an answer is remembered.
const FRESH: Duration = Duration::from_secs(1);

/// The same for one that names somebody: whoever waits for a start wants to hear at once that it is over.
const FRESH_FAILING: Duration = Duration::from_millis(50);

/// A service that does not answer this fast cannot be called ready.
const PATIENCE: Duration = Duration::from_millis(800);

/// Without these, a message cannot be taken in and stored. Agent is not among them: turns wait for it.
const NEEDED: [Service; 4] = [
    Service::Config,
    Service::Session,
    Service::Broadcast,
    Service::ChannelBridge,
];

/// What fails, by name.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    last: Mutex<Option<(Instant, Vec<&'static str>)>>,
}

/// The answer of `/readyz`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub(crate) ready: bool,
    pub(crate) failing: Vec<&'static str>,
    uptime_ms: u64,
}

impl Readiness {
    /// How it is now, or was a moment ago.
    pub(crate) async fn report(&self, edge: &Edge, fed: &watch::Receiver<bool>) -> Report {
        let mut last = self.last.lock().await;
        let failing = match &*last {
            Some((at, failing)) if at.elapsed() < fresh(failing) => failing.clone(),
            _ => {
                let failing = ask(&edge.backend).await;
                *last = Some((Instant::now(), failing.clone()));
                failing
            }
        };
        drop(last);
        let mut failing = failing;
        if edge.policy().is_none() && !failing.contains(&Service::Config.name()) {
            failing.push(Service::Config.name());
        }
        if !*fed.borrow() && !failing.contains(&Service::Broadcast.name()) {
            failing.push(Service::Broadcast.name());
        }
        if edge.drain.is_requested() {
            failing.push("draining");
        }
        Report {
            ready: failing.is_empty(),
            failing,
            uptime_ms: edge.uptime_ms(),
        }
    }
}

fn fresh(failing: &[&str]) -> Duration {
    if failing.is_empty() { FRESH } else { FRESH_FAILING }
}

async fn ask(backend: &Backend) -> Vec<&'static str> {
    let serves = async |service| {
        let mut client = HealthClient::new(backend.peer(service).service());
        let asked = timeout(PATIENCE, client.check(HealthCheckRequest::default())).await;
        let serving = |answer: tonic::Response<_>| -> bool {
            let answer: tonic_health::pb::HealthCheckResponse = answer.into_inner();
            answer.status() == ServingStatus::Serving
        };
        asked.is_ok_and(|answer| answer.is_ok_and(serving))
    };
    let answers = join_all(NEEDED.map(|service| async move { (service, serves(service).await) })).await;
    answers
        .into_iter()
        .filter(|(_, serves)| !serves)
        .map(|(service, _)| service.name())
        .collect()
}
