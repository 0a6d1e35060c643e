//! `gatehouse status`: how the house is, on one page.

use std::{collections::BTreeMap, time::Duration};

use gatehouse_core::private;
use serde::Deserialize;
use serde_json::{json, value::RawValue};

use crate::{
    args::Common,
    call,
    client::{self, Client, follow::has_changed},
    exit::{Exit, Failed},
    http,
    place::{Place, within_deadline},
    service::environment,
    term::{Ink, Style, Table, ago, printable},
};

/// Status asks every service, for a second at most; whoever takes longer is a finding.
const ANSWER: Duration = Duration::from_secs(4);

/// Characters of a revision's hash: enough to see whether two are the same.
const HASH_SHOWN: usize = 8;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct House {
    ok: bool,
    version: String,
    uptime_ms: i64,
    services: Vec<Process>,
    connections: i64,
    config_hash: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Process {
    service: String,
    version: String,
    state: String,
    detail: Option<String>,
    config_hash: Option<String>,
    uptime_ms: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Channels {
    ts: i64,
    channel_accounts: BTreeMap<String, Vec<Account>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Account {
    account_id: String,
    state: String,
    last_error: Option<String>,
    warning: Option<String>,
    last_inbound_at: Option<i64>,
    outbox_count: i64,
    dead_letter_count: i64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Findings {
    issues: Vec<Finding>,
}

#[derive(Deserialize)]
struct Finding {
    path: String,
    message: String,
}

/// Prints the state of the house. An unhealthy one is a failure.
pub(crate) async fn run(common: &Common, style: Style) -> Result<(), Failed> {
    let Asked {
        place,
        status,
        channels,
        configuration,
    } = match ask(common).await? {
        // What cut it off is the end of the old token: the new one shows how things stand.
        (place, Err(failed)) if failed.exit == Exit::Unavailable && has_changed(common, &place) => {
            ask(common).await?.1?
        }
        // Broadcast knows how everybody is. Without it the edge still knows whom it misses.
        (place, Err(failed)) if failed.exit == Exit::Unavailable => {
            return Err(away(&place, failed).await);
        }
        (_, asked) => asked?,
    };
    let house: House = read("status", &status)?;
    if common.json {
        let channels = channels.as_ref().map_or("null", |channels| channels.get());
        call::print(
            &format!(r#"{{"status":{},"channels":{channels}}}"#, status.get()),
            true,
        )?;
    } else {
        let mut page = page(&house, &place, style);
        page.push('\n');
        page.push_str(&match &channels {
            Ok(channels) => channel_table(&read("channels.status", channels)?, style),
            Err(failed) => style.paint(Ink::Red, &format!("channels: {failed}\n")),
        });
        if let Ok(found) = configuration.and_then(|answer| read::<Findings>("config.get", &answer)) {
            for finding in found.issues {
                let at = if finding.path.is_empty() {
                    String::new()
                } else {
                    format!("{}: ", finding.path)
                };
                let line = printable(&format!("configuration: {at}{}", finding.message)).replace('\n', " ");
                page.push_str(&style.paint(Ink::Yellow, &line));
                page.push('\n');
            }
        }
        let house = gatehouse_core::House::read(&environment(common));
        let open = within_deadline(common, move || private::open_among(house.private_paths()))?;
        for open in open {
            page.push_str(&style.paint(Ink::Yellow, &format!("home: {open}\n")));
        }
        print!("{page}");
    }
    if house.ok && channels.is_ok() {
        Ok(())
    } else {
        Err(Failed::new(Exit::Failed, "not every service serves").next("the log of `gatehouse up` says why"))
    }
}

/// What the gateway says of itself.
struct Asked {
    place: Place,
    status: Box<RawValue>,
    channels: Result<Box<RawValue>, Failed>,
    configuration: Result<Box<RawValue>, Failed>,
}

/// Asks, and says where: which token was shown matters when the connection is cut off.
async fn ask(common: &Common) -> Result<(Place, Result<Asked, Failed>), Failed> {
    let (place, mut client) = Client::follow(common, &["status", "channels.status", "config.get"]).await?;
    let nothing = client::params(&json!({}));
    let status = match client.call("status", &nothing, ANSWER).await {
        Ok(status) => status,
        Err(failed) => return Ok((place, Err(failed))),
    };
    // A bridge that is away is a finding, not a reason to say nothing.
    let channels = client.call("channels.status", &nothing, ANSWER).await;
    // What is not right with the configuration; without it there is still a state to show.
    let configuration = client.call("config.get", &nothing, ANSWER).await;
    client.close().await;
    let asked = Asked {
        place: place.clone(),
        status,
        channels,
        configuration,
    };
    Ok((place, Ok(asked)))
}

/// What the edge alone can tell.
async fn away(place: &Place, failed: Failed) -> Failed {
    let host = place.url.host_str().unwrap_or_default();
    let authority = format!("{host}:{}", place.url.port_or_known_default().unwrap_or_default());
    let report = match http::get(&authority, "/readyz", ANSWER).await {
        Ok(answer) => serde_json::from_str(&answer.body).unwrap_or_default(),
        Err(_) => serde_json::Value::Null,
    };
    let missing: Vec<&str> = ["failing", "degraded"]
        .iter()
        .filter_map(|list| report[list].as_array())
        .flatten()
        .filter_map(serde_json::Value::as_str)
        .collect();
    if missing.is_empty() {
        return failed;
    }
    let verdict = match report["ready"].as_bool() {
        Some(true) => "messages are taken",
        _ => "messages are not taken",
    };
    Failed::new(
        Exit::Failed,
        format!("{verdict}; not serving: {}", missing.join(", ")),
    )
    .next("the log of `gatehouse up` says why")
}

fn read<T: serde::de::DeserializeOwned>(method: &str, payload: &RawValue) -> Result<T, Failed> {
    serde_json::from_str(payload.get()).map_err(|error| {
        Failed::new(
            Exit::Failed,
            format!("{method}: the answer cannot be read: {error}"),
        )
    })
}

fn short(hash: Option<&String>) -> String {
    hash.map_or_else(|| "-".to_owned(), |hash| hash.chars().take(HASH_SHOWN).collect())
}

fn page(house: &House, place: &Place, style: Style) -> String {
    let verdict = if house.ok {
        style.paint(Ink::Green, "serving")
    } else {
        style.paint(Ink::Red, "NOT SERVING")
    };
    let mut page = format!(
        "{} {} at {}: {verdict}, up {}, {} connected, configuration {}\n\n",
        style.paint(Ink::Bold, "Gatehouse"),
        house.version,
        place.url,
        ago(house.uptime_ms),
        house.connections,
        short(house.config_hash.as_ref()),
    );
    let mut table = Table::new(&["SERVICE", "STATE", "CONFIG", "UP", "VERSION", "DETAIL"]);
    for process in &house.services {
        let ink = match process.state.as_str() {
            "serving" => Ink::Green,
            "starting" | "degraded" => Ink::Yellow,
            _ => Ink::Red,
        };
        // The config service has no revision to apply: it is where they come from.
        let behind = process.config_hash.is_some() && process.config_hash != house.config_hash;
        table.row(vec![
            (None, process.service.clone()),
            (Some(ink), process.state.clone()),
            (behind.then_some(Ink::Yellow), short(process.config_hash.as_ref())),
            (None, ago(process.uptime_ms)),
            (Some(Ink::Dim), process.version.clone()),
            (None, process.detail.clone().unwrap_or_default()),
        ]);
    }
    page.push_str(&table.render(style));
    page
}

fn channel_table(channels: &Channels, style: Style) -> String {
    if channels.channel_accounts.values().all(Vec::is_empty) {
        return style.paint(
            Ink::Dim,
            "no channels are set up: see channels in docs/configuration.md\n",
        );
    }
    let mut table = Table::new(&[
        "CHANNEL",
        "STATE",
        "LAST MESSAGE",
        "WAITING",
        "GIVEN UP",
        "DETAIL",
    ]);
    for (channel, accounts) in &channels.channel_accounts {
        for account in accounts {
            let ink = match account.state.as_str() {
                "connected" => Ink::Green,
                "stopped" => Ink::Dim,
                "failed" => Ink::Red,
                _ => Ink::Yellow,
            };
            let last = account
                .last_inbound_at
                .map_or_else(|| "-".to_owned(), |at| format!("{} ago", ago(channels.ts - at)));
            table.row(vec![
                (None, format!("{channel}/{}", account.account_id)),
                (Some(ink), account.state.clone()),
                (None, last),
                (None, account.outbox_count.to_string()),
                (
                    (account.dead_letter_count > 0).then_some(Ink::Red),
                    account.dead_letter_count.to_string(),
                ),
                (
                    None,
                    account
                        .last_error
                        .as_ref()
                        .or(account.warning.as_ref())
                        .cloned()
                        .unwrap_or_default(),
                ),
            ]);
        }
    }
    table.render(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_every_service_and_its_revision() {
        let house: House = serde_json::from_value(json!({
            "ok": false, "version": "0.1.0", "uptimeMs": 4_000, "connections": 2, "configHash": "abcdef0123456789",
            "services": [
                {"service": "edge", "state": "serving", "configHash": "abcdef0123456789", "uptimeMs": 3_000, "version": "0.1.0"},
                {"service": "session", "state": "silent", "uptimeMs": 0, "version": "0.1.0", "detail": "has not reported for 15 s"},
            ],
        }))
        .unwrap();
        let place = Place {
            url: url::Url::parse("ws://127.0.0.1:1").unwrap(),
            token: None,
            tokenless: None,
        };

        let page = page(&house, &place, Style::plain());

        for needed in [
            "NOT SERVING",
            "2 connected",
            "edge     serving  abcdef01",
            "session  silent   -",
            "has not reported",
        ] {
            assert!(page.contains(needed), "{needed:?} is missing in\n{page}");
        }
    }

    #[test]
    fn an_account_shows_when_it_last_heard_something() {
        let channels = serde_json::from_value(json!({
            "ts": 100_000,
            "channelAccounts": {"irc": [{"accountId": "home", "state": "connected", "lastInboundAt": 40_000, "outboxCount": 1}]},
        }))
        .unwrap();

        let table = channel_table(&channels, Style::plain());

        assert!(table.contains("irc/home  connected  60 s ago"), "{table}");
    }
}
