//! `gatehouse healthcheck`: for container health checks, so that the image needs neither a shell nor curl.

mod hang;

use std::time::Duration;

use gatehouse_core::{Address, Secret, Service, ServiceSettings, client::Peer};
use serde_json::json;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use crate::{
    args::{Common, Healthcheck},
    exit::{Exit, Failed},
    http, output,
    service::{by_name, environment},
};

/// Shorter than the shortest interval of a health check.
const DEADLINE: Duration = Duration::from_secs(3);

/// What an answer says.
enum Asked {
    Serves(String),
    /// It answers, and does not serve: a restart would not help.
    DoesNotServe(String),
    Silent(String),
}

/// Asks one service, and ends one that hangs if that was asked for.
pub(crate) async fn run(common: &Common, check: &Healthcheck) -> Result<(), Failed> {
    let service = by_name(check.service);
    let asked = match service {
        Service::Edge => edge(check.port).await,
        _ => backend(common, service).await?,
    };
    let answers = !matches!(asked, Asked::Silent(_));
    let killed = check
        .kill_after
        .is_some_and(|seconds| hang::note(service.name(), answers, Duration::from_secs(seconds)));
    match asked {
        Asked::Serves(_) if common.json => {
            output::line(&json!({"ok": true, "service": service.name()}).to_string())
        }
        Asked::Serves(text) => output::line(&text),
        Asked::Silent(text) if killed => {
            Err(unhealthy(format!("{text}: killed, so that it is started again")))
        }
        Asked::Silent(text) | Asked::DoesNotServe(text) => Err(unhealthy(text)),
    }
}

async fn backend(common: &Common, service: Service) -> Result<Asked, Failed> {
    let settings = ServiceSettings::read(&environment(common), service)
        .map_err(|error| Failed::new(Exit::Configuration, error.to_string()))?;
    let address = reachable(&settings.listen);
    // Health asks for no credential: a health check must not need to read one.
    let peer = Peer::lazy(&address, &Secret::new("none"));
    let mut client = HealthClient::new(peer.channel());
    let asked = client.check(HealthCheckRequest {
        service: String::new(),
    });
    Ok(match tokio::time::timeout(DEADLINE, asked).await {
        Ok(Ok(answer)) if answer.get_ref().status() == ServingStatus::Serving => {
            Asked::Serves(format!("{service} serves"))
        }
        Ok(Ok(answer)) => Asked::DoesNotServe(format!(
            "{service} at {address} says {}",
            answer.get_ref().status().as_str_name()
        )),
        Ok(Err(status)) => Asked::Silent(format!("{service} at {address}: {}", status.message())),
        Err(_) => Asked::Silent(format!("{service} at {address} does not answer")),
    })
}

async fn edge(port: u16) -> Asked {
    let authority = format!("127.0.0.1:{port}");
    match http::get(&authority, "/readyz", DEADLINE).await {
        Ok(answer) if answer.status == 200 => Asked::Serves("edge is ready".to_owned()),
        Ok(answer) => Asked::DoesNotServe(format!("edge is not ready ({}): {}", answer.status, answer.body)),
        Err(error) => Asked::Silent(format!("edge at {authority} does not answer: {error}")),
    }
}

fn unhealthy(message: String) -> Failed {
    Failed::new(Exit::Unavailable, message)
}

/// Where to reach what listens there: "every address" is not one to connect to.
fn reachable(listen: &Address) -> Address {
    match listen {
        Address::Unix(path) => Address::Unix(path.clone()),
        Address::Tcp(host) => match host.rsplit_once(':') {
            Some(("0.0.0.0", port)) => Address::Tcp(format!("127.0.0.1:{port}")),
            Some(("[::]", port)) => Address::Tcp(format!("[::1]:{port}")),
            _ => Address::Tcp(host.clone()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_asks_itself() {
        assert_eq!(
            reachable(&"tcp:0.0.0.0:7000".parse().unwrap()).to_string(),
            "tcp:127.0.0.1:7000"
        );
        assert_eq!(
            reachable(&"tcp:[::]:7000".parse().unwrap()).to_string(),
            "tcp:[::1]:7000"
        );
        assert_eq!(
            reachable(&"unix:/r/a.sock".parse().unwrap()).to_string(),
            "unix:/r/a.sock"
        );
    }
}
