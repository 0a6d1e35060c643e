//! The end of the edge. An edge that ends alone is back in a moment, so it lets go at once; one that ends with the session
//! service holds its connections until the answers under way have ended, so that clients see them end.

use std::time::Duration;

use futures::future::join;
use gatehouse_core::{Service, client::Peer, drain::plan, health::STOPPING};
use tokio::time::{Instant, sleep, timeout};
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{close::Close, edge::Edge, hub, presence};

/// How long the session service may take to say that it ends too. Whoever ends both asks both in the same moment; an edge
/// that ends alone is away for this much longer, and a restart of it must stay under a second.
const DECIDE: Duration = Duration::from_millis(300);

/// How often it is asked.
const LOOK: Duration = Duration::from_millis(25);

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_millis(250);

/// How long the last events take from the session service over broadcast to here, with room for a busy machine.
const LAST_EVENTS_TRAVEL: Duration = Duration::from_millis(150);

/// What requests under way are given when nothing else is waited for.
const REQUESTS: Duration = Duration::from_millis(300);

/// What connections are given to hear the last words, and tasks to end.
const LEAVE: Duration = Duration::from_millis(500);

/// How the session service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Session {
    Serves,
    Stopping,
    Gone,
    /// It does not answer in time.
    Silent,
}

/// Drains the connections. Sockets are not accepted any more, and requests that change something are refused.
pub(crate) async fn stop(edge: &Edge, broadcast: &Peer) {
    edge.hub.fan_out(vec![hub::shutdown("gateway stopping")]).await;
    hold(edge).await;
    edge.requests.close();
    if timeout(REQUESTS, edge.requests.wait()).await.is_err() {
        tracing::warn!(requests = edge.requests.len(), "requests are left behind");
    }
    for connection in edge.hub.connections().iter() {
        connection.close(&Close::RESTART);
    }
    let (_, closed) = join(
        timeout(LEAVE, presence::leave(edge, broadcast)),
        edge.drain.finish(LEAVE),
    )
    .await;
    if !closed {
        tracing::info!("some connections did not answer the close in time");
    }
}

/// How long answers under way may go on.
pub(crate) fn answers(edge: &Edge) -> Duration {
    edge.policy().map_or(plan::ANSWERS_DEFAULT, |policy| policy.drain)
}

/// Waits for the end of the answers under way, if the session service ends with this edge.
async fn hold(edge: &Edge) {
    let connections = edge.hub.connections().len();
    if connections == 0 && edge.requests.is_empty() {
        return;
    }
    let mut client = HealthClient::new(edge.backend.peer(Service::Session).service());
    let decide = Instant::now() + DECIDE;
    loop {
        match ask(&mut client).await {
            Session::Stopping => break,
            Session::Gone => return,
            Session::Serves | Session::Silent if Instant::now() >= decide => return,
            Session::Serves | Session::Silent => sleep(LOOK).await,
        }
    }
    let answers = answers(edge);
    tracing::info!(connections, limit = ?answers, "connections are held until the answers under way have ended");
    let gone = async {
        while matches!(ask(&mut client).await, Session::Stopping | Session::Silent) {
            sleep(LOOK).await;
        }
    };
    if timeout(answers + plan::FIRST, gone).await.is_err() {
        tracing::warn!("the session service does not end; its clients are disconnected");
    }
    sleep(LAST_EVENTS_TRAVEL).await;
}

async fn ask(client: &mut HealthClient<gatehouse_core::client::PeerService>) -> Session {
    let request = HealthCheckRequest {
        service: STOPPING.to_owned(),
    };
    match timeout(PATIENCE, client.check(request)).await {
        Ok(Ok(answer)) if answer.get_ref().status() == ServingStatus::Serving => Session::Stopping,
        Ok(Ok(_)) => Session::Serves,
        Ok(Err(status)) if status.code() == Code::NotFound => Session::Serves,
        Ok(Err(_)) => Session::Gone,
        Err(_) => Session::Silent,
    }
}
