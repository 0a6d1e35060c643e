//! The page that `gatehouse status` prints.

mod ways;

use std::collections::BTreeMap;

use gatehouse_core::Service;
use serde::{Deserialize, Serialize};

pub(super) use self::ways::{discovery, endpoints, hooks};
use crate::{
    gateway::Gateway,
    term::{Ink, Style, Table, ago},
};

/// Characters of a revision's hash: enough to see whether two are the same.
const HASH_SHOWN: usize = 8;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) ok: bool,
    pub(super) version: String,
    pub(super) uptime_ms: i64,
    pub(super) services: Vec<Process>,
    pub(super) connections: i64,
    pub(super) config_hash: Option<String>,
}

/// One process, as the roll-up or its own answer says. What is not known is left out.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Process {
    pub(super) service: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) version: String,
    pub(super) state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) config_hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) uptime_ms: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) components: Vec<Part>,
}

/// A part of a process.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<String>,
}

impl Process {
    pub(super) fn new(service: Service, state: &str, detail: Option<&str>) -> Self {
        Self {
            service: service.name().to_owned(),
            state: state.to_owned(),
            detail: detail.map(str::to_owned),
            ..Self::default()
        }
    }

    /// What there is to say of it: of the whole, else of its parts that serve and wait for something.
    fn remark(&self) -> String {
        let parts = self.components.iter().filter(|part| part.ok);
        let waits = || {
            parts
                .filter_map(|part| part.detail.clone())
                .collect::<Vec<_>>()
                .join(" | ")
        };
        self.detail.clone().unwrap_or_else(waits)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Channels {
    pub(super) ts: i64,
    pub(super) channel_accounts: BTreeMap<String, Vec<Account>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Account {
    pub(super) account_id: String,
    pub(super) state: String,
    pub(super) last_error: Option<String>,
    pub(super) warning: Option<String>,
    pub(super) notices: Vec<String>,
    pub(super) rooms: Vec<Room>,
    pub(super) last_inbound_at: Option<i64>,
    pub(super) outbox_count: i64,
    pub(super) dead_letter_count: i64,
    pub(super) not_delivered_count: i64,
    pub(super) isolated: bool,
}

/// A room that an account wants to be in.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Room {
    name: String,
    state: String,
    reason: Option<String>,
    next_step: Option<String>,
}

impl Room {
    /// What somebody should know of it: nothing of one that is joined and takes what is said.
    fn problem(&self) -> Option<String> {
        let where_to = match (self.state.as_str(), &self.reason) {
            ("refused", _) => "not in",
            ("joined", Some(_)) => "cannot speak in",
            _ => return None,
        };
        let reason = self.reason.as_deref().unwrap_or("the server does not say why");
        let problem = format!("{where_to} {}: {reason}", self.name);
        Some(match &self.next_step {
            Some(step) => format!("{problem}; {step}"),
            None => problem,
        })
    }
}

impl Account {
    /// How it is, and whether it is a process of its own.
    fn state(&self) -> String {
        let apart = if self.isolated { ", isolated" } else { "" };
        format!("{}{apart}", self.state)
    }

    /// What somebody should know of it: what is wrong now, the rooms that it is kept out of, what reached nobody, what is not as
    /// configured.
    pub(super) fn detail(&self) -> String {
        let rooms = self.rooms.iter().filter_map(Room::problem);
        let parts = self.last_error.iter().cloned().chain(rooms);
        let undelivered = match self.not_delivered_count {
            0 => None,
            1 => Some("1 message of the last 7 days reached nobody".to_owned()),
            count => Some(format!("{count} messages of the last 7 days reached nobody")),
        };
        let parts = parts
            .chain(undelivered)
            .chain(self.notices.iter().cloned())
            .chain(self.warning.clone());
        parts.collect::<Vec<_>>().join(" | ")
    }
}

fn short(hash: Option<&String>) -> String {
    hash.map_or_else(|| "-".to_owned(), |hash| hash.chars().take(HASH_SHOWN).collect())
}

/// How all of it is, by the service that knows.
pub(super) fn whole(report: &Report, gateway: &Gateway, style: Style) -> String {
    let verdict = if report.ok {
        style.paint(Ink::Green, "serving")
    } else {
        style.paint(Ink::Red, "NOT SERVING")
    };
    let mut page = format!(
        "{} {} at {}: {verdict}, up {}, {} connected, configuration {}\n\n",
        style.paint(Ink::Bold, "Gatehouse"),
        report.version,
        gateway.url,
        ago(report.uptime_ms),
        report.connections,
        short(report.config_hash.as_ref()),
    );
    page.push_str(&services(&report.services, report.config_hash.as_ref(), style));
    page
}

/// How each service is by its own word, while nobody knows all of it.
pub(super) fn in_parts(
    processes: &[Process],
    ready: Option<bool>,
    gateway: &Gateway,
    style: Style,
) -> String {
    let verdict = match ready {
        Some(true) => style.paint(Ink::Yellow, "messages are taken"),
        Some(false) => style.paint(Ink::Red, "messages are not taken"),
        None => style.paint(Ink::Red, "nobody answers there"),
    };
    let head = style.paint(Ink::Bold, "Gatehouse");
    format!(
        "{head} at {}: {verdict}\n\n{}",
        gateway.url,
        services(processes, None, style)
    )
}

fn services(processes: &[Process], config_hash: Option<&String>, style: Style) -> String {
    let mut table = Table::new(&["SERVICE", "STATE", "CONFIG", "UP", "VERSION", "DETAIL"]);
    for process in processes {
        let ink = match process.state.as_str() {
            "serving" => Ink::Green,
            "starting" | "degraded" => Ink::Yellow,
            _ => Ink::Red,
        };
        // The config service has no revision to apply: it is where they come from.
        let behind = config_hash.is_some()
            && process.config_hash.is_some()
            && process.config_hash.as_ref() != config_hash;
        table.row(vec![
            (None, process.service.clone()),
            (Some(ink), process.state.clone()),
            (behind.then_some(Ink::Yellow), short(process.config_hash.as_ref())),
            (None, process.uptime_ms.map_or_else(|| "-".to_owned(), ago)),
            (Some(Ink::Dim), process.version.clone()),
            (None, process.remark()),
        ]);
    }
    table.render(style)
}

/// How the accounts of the channels are.
pub(super) fn channels(channels: &Channels, style: Style) -> String {
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
                (Some(ink), account.state()),
                (None, last),
                (None, account.outbox_count.to_string()),
                (
                    (account.dead_letter_count > 0).then_some(Ink::Red),
                    account.dead_letter_count.to_string(),
                ),
                (None, account.detail()),
            ]);
        }
    }
    table.render(style)
}

#[cfg(test)]
mod tests;
