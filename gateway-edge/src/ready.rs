//! Whether a message can be accepted and durably stored: asked of the services themselves, and remembered for a moment so
//! that nobody can make the edge ask more often. What else is away is told beside it.

use std::time::Duration;

use futures::future::{join, join_all};
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

/// Without these, a message cannot be taken in and stored.
const NEEDED: [Service; 2] = [Service::Session, Service::ChannelBridge];

/// Messages are taken without these: turns wait for agent, clients for broadcast, and everybody runs the revision of the
/// configuration that came last.
const MISSED: [Service; 3] = [Service::Config, Service::Broadcast, Service::Agent];

/// Who does not serve, by name.
#[derive(Clone, Debug, Default)]
struct Away {
    needed: Vec<&'static str>,
    missed: Vec<&'static str>,
}

/// What fails.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    last: Mutex<Option<(Instant, Away)>>,
}

/// The answer of `/readyz`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub(crate) ready: bool,
    pub(crate) failing: Vec<&'static str>,
    /// Who is away without whom messages are taken all the same.
    pub(crate) degraded: Vec<&'static str>,
    pub(crate) uptime_ms: u64,
}

impl Readiness {
    /// How it is now, or was a moment ago.
    pub(crate) async fn report(&self, edge: &Edge, fed: &watch::Receiver<bool>) -> Report {
        let mut last = self.last.lock().await;
        let away = match &*last {
            Some((at, away)) if at.elapsed() < fresh(away) => away.clone(),
            _ => {
                let (needed, missed) = join(ask(&edge.backend, &NEEDED), ask(&edge.backend, &MISSED)).await;
                let away = Away { needed, missed };
                *last = Some((Instant::now(), away.clone()));
                away
            }
        };
        drop(last);
        let Away {
            needed: mut failing,
            missed: mut degraded,
        } = away;
        // The first revision says which tokens open the gateway: before it nobody is let in.
        if edge.policy().is_none() {
            failing.push(Service::Config.name());
        }
        if !*fed.borrow() && !degraded.contains(&Service::Broadcast.name()) {
            degraded.push(Service::Broadcast.name());
        }
        if edge.drain.is_requested() {
            failing.push("draining");
        }
        Report {
            ready: failing.is_empty(),
            failing,
            degraded,
            uptime_ms: edge.uptime_ms(),
        }
    }
}

fn fresh(away: &Away) -> Duration {
    if away.needed.is_empty() && away.missed.is_empty() {
        FRESH
    } else {
        FRESH_FAILING
    }
}

async fn ask(backend: &Backend, services: &[Service]) -> Vec<&'static str> {
    let serves = async |service| {
        let mut client = HealthClient::new(backend.peer(service).service());
        let asked = timeout(PATIENCE, client.check(HealthCheckRequest::default())).await;
        let serving = |answer: tonic::Response<_>| -> bool {
            let answer: tonic_health::pb::HealthCheckResponse = answer.into_inner();
            answer.status() == ServingStatus::Serving
        };
        asked.is_ok_and(|answer| answer.is_ok_and(serving))
    };
    let answers = services
        .iter()
        .map(|service| async { (*service, serves(*service).await) });
    let answers = join_all(answers).await;
    answers
        .into_iter()
        .filter(|(_, serves)| !serves)
        .map(|(service, _)| service.name())
        .collect()
}
