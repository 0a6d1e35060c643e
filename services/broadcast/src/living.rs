//! Which services answer now: asked when somebody wants to know, because what was said a few seconds ago is not how it is.

use std::{collections::BTreeMap, time::Duration};

use futures::future::join_all;
use gatehouse_core::{
    Service,
    client::{Peer, PeerService},
};
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

/// How long answers are remembered, so that nobody can make us ask more often.
const FRESH: Duration = Duration::from_millis(500);

/// A service that does not answer this fast does not answer.
const PATIENCE: Duration = Duration::from_millis(800);

/// Those with an address of their own. Edges are known by their subscriptions, and broadcast by its answer.
const ASKED: [Service; 4] = [
    Service::Agent,
    Service::ChannelBridge,
    Service::Config,
    Service::Session,
];

/// What a service answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Serves,
    DoesNotServe,
    Nothing,
}

/// The answers, by service.
pub(crate) type Answers = BTreeMap<&'static str, Answer>;

/// Asks.
#[derive(Debug)]
pub(crate) struct Living {
    clients: Vec<(Service, HealthClient<PeerService>)>,
    last: Mutex<Option<(Instant, Answers)>>,
}

impl Living {
    pub(crate) fn new(peer: impl Fn(Service) -> Peer) -> Self {
        let client = |service| (service, HealthClient::new(peer(service).service()));
        Self {
            clients: ASKED.map(client).into(),
            last: Mutex::default(),
        }
    }

    /// How each service is now, or was a moment ago.
    pub(crate) async fn ask(&self) -> Answers {
        // Held while it asks: who comes meanwhile gets the same answers.
        let mut last = self.last.lock().await;
        if let Some((at, answers)) = &*last
            && at.elapsed() < FRESH
        {
            return answers.clone();
        }
        let asked = self.clients.iter().map(|(service, client)| {
            let (service, mut client) = (service.name(), client.clone());
            async move {
                let asked = timeout(PATIENCE, client.check(HealthCheckRequest::default())).await;
                let answer = match asked {
                    Ok(Ok(answer)) if answer.get_ref().status() == ServingStatus::Serving => Answer::Serves,
                    Ok(Ok(_)) => Answer::DoesNotServe,
                    Ok(Err(_)) | Err(_) => Answer::Nothing,
                };
                (service, answer)
            }
        });
        let answers: Answers = join_all(asked).await.into_iter().collect();
        *last = Some((Instant::now(), answers.clone()));
        answers
    }
}
