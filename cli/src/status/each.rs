//! How the gateway is when the one that knows it is away: every service is asked by itself.

use std::time::Duration;

use futures::future::join_all;
use gatehouse_core::{Address, Secret, Service, ServiceSettings, client::Peer, health};
use serde::Deserialize;
use tokio::time::timeout;
use tonic::Code;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::page::Process;
use crate::{
    args::Common,
    gateway::{Gateway, within_deadline},
    http,
    service::environment,
};

/// Whoever serves answers within milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the edge says of itself and of whom it needs (`/readyz`).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Readiness {
    /// Whether messages are taken.
    pub(super) ready: bool,
    failing: Vec<String>,
    degraded: Vec<String>,
}

/// Asks the edge. `None` when it does not answer.
pub(super) async fn readiness(gateway: &Gateway) -> Option<Readiness> {
    let host = gateway.url.host_str().unwrap_or_default();
    let port = gateway.url.port_or_known_default().unwrap_or_default();
    let answer = http::get(&format!("{host}:{port}"), "/readyz", PATIENCE)
        .await
        .ok()?;
    serde_json::from_str(&answer.body).ok()
}

/// Asks every service of the gateway in this home, at its own address.
pub(super) async fn of_the_home(common: &Common, edge: Option<&Readiness>) -> Vec<Process> {
    let env = environment(common);
    let settings = within_deadline(common, move || ServiceSettings::read(&env, Service::Edge));
    let Ok(Ok(settings)) = settings else {
        return edge.map(from_afar).unwrap_or_default();
    };
    let asked = Service::ALL.map(|service| {
        let address = settings.peers.address(service).clone();
        async move {
            match (service, edge) {
                (Service::Edge, edge) => of_edge(edge),
                _ => ask(service, &address).await,
            }
        }
    });
    join_all(asked).await
}

/// What the edge knows of the others: all that can be said of a gateway elsewhere.
pub(super) fn from_afar(edge: &Readiness) -> Vec<Process> {
    let away = |service: Service| {
        edge.failing
            .iter()
            .chain(&edge.degraded)
            .any(|name| name == service.name())
    };
    let others = Service::ALL
        .into_iter()
        .filter(|service| *service != Service::Edge);
    let others = others.map(|service| match away(service) {
        true => Process::new(service, "silent", Some("the edge says that it does not serve")),
        false => Process::new(service, "serving", None),
    });
    others.chain([of_edge(Some(edge))]).collect()
}

fn of_edge(edge: Option<&Readiness>) -> Process {
    match edge {
        None => Process::new(Service::Edge, "silent", Some("it does not answer")),
        Some(Readiness {
            ready: true,
            degraded,
            ..
        }) if degraded.is_empty() => Process::new(Service::Edge, "serving", None),
        Some(Readiness {
            ready: true,
            degraded,
            ..
        }) => {
            let why = format!("takes messages; does without {}", degraded.join(", "));
            Process::new(Service::Edge, "degraded", Some(&why))
        }
        Some(Readiness { failing, .. }) => {
            let why = format!("takes no messages: {} missing", failing.join(", "));
            Process::new(Service::Edge, "not_serving", Some(&why))
        }
    }
}

async fn ask(service: Service, address: &Address) -> Process {
    // Health asks for no credential.
    let mut client = HealthClient::new(Peer::lazy(address, &Secret::new("none")).channel());
    let request = |name: &str| HealthCheckRequest {
        service: name.to_owned(),
    };
    let silent = |why: &str| Process::new(service, "silent", Some(why));
    let serves = match timeout(PATIENCE, client.check(request(""))).await {
        Ok(Ok(answer)) => answer.get_ref().status() == ServingStatus::Serving,
        Ok(Err(status)) if status.code() == Code::Unavailable => return silent("it does not answer"),
        Ok(Err(status)) => return silent(status.message()),
        Err(_) => return silent("it does not answer"),
    };
    if serves {
        return Process::new(service, "serving", None);
    }
    let stopping = timeout(PATIENCE, client.check(request(health::STOPPING))).await;
    let why = match stopping {
        Ok(Ok(_)) => "it was asked to end",
        _ => "it says that it does not serve; its log says why",
    };
    Process::new(service, "not_serving", Some(why))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(processes: &[Process]) -> Vec<(&str, &str)> {
        let pairs = processes.iter();
        pairs
            .map(|process| (process.service.as_str(), process.state.as_str()))
            .collect()
    }

    #[test]
    fn a_gateway_elsewhere_is_as_its_edge_says() {
        let edge: Readiness =
            serde_json::from_str(r#"{"ready":true,"failing":[],"degraded":["broadcast"]}"#).unwrap();

        let processes = from_afar(&edge);

        let states = states(&processes);
        assert!(states.contains(&("broadcast", "silent")), "{states:?}");
        assert!(states.contains(&("edge", "degraded")), "{states:?}");
        assert!(states.contains(&("session", "serving")), "{states:?}");
        assert_eq!(states.len(), Service::ALL.len());
    }
}
