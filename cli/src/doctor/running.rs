//! What a gateway that runs says of itself.

use std::time::Duration;

use futures::future::join_all;
use gatehouse_core::{Address, Home, Secret, Service, client::Peer};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::timeout;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::finding::Finding;
use crate::{
    args::Common,
    client::{self, Client},
    control::{Answer, Failing},
    nouns::Tested,
    service::environment,
};

/// Whoever serves answers within milliseconds.
const HEALTH: Duration = Duration::from_secs(2);

const ANSWER: Duration = Duration::from_secs(15);

/// A model gets so long to say one word; a local server may have to load it first.
const MODEL: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
struct Configuration {
    config: Value,
    #[serde(default)]
    issues: Vec<Map<String, Value>>,
    #[serde(default)]
    warnings: Vec<Map<String, Value>>,
}

/// Whether what runs is what is installed.
pub(super) fn version(answer: &Answer) -> Finding {
    let ours = env!("CARGO_PKG_VERSION");
    if answer.version == ours {
        return Finding::fine("version", format!("{ours}, the same as this command"));
    }
    Finding::warning(
        "version",
        format!("{} runs, and this command is {ours}", answer.version),
    )
    .fix("gatehouse restart")
}

/// Each service, asked by itself. `failing`: what the supervisor saw of those that ended.
pub(super) async fn services(common: &Common, failing: &[Failing]) -> Vec<Finding> {
    let home = Home::read(&environment(common));
    let asked = Service::ALL.map(|service| {
        let address = Address::Unix(home.run.join(format!("{service}.sock")));
        async move {
            // Health asks for no credential.
            let mut client = HealthClient::new(Peer::lazy(&address, &Secret::new("none")).channel());
            match timeout(HEALTH, client.check(HealthCheckRequest::default())).await {
                Ok(Ok(answer)) if answer.get_ref().status() == ServingStatus::Serving => {
                    Finding::fine("services", format!("{service} serves"))
                }
                Ok(Ok(_)) => Finding::error("services", format!("{service} says that it does not serve"))
                    .fix(format!(
                        "`gatehouse status` says why; `gatehouse restart {service}` starts it again"
                    )),
                Ok(Err(_)) | Err(_) => {
                    let last = failing.iter().find(|one| one.service == service.name());
                    let why = last.map_or_else(
                        || "does not answer".to_owned(),
                        |one| format!("is away, {}", one.told()),
                    );
                    Finding::error("services", format!("{service} {why}")).fix(format!(
                        "`gatehouse logs {service}` says why; `gatehouse restart {service}` starts it again"
                    ))
                }
            }
        }
    });
    join_all(asked).await
}

/// What is asked through the edge: the configuration that runs, channels, and providers if that is wanted.
pub(super) async fn asked(common: &Common, with_models: bool) -> Vec<Finding> {
    let methods = ["config.get", "channels.status", "models.test"];
    let (_, mut client) = match Client::follow(common, &methods).await {
        Ok(connected) => connected,
        Err(failed) => {
            let finding = Finding::error("edge", failed.message);
            return vec![failed.next.into_iter().fold(finding, Finding::fix)];
        }
    };
    let mut findings = Vec::new();
    let mut providers = Vec::new();
    match client
        .call("config.get", &client::params(&json!({})), ANSWER)
        .await
    {
        Ok(answer) => {
            if let Ok(running) = serde_json::from_str::<Configuration>(answer.get()) {
                findings.extend(issues(&running.issues));
                findings.extend(issues(&running.warnings));
                let named = running
                    .config
                    .pointer("/models/providers")
                    .and_then(Value::as_object);
                providers.extend(named.into_iter().flat_map(|named| named.keys().cloned()));
            }
        }
        Err(failed) => findings.push(Finding::error("configuration", failed.message)),
    }
    match client
        .call("channels.status", &client::params(&json!({})), ANSWER)
        .await
    {
        Ok(answer) => findings.extend(channels(&serde_json::from_str(answer.get()).unwrap_or_default())),
        Err(failed) => findings.push(Finding::error("channels", failed.message)),
    }
    if providers.is_empty() {
        findings.push(
            Finding::note("models", "only the echo answers: no provider is set up").fix("gatehouse setup"),
        );
    }
    for provider in providers.iter().filter(|_| with_models) {
        findings.push(model(&mut client, provider).await);
    }
    client.close().await;
    findings
}

fn issues(issues: &[Map<String, Value>]) -> Vec<Finding> {
    let one = |issue: &Map<String, Value>| {
        let text = |name: &str| issue.get(name).and_then(Value::as_str).unwrap_or_default();
        let path = if text("path").is_empty() {
            String::new()
        } else {
            format!("{}: ", text("path"))
        };
        let message = format!("{path}{}", text("message"));
        match text("severity") {
            "error" => Finding::error("configuration", message)
                .fix("mend it in the file: the gateway takes it over by itself then"),
            _ => Finding::warning("configuration", message),
        }
    };
    issues.iter().map(one).collect()
}

fn channels(status: &Value) -> Vec<Finding> {
    let accounts = status.get("channelAccounts").and_then(Value::as_object);
    let mut findings = Vec::new();
    for (channel, list) in accounts.into_iter().flatten() {
        for account in list.as_array().into_iter().flatten() {
            let text = |name: &str| account.get(name).and_then(Value::as_str).unwrap_or_default();
            let name = format!("{channel}/{}", text("accountId"));
            let why = [text("lastError"), text("warning")]
                .into_iter()
                .find(|why| !why.is_empty());
            let why = why.map_or_else(String::new, |why| format!(": {why}"));
            let step = format!("`gatehouse channels show {channel}` says more");
            findings.push(match text("state") {
                "connected" if why.is_empty() => Finding::fine("channels", format!("{name} is connected")),
                "connected" => Finding::warning("channels", format!("{name} is connected{why}")).fix(step),
                "stopped" | "standby" => Finding::note("channels", format!("{name} is {}", text("state")))
                    .fix(format!("gatehouse channels start {channel}")),
                "failed" => Finding::error("channels", format!("{name} has failed{why}")).fix(step),
                state => Finding::warning("channels", format!("{name} is {state}{why}")).fix(step),
            });
        }
    }
    findings
}

async fn model(client: &mut Client, provider: &str) -> Finding {
    let params = json!({"provider": provider, "timeoutMs": 60_000});
    let answer = match client
        .call("models.test", &client::params(&params), MODEL + ANSWER)
        .await
    {
        Ok(answer) => answer,
        Err(failed) => {
            return Finding::warning("models", format!("{provider} was not tried: {}", failed.message));
        }
    };
    match serde_json::from_str::<Tested>(answer.get()) {
        Ok(tested) if tested.ok => Finding::fine(
            "models",
            format!(
                "{}/{} answers, after {} ms",
                tested.provider, tested.model, tested.latency_ms
            ),
        ),
        Ok(tested) => {
            let why = tested.reason.unwrap_or(tested.status);
            let finding = Finding::error(
                "models",
                format!("{}/{} does not answer: {why}", tested.provider, tested.model),
            );
            tested.next_step.into_iter().fold(finding, Finding::fix)
        }
        Err(error) => Finding::warning(
            "models",
            format!("{provider}: the answer cannot be read: {error}"),
        ),
    }
}
