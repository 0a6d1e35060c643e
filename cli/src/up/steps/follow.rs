//! Sees how far the services are: each is asked for what it has found of its own, until it answers. Nobody waits for this.

use std::{collections::BTreeSet, convert::Infallible, time::Duration};

use gatehouse_contract::Map;
use gatehouse_core::{Home, Service, backoff::Backoff};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::Steps;
use crate::{client::grpc::Backend, start::Step, term::moment};

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
        let told = channels(&answer(home, Service::ChannelBridge, "channels.status").await);
        steps.done(Step::Channels, &told);
    };
    let schedules = async {
        let told = schedules(&answer(home, Service::Session, "cron.status").await);
        steps.done(Step::Schedules, &format!("{told}; {}", expected.discovery));
    };
    tokio::join!(plugins, channels, schedules);
    std::future::pending().await
}

/// What a service answers, as soon as it does.
async fn answer(home: &Home, service: Service, method: &str) -> Value {
    let mut backoff = Backoff::new(LOOK, LOOK_MAX);
    loop {
        match ask(home, service, method).await {
            Some(answer) => return answer,
            None => sleep(backoff.next()).await,
        }
    }
}

async fn ask(home: &Home, service: Service, method: &str) -> Option<Value> {
    let method = Map::core().method(method)?;
    let backend = Backend::of_home(home, service).ok()?; // the first start makes the credential
    let mut answer = None;
    let keep = |json: &str| {
        answer = serde_json::from_str(json).ok();
        Ok(())
    };
    backend.call(method, "{}", ANSWER, keep).await.ok()?;
    answer
}

async fn plugins(home: &Home, expected: &BTreeSet<String>) -> String {
    if expected.is_empty() {
        return "none is set up".to_owned();
    }
    let until = Instant::now() + PLUGINS_WITHIN;
    let mut backoff = Backoff::new(LOOK, LOOK_MAX);
    loop {
        let listed = answer(home, Service::Broadcast, "plugins.list").await;
        let waiting = waiting(&listed, expected);
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
fn waiting(listed: &Value, expected: &BTreeSet<String>) -> Vec<String> {
    let listed = listed["plugins"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let serves = |id: &str| {
        listed
            .iter()
            .any(|one| one["id"] == id && one["state"] == "serving")
    };
    expected.iter().filter(|id| !serves(id)).cloned().collect()
}

fn channels(status: &Value) -> String {
    let all = status["channelAccounts"].as_object();
    let accounts = all.into_iter().flatten().flat_map(|(channel, accounts)| {
        let accounts = accounts.as_array().map(Vec::as_slice).unwrap_or_default();
        let wanted = accounts
            .iter()
            .filter(|one| one["enabled"] == true && one["configured"] == true);
        wanted.filter_map(move |one| Some(format!("{channel}/{}", one["accountId"].as_str()?)))
    });
    let accounts: Vec<String> = accounts.collect();
    match accounts.len() {
        0 => "none is set up".to_owned(),
        1 => format!("1 account: {}", named(accounts.into_iter())),
        count => format!("{count} accounts: {}", named(accounts.into_iter())),
    }
}

fn schedules(status: &Value) -> String {
    if status["enabled"] == false {
        return "no job runs: cron.enabled is false".to_owned();
    }
    let jobs = match status["jobs"].as_u64().unwrap_or(0) {
        0 => "no job".to_owned(),
        1 => "1 job".to_owned(),
        jobs => format!("{jobs} jobs"),
    };
    match status["nextWakeAtMs"].as_i64() {
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
        let status = json!({"channelAccounts": {
            "irc": [
                {"accountId": "home", "enabled": true, "configured": true},
                {"accountId": "off", "enabled": false, "configured": true},
            ],
            "slack": [{"accountId": "default", "enabled": true, "configured": false}],
        }});

        assert_eq!(channels(&status), "1 account: irc/home");
        assert_eq!(channels(&json!({})), "none is set up");
        assert_eq!(schedules(&json!({"enabled": true, "jobs": 0})), "no job");
        assert_eq!(
            schedules(&json!({"enabled": false, "jobs": 3})),
            "no job runs: cron.enabled is false"
        );
        let next = schedules(&json!({"enabled": true, "jobs": 2, "nextWakeAtMs": 1_800_000_000_000_i64}));
        assert!(next.starts_with("2 jobs, the next at 2027-01-15"), "{next}");
    }

    #[test]
    fn a_plugin_that_has_not_joined_is_waited_for_by_its_name() {
        let expected: BTreeSet<String> = ["kitchen", "garden"].map(str::to_owned).into();
        let listed = json!({"plugins": [
            {"id": "kitchen", "state": "serving"},
            {"id": "garden", "state": "away"},
        ]});

        assert_eq!(waiting(&listed, &expected), ["garden"]);
        assert_eq!(waiting(&json!({}), &expected).len(), 2);
    }

    #[test]
    fn a_long_list_of_names_has_an_end() {
        let names: Vec<String> = (0..20).map(|number| format!("p{number}")).collect();

        assert!(named(names.into_iter()).ends_with("p7 and 12 more"));
    }
}
