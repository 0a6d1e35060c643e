//! Sees how far the services are: each is asked for what it has found of its own, until it answers. Nobody waits for this.

use std::{collections::BTreeSet, convert::Infallible, time::Duration};

use gatehouse_core::{
    Address, Home, Identity, Service,
    backoff::Backoff,
    client::{Peer, PeerService},
    credential::Credential,
};
use gatehouse_proto::{
    channel::v1::{GetChannelsStatusRequest, channel_service_client::ChannelServiceClient},
    plugin::v1::{
        ListPluginsRequest, PluginState, PluginSummary, plugin_service_client::PluginServiceClient,
    },
    session::v1::{
        GetCronStatusRequest, GetCronStatusResponse, schedule_service_client::ScheduleServiceClient,
    },
};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};
use tonic::{Response, Status};

use super::Steps;
use crate::{start::Step, term::moment};

/// How often a service is asked at first. A start takes about half a second.
const LOOK: Duration = Duration::from_millis(25);

/// The same for one that takes long: a large database is migrated before it answers.
const LOOK_MAX: Duration = Duration::from_secs(1);

/// How long one question may take.
const ANSWER: Duration = Duration::from_secs(2);

/// How long plugins may take to join until it is told which ones have not: they are other people's programs, and may join at any time.
const PLUGINS_WITHIN: Duration = Duration::from_secs(10);

/// Names in a line, at most. `gatehouse status` shows all.
const NAMED_MAX: usize = 8;

/// What the configuration sets up.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Expected {
    /// The ids of plugins.
    pub(in super::super) plugins: BTreeSet<String>,
    /// What is said of discovery.
    pub(in super::super) discovery: String,
}

/// Notes the steps that are the services' own. Never ends.
pub(in super::super) async fn follow(steps: &Steps, home: &Home, expected: &Expected) -> Infallible {
    let plugins = async {
        let told = plugins(home, &expected.plugins).await;
        steps.done(Step::Plugins, &told);
    };
    let channels = async {
        let status = answer(home, Service::ChannelBridge, async |service| {
            let request = GetChannelsStatusRequest::default();
            ChannelServiceClient::new(service)
                .get_channels_status(request)
                .await
        });
        let accounts = serde_json::from_str(&status.await.channel_accounts).unwrap_or_default();
        steps.done(Step::Channels, &channels(&accounts));
    };
    let schedules = async {
        let status = answer(home, Service::Session, async |service| {
            let request = GetCronStatusRequest::default();
            ScheduleServiceClient::new(service).get_cron_status(request).await
        });
        let told = schedules(&status.await);
        steps.done(Step::Schedules, &format!("{told}; {}", expected.discovery));
    };
    tokio::join!(plugins, channels, schedules);
    std::future::pending().await
}

/// What a service answers, as soon as it does. Asked by the contract's own types: reading the map of all methods would take this process
/// 2 MiB for as long as it runs.
async fn answer<T>(
    home: &Home,
    service: Service,
    ask: impl AsyncFn(PeerService) -> Result<Response<T>, Status>,
) -> T {
    let mut backoff = Backoff::new(LOOK, LOOK_MAX);
    loop {
        if let Some(peer) = peer(home, service)
            && let Ok(Ok(answer)) = timeout(ANSWER, ask(peer.service())).await
        {
            return answer.into_inner();
        }
        sleep(backoff.next()).await;
    }
}

/// The way to a service that this process runs. `None`: the first start has not made the credential yet.
fn peer(home: &Home, service: Service) -> Option<Peer> {
    let address = Address::Unix(home.run.join(format!("{service}.sock")));
    let operator = Credential::load(home, Identity::Operator).ok()?;
    Some(operator.peer(service, &address))
}

async fn plugins(home: &Home, expected: &BTreeSet<String>) -> String {
    if expected.is_empty() {
        return "none is set up".to_owned();
    }
    let until = Instant::now() + PLUGINS_WITHIN;
    let mut backoff = Backoff::new(LOOK, LOOK_MAX);
    loop {
        let listed = answer(home, Service::Broadcast, async |service| {
            PluginServiceClient::new(service)
                .list_plugins(ListPluginsRequest {})
                .await
        });
        let waiting = waiting(&listed.await.plugins, expected);
        if waiting.is_empty() {
            return format!("{} joined", named(expected.iter().cloned()));
        }
        if Instant::now() >= until {
            let joined = expected.len() - waiting.len();
            return format!(
                "{joined} of {} joined; not yet: {}; `gatehouse plugins` says why",
                expected.len(),
                named(waiting.into_iter())
            );
        }
        sleep(backoff.next()).await;
    }
}

/// Those that do not serve yet.
fn waiting(listed: &[PluginSummary], expected: &BTreeSet<String>) -> Vec<String> {
    let serves = |id: &str| {
        listed
            .iter()
            .any(|one| one.id == id && one.state() == PluginState::Serving)
    };
    expected.iter().filter(|id| !serves(id)).cloned().collect()
}

/// The accounts of each channel, as the bridge lists them.
fn channels(listed: &Value) -> String {
    let wanted = |fits: fn(&Value) -> bool| -> Vec<String> {
        let all = listed.as_object();
        let accounts = all.into_iter().flatten().flat_map(|(channel, accounts)| {
            let accounts = accounts.as_array().map(Vec::as_slice).unwrap_or_default();
            let wanted = accounts.iter().filter(|one| one["enabled"] == true && fits(one));
            wanted.filter_map(move |one| Some(format!("{channel}/{}", one["accountId"].as_str()?)))
        });
        accounts.collect()
    };
    let accounts = wanted(|one| one["configured"] == true);
    // What is configured wrongly has failed; what only waits does so until its plugin says what the channel is.
    let waiting = wanted(|one| one["configured"] == false && one["state"] == "backoff");
    let said = match accounts.len() {
        0 => None,
        1 => Some(format!("1 account: {}", named(accounts.into_iter()))),
        count => Some(format!("{count} accounts: {}", named(accounts.into_iter()))),
    };
    let waits =
        (!waiting.is_empty()).then(|| format!("waiting for a plugin: {}", named(waiting.into_iter())));
    match (said, waits) {
        (None, None) => "none is set up".to_owned(),
        (said, waits) => said.into_iter().chain(waits).collect::<Vec<_>>().join("; "),
    }
}

fn schedules(status: &GetCronStatusResponse) -> String {
    if !status.enabled {
        return "no job runs: cron is off (cron.enabled)".to_owned();
    }
    let jobs = match status.jobs {
        0 => "no job".to_owned(),
        1 => "1 job".to_owned(),
        jobs => format!("{jobs} jobs"),
    };
    match status.next_wake_at_ms {
        Some(next) => format!("{jobs}, the next at {}", moment(next)),
        None => jobs,
    }
}

fn named(names: impl ExactSizeIterator<Item = String>) -> String {
    let more = names.len().saturating_sub(NAMED_MAX);
    let mut listed = names.take(NAMED_MAX).collect::<Vec<_>>().join(", ");
    if more > 0 {
        listed = format!("{listed} and {more} more");
    }
    listed
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_services_say_is_told_in_a_few_words() {
        let accounts = json!({
            "irc": [
                {"accountId": "home", "enabled": true, "configured": true},
                {"accountId": "off", "enabled": false, "configured": true},
            ],
            "slack": [{"accountId": "default", "enabled": true, "configured": false}],
        });
        let status = |enabled, jobs, next_wake_at_ms| GetCronStatusResponse {
            enabled,
            jobs,
            next_wake_at_ms,
            ..GetCronStatusResponse::default()
        };

        assert_eq!(channels(&accounts), "1 account: irc/home");
        let waits = json!({"accountId": "default", "enabled": true, "configured": false, "state": "backoff"});
        let mut with_a_plugin = accounts.clone();
        with_a_plugin["lines"] = json!([waits]);
        assert_eq!(
            channels(&with_a_plugin),
            "1 account: irc/home; waiting for a plugin: lines/default"
        );
        assert_eq!(
            channels(&json!({"lines": [waits]})),
            "waiting for a plugin: lines/default"
        );
        assert_eq!(channels(&json!({})), "none is set up");
        assert_eq!(schedules(&status(true, 0, None)), "no job");
        assert_eq!(
            schedules(&status(false, 3, None)),
            "no job runs: cron is off (cron.enabled)"
        );
        let next = schedules(&status(true, 2, Some(1_800_000_000_000)));
        assert!(next.starts_with("2 jobs, the next at 2027-01-15"), "{next}");
    }

    #[test]
    fn a_plugin_that_has_not_joined_is_waited_for_by_its_name() {
        let expected: BTreeSet<String> = ["kitchen", "garden"].map(str::to_owned).into();
        let plugin = |id: &str, state: PluginState| PluginSummary {
            id: id.to_owned(),
            state: state.into(),
            ..PluginSummary::default()
        };
        let listed = [
            plugin("kitchen", PluginState::Serving),
            plugin("garden", PluginState::Away),
        ];

        assert_eq!(waiting(&listed, &expected), ["garden"]);
        assert_eq!(waiting(&[], &expected).len(), 2);
    }

    #[test]
    fn a_long_list_of_names_has_an_end() {
        let names: Vec<String> = (0..20).map(|number| format!("p{number}")).collect();

        assert!(named(names.into_iter()).ends_with("p7 and 12 more"));
    }
}
