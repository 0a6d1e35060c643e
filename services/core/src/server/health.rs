//! The standard health service, fed from the process's health. A question is a sign that somebody wants to know, and the beat of a
//! process that is asked regularly.

use tonic::{Request, Response, Status, async_trait};
use tonic_health::{
    ServingStatus,
    pb::{
        HealthCheckRequest, HealthCheckResponse,
        health_server::{self, HealthServer},
    },
    server::{HealthReporter, HealthService},
};

use crate::{
    beat,
    drain::Drain,
    health::{self, Health, State},
};

/// The service that answers, and the process that hears of each question.
pub(super) struct Asked {
    answers: HealthService,
    health: Health,
}

#[async_trait]
impl health_server::Health for Asked {
    type WatchStream = <HealthService as health_server::Health>::WatchStream;

    async fn check(
        &self,
        question: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        self.health.ask();
        beat::strike();
        self.answers.check(question).await
    }

    async fn watch(
        &self,
        question: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        self.answers.watch(question).await
    }
}

/// The service, for the whole and under each of these names.
pub(super) async fn service(health: &Health, names: Vec<&'static str>, drain: &Drain) -> HealthServer<Asked> {
    let reporter = HealthReporter::new();
    let service = Asked {
        answers: HealthService::from_health_reporter(reporter.clone()),
        health: health.clone(),
    };
    let mut states = health.watch();
    let state = states.borrow_and_update().clone();
    report(&reporter, &names, state).await;
    let end = drain.clone();
    drain.spawn("health service", async move {
        loop {
            tokio::select! {
                () = end.requested() => return report(&reporter, &names, State::Stopping).await,
                changed = states.changed() => if changed.is_err() { return },
            }
            let state = states.borrow_and_update().clone();
            report(&reporter, &names, state).await;
        }
    });
    HealthServer::new(service)
}

async fn report(reporter: &HealthReporter, names: &[&'static str], state: State) {
    let status = if state.serves() {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    };
    for name in names.iter().chain(&[""]) {
        reporter.set_service_status(*name, status).await;
    }
    if state == State::Stopping {
        reporter
            .set_service_status(health::STOPPING, ServingStatus::Serving)
            .await;
    }
}
