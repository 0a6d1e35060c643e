//! `gatehouse status`: how the gateway is, on one page.
//!
//! The broadcast service knows how everybody is. While it is away, every service is asked by itself: that is less, and it is shown as
//! such.

mod each;
mod failing;
mod left_out;
mod model;
mod page;
mod start;

use std::{collections::BTreeMap, time::Duration};

use gatehouse_core::{private, telemetry::escape};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

pub(crate) use self::left_out::LeftOut;
use self::{
    each::Readiness,
    page::{Process, Report},
};
use crate::{
    args::{Common, gateway::Status},
    client::{self, Client, follow::has_changed},
    control::Failing,
    exit::{Exit, Failed},
    gateway::{Gateway, within_deadline},
    output,
    service::environment,
    start::Start,
    term::{Ink, Style},
};

/// Status asks every service, for a second at most; whoever takes longer is a finding.
const ANSWER: Duration = Duration::from_secs(4);

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Findings {
    issues: Vec<Finding>,
    warnings: Vec<Finding>,
    /// The document.
    config: Value,
    /// What of it does not act.
    left_out: LeftOut,
}

#[derive(Deserialize)]
struct Finding {
    path: String,
    message: String,
}

/// What somebody should know of an account of a channel, as `channels.status` describes it.
pub(crate) fn detail_of(account: &serde_json::Map<String, Value>) -> String {
    serde_json::from_value::<page::Account>(Value::Object(account.clone()))
        .map(|account| account.detail())
        .unwrap_or_default()
}

/// What the gateway says of itself.
struct Asked {
    gateway: Gateway,
    status: Result<Box<RawValue>, Failed>,
    channels: Result<Box<RawValue>, Failed>,
    configuration: Result<Box<RawValue>, Failed>,
    /// The services of this home that keep ending.
    failing: BTreeMap<String, Failing>,
}

/// Prints the state of the gateway. An unhealthy one is a failure.
pub(crate) async fn run(common: &Common, status: &Status, style: Style) -> Result<(), Failed> {
    if status.start {
        return start::run(common, style);
    }
    let mut asked = match ask(common).await {
        Ok(asked) => asked,
        Err(failed) => return Err(without_an_edge(common, style, failed).await?),
    };
    // What cut it off is the end of the old token: the new one shows how things stand.
    if matches!(&asked.status, Err(failed) if failed.exit == Exit::Unavailable && has_changed(common, &asked.gateway))
    {
        asked = ask(common).await?;
    }
    match &asked.status {
        Ok(status) => whole(common, style, status, &asked),
        Err(failed) if failed.exit == Exit::Unavailable => {
            let edge = each::readiness(&asked.gateway).await;
            let processes = in_parts(common, &asked, edge.as_ref()).await;
            show_parts(common, style, &asked, edge.as_ref(), &processes)?;
            Err(unhealthy(format!("not serving: {}", away(&processes))))
        }
        Err(_) => asked.status.map(drop),
    }
}

/// Asks the edge for what it knows, or is told by others.
async fn ask(common: &Common) -> Result<Asked, Failed> {
    let (gateway, mut client) = Client::follow(common, &["status", "channels.status", "config.get"]).await?;
    let nothing = client::params(&json!({}));
    // A service that is away is a finding, not a reason to say nothing.
    let status = client.call("status", &nothing, ANSWER).await;
    let channels = client.call("channels.status", &nothing, ANSWER).await;
    // What is not right with the configuration; without it there is still a state to show.
    let configuration = client.call("config.get", &nothing, ANSWER).await;
    client.close().await;
    let failing = if gateway.is_own {
        failing::of_the_home(common)
    } else {
        BTreeMap::new()
    };
    Ok(Asked {
        gateway,
        failing,
        status,
        channels,
        configuration,
    })
}

/// All of it, by the service that knows.
fn whole(common: &Common, style: Style, status: &RawValue, asked: &Asked) -> Result<(), Failed> {
    let mut report: Report = read("status", status)?;
    failing::explain(&mut report.services, &asked.failing);
    if common.json {
        print_json(status.get(), asked)?;
    } else {
        let page = page::whole(&report, &asked.gateway, style);
        output::text(&(page + &rest(common, style, asked)?))?;
    }
    if report.ok && asked.channels.is_ok() {
        Ok(())
    } else {
        Err(unhealthy("not every service serves".to_owned()))
    }
}

fn unhealthy(message: String) -> Failed {
    Failed::new(Exit::Failed, message).next("the log of `gatehouse up` says why")
}

/// Every service by itself: of the home at its own address, of a gateway elsewhere as its edge sees it.
async fn in_parts(common: &Common, asked: &Asked, edge: Option<&Readiness>) -> Vec<Process> {
    let mut processes = match edge {
        Some(edge) if !asked.gateway.is_own && common.url.is_some() => each::from_afar(edge),
        edge => each::of_the_home(common, edge).await,
    };
    failing::explain(&mut processes, &asked.failing);
    processes
}

fn show_parts(
    common: &Common,
    style: Style,
    asked: &Asked,
    edge: Option<&Readiness>,
    processes: &[Process],
) -> Result<(), Failed> {
    let ready = edge.map(|edge| edge.ready);
    if common.json {
        return print_json(&parts_json(processes, ready), asked);
    }
    let page = page::in_parts(processes, ready, &asked.gateway, style);
    output::text(&(page + &rest(common, style, asked)?))
}

/// `partial` says that nobody knows the rest: versions, revisions, how long each is up.
fn parts_json(processes: &[Process], ready: Option<bool>) -> String {
    json!({"ok": false, "partial": true, "ready": ready, "services": processes}).to_string()
}

fn away(processes: &[Process]) -> String {
    let away = processes
        .iter()
        .filter(|process| !matches!(process.state.as_str(), "serving" | "degraded"));
    let away: Vec<_> = away.map(|process| process.service.as_str()).collect();
    if away.is_empty() {
        return "nobody by now: ask again".to_owned();
    }
    away.join(", ")
}

/// No edge lets us in. When services of this home answer all the same, they are shown before that is told.
async fn without_an_edge(common: &Common, style: Style, failed: Failed) -> Result<Failed, Failed> {
    if failed.exit != Exit::Unavailable || common.url.is_some() {
        return Ok(failed);
    }
    let mut processes = each::of_the_home(common, None).await;
    failing::explain(&mut processes, &failing::of_the_home(common));
    if processes.iter().all(|process| process.state == "silent") {
        return Ok(failed);
    }
    if common.json {
        output::line(&format!(
            r#"{{"status":{},"channels":null}}"#,
            parts_json(&processes, None)
        ))?;
    } else {
        output::text(&page::in_parts(&processes, None, &Gateway::find(common)?, style))?;
    }
    Ok(failed)
}

fn print_json(status: &str, asked: &Asked) -> Result<(), Failed> {
    let channels = asked.channels.as_ref().map_or("null", |channels| channels.get());
    let failing: Vec<_> = asked.failing.values().collect();
    let failing = json!(failing);
    output::line(&format!(
        r#"{{"status":{status},"channels":{channels},"failing":{failing}}}"#
    ))
}

/// Channels, what is not right with the configuration, and what others can reach in the home.
fn rest(common: &Common, style: Style, asked: &Asked) -> Result<String, Failed> {
    let mut page = "\n".to_owned();
    page.push_str(&match &asked.channels {
        Ok(channels) => page::channels(&read("channels.status", channels)?, style),
        Err(failed) => style.paint(Ink::Red, &format!("channels: {}", escape(&failed.message))) + "\n",
    });
    // The command of a plugin is no service: nobody else says how it ended.
    for (name, why) in asked
        .failing
        .iter()
        .filter(|(name, _)| name.starts_with("plugin/"))
    {
        page.push_str(&style.paint(Ink::Yellow, &escape(&format!("{name}: {}", why.told()))));
        page.push('\n');
    }
    let findings = asked.configuration.as_ref().ok();
    let findings = findings.and_then(|answer| read::<Findings>("config.get", answer).ok());
    if let Some(findings) = &findings {
        let (config, left_out) = (&findings.config, &findings.left_out);
        page.push_str(&model::line(config, left_out, style));
        page.push_str(&page::endpoints(config, left_out, style));
        page.push_str(&page::hooks(config, left_out, style));
    }
    if asked.gateway.is_own {
        let home = common.home.clone();
        // A gateway that another version started has left none: then there is nothing to say.
        if let Ok(start) = within_deadline(common, move || Start::read(&home))? {
            page.push_str(&page::discovery(&start, asked.failing.get("discovery"), style));
        }
    }
    let Findings { issues, warnings, .. } = findings.unwrap_or_default();
    for finding in issues.into_iter().chain(warnings) {
        let at = if finding.path.is_empty() {
            String::new()
        } else {
            format!("{}: ", finding.path)
        };
        let line = format!("configuration: {at}{}", finding.message);
        page.push_str(&style.paint(Ink::Yellow, &escape(&line)));
        page.push('\n');
    }
    let home = gatehouse_core::Home::read(&environment(common));
    let open = within_deadline(common, move || private::open_among(home.private_paths()))?;
    for open in open {
        page.push_str(&style.paint(Ink::Yellow, &format!("home: {open}")));
        page.push('\n');
    }
    Ok(page)
}

fn read<T: serde::de::DeserializeOwned>(method: &str, payload: &RawValue) -> Result<T, Failed> {
    serde_json::from_str(payload.get()).map_err(|error| {
        Failed::new(
            Exit::Failed,
            format!("{method}: the answer cannot be read: {error}"),
        )
    })
}
