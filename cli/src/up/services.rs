//! The programs of the six services: how each is started, asked whether it answers, and in which order they are stopped.

use std::{fs, path::Path};

use gatehouse_core::{Address, Home, Secret, Service, client::Peer};
use tonic::Code;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::{
    child::{Kind, Probe, Program, RESTART_MAX, RESTART_MAX_EDGE},
    discovery,
    log::Log,
    plan::{PORT, Plan},
    supervisor::Supervisor,
};
use crate::exit::{Exit, Failed};

/// The steps in which services are stopped: see [`gatehouse_core::drain::plan`].
const STEPS: [&[Service]; 3] = [
    &[Service::Session, Service::Edge],
    &[Service::Agent, Service::Broadcast, Service::ChannelBridge],
    &[Service::Config],
];

/// Starts them all.
pub(super) fn start(plan: &Plan, home: &Home, log: &Log) -> Result<Supervisor, Failed> {
    let executable = crate::program::path()
        .map_err(|error| Failed::new(Exit::Failed, format!("cannot find our own program: {error}")))?;
    let program = |(index, service): (usize, Service)| {
        let (executable, environment) = (executable.clone(), plan.environment(service));
        let url_file = (service == Service::Edge && plan.any_port).then(|| home.url_file());
        let command = move || {
            let mut command = tokio::process::Command::new(&executable);
            command.arg(service.name()).env_clear().envs(&environment);
            if let Some(port) = url_file.as_deref().and_then(last_port) {
                command.env(PORT, port.to_string());
            }
            command
        };
        Program {
            name: service.name().into(),
            index,
            command: Box::new(command),
            answers: Some(answers(home, service)),
            pause_max: match service {
                Service::Edge => RESTART_MAX_EDGE,
                _ => RESTART_MAX,
            },
            kind: Kind::Service,
        }
    };
    let index = |service| Service::ALL.iter().position(|other| *other == service);
    let programs = |step: &[Service]| {
        let of = |service: &Service| program((index(*service).unwrap_or_default(), *service));
        step.iter().map(of).collect()
    };
    let mut steps: Vec<Vec<Program>> = STEPS.map(programs).into();
    if let Some(first) = steps.first_mut() {
        let environment = plan.environment_of_discovery();
        // Nobody is sent to an edge that ends.
        first.extend(discovery::program(&plan.discovery, environment, &executable));
    }
    Ok(Supervisor::start(steps, log))
}

/// The port that the edge had, when it was asked for any: whoever knows its address finds it there again. The address is taken away, so
/// that one that cannot have its port again (it writes none) is not tied to it.
fn last_port(url_file: &Path) -> Option<u16> {
    let url = fs::read_to_string(url_file).ok()?;
    let _ = fs::remove_file(url_file);
    url.trim().rsplit_once(':')?.1.parse().ok()
}

/// Asks a service over one connection that is kept. Any answer counts: whether it serves is readiness's question.
fn answers(home: &Home, service: Service) -> Probe {
    // Health asks for no credential.
    let address = Address::Unix(home.run.join(format!("{service}.sock")));
    let peer = Peer::lazy(&address, &Secret::new("none"));
    Box::new(move || {
        let mut client = HealthClient::new(peer.channel());
        Box::pin(async move {
            match client.check(HealthCheckRequest::default()).await {
                Ok(_) => true,
                Err(status) => !matches!(
                    status.code(),
                    Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled
                ),
            }
        })
    })
}

#[cfg(test)]
mod tests;
