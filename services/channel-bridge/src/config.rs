//! The section `channels` as accounts. Reading is lenient towards what this bridge does not know, and strict towards what
//! it does: an account with a mistake does not run, and says why.

use std::collections::BTreeMap;

use gatehouse_document::{
    Commands, Plugins,
    channels::{DEFAULT_ACCOUNT, Streaming},
    policies::Sender,
};
use gatehouse_proto::config::v1::ConfigIssue;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    adapter::AccountKey,
    platform::{Connector, Entry, Platforms},
    policy::{self, Policy},
};

/// Accounts in all. Each costs a connection and a task; a household has a few.
const ACCOUNTS_MAX: usize = 256;
/// The longest id of an account; the contract declares the same bound.
const ACCOUNT_BYTES_MAX: usize = 128;
/// Keys that say who may talk and what is wanted, not how to connect: changing them does not reconnect.
const POLICY_KEYS: [&str; 11] = [
    "enabled",
    "name",
    "dmPolicy",
    "allowFrom",
    "groupPolicy",
    "groupAllowFrom",
    "groups",
    "dangerouslyAllowNameMatching",
    "loopGuard",
    "streaming",
    "ackReaction",
];

/// What this service reads of the configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    /// By channel; `defaults` holds for all.
    pub(crate) channels: Map<String, Value>,
    /// Who owns the gateway.
    pub(crate) commands: Commands,
    /// Where people reach it.
    pub(crate) gateway: Reached,
    /// Which plugins bring channels.
    pub(crate) plugins: Plugins,
}

/// Where people reach the gateway.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Reached {
    pub(crate) public_origin: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) key: AccountKey,
    /// Whether it is wanted.
    pub(crate) enabled: bool,
    /// Who may talk.
    pub(crate) policy: Policy,
    /// Whether answers are shown while they are being written.
    pub(crate) streaming: Streaming,
    /// How a message that is going to be answered is reacted to.
    pub(crate) ack_reaction: Option<String>,
    /// How to connect, or what is wrong.
    pub(crate) connector: Result<Connector, String>,
    /// Whether it only waits for something that is not there yet, so that nothing is wrong with how it is configured.
    pub(crate) waits: bool,
    /// The keys that `connector` was read from, to tell whether they changed. Holds secrets.
    connection: Value,
}

impl Account {
    /// Whether the other is connected to in the same way.
    pub(crate) fn connects_like(&self, other: &Self) -> bool {
        self.connection == other.connection
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    /// By key.
    pub(crate) by_key: BTreeMap<AccountKey, Account>,
    /// The account that is meant when none is named, by channel.
    pub(crate) defaults: BTreeMap<String, String>,
}

impl Accounts {
    /// Reads the section, as far as these platforms are in it. `left_out`: what is off in it for a mistake.
    pub(crate) fn read(config: &Config, platforms: &Platforms, left_out: &[ConfigIssue]) -> Self {
        let mut accounts = Self::default();
        let group_policy = config
            .channels
            .get("defaults")
            .and_then(|defaults| defaults.get("groupPolicy"));
        let owners: Vec<String> = config
            .commands
            .owner_allow_from
            .iter()
            .map(|Sender(id)| id.clone())
            .collect();
        let channels: Vec<&str> = platforms.iter().map(|platform| &*platform.name).collect();
        for platform in platforms.iter() {
            let channel = &*platform.name;
            let Some(Value::Object(section)) = config.channels.get(channel) else {
                continue;
            };
            let mut base = section.clone();
            unset(&mut base);
            let listed = base.remove("accounts");
            let default = base
                .remove("defaultAccount")
                .and_then(|id| id.as_str().map(str::to_owned));
            if let Some(policy) = group_policy {
                base.entry("groupPolicy").or_insert_with(|| policy.clone());
            }
            let listed = match listed {
                Some(Value::Object(listed)) if !listed.is_empty() => listed,
                _ => Map::from_iter([(DEFAULT_ACCOUNT.to_owned(), Value::Object(Map::new()))]),
            };
            let first = listed
                .keys()
                .find(|id| *id == DEFAULT_ACCOUNT)
                .or_else(|| listed.keys().next())
                .cloned();
            accounts
                .defaults
                .extend(default.or(first).map(|id| (channel.to_owned(), id)));
            for (id, own) in listed {
                if id.is_empty() || id.len() > ACCOUNT_BYTES_MAX || accounts.by_key.len() >= ACCOUNTS_MAX {
                    tracing::warn!(
                        channel.id = channel,
                        "an account was left out: its id is blank or too long, or there are too many"
                    );
                    continue;
                }
                let mut account = read(platform, AccountKey::new(channel, id), &base, own);
                account.policy.owners = policy::owners(&owners, channel, &channels);
                if let Some(problem) = problem_of(&account.key, left_out) {
                    // What stands in its place says nothing of what is wrong with it.
                    account.connector = Err(problem);
                    account.waits = false;
                }
                accounts.by_key.insert(account.key.clone(), account);
            }
        }
        for channel in config.channels.keys() {
            if platforms.get(channel).is_none() && !["defaults", "modelByChannel"].contains(&channel.as_str())
            {
                tracing::warn!(
                    channel.id = channel,
                    "a channel is configured that this version does not support"
                );
            }
        }
        accounts
    }
}

/// Why an account is off, as the config service says it: of itself, or of its channel.
fn problem_of(key: &AccountKey, left_out: &[ConfigIssue]) -> Option<String> {
    let channel = format!("channels.{}", key.channel);
    let account = format!("{channel}.accounts.{}", key.account);
    let mut issues = left_out.iter();
    let issue = issues.find(|issue| issue.path == account || issue.path == channel)?;
    Some(format!("{} {}", issue.path, issue.message))
}

/// Null is a key that was not written: it neither overrides the channel's value nor is a value itself.
fn unset(section: &mut Map<String, Value>) {
    section.retain(|_, value| !value.is_null());
    for value in section.values_mut() {
        if let Value::Object(inner) = value {
            unset(inner);
        }
    }
}

/// The account's own keys over the channel's.
fn read(platform: &Entry, key: AccountKey, base: &Map<String, Value>, own: Value) -> Account {
    let mut merged = base.clone();
    let mut broken = None;
    match own {
        Value::Object(mut own) => {
            unset(&mut own);
            merged.extend(own);
        }
        Value::Null => {}
        _ => broken = Some("the account must be an object".to_owned()),
    }
    // A channel's switch off is for all of its accounts.
    let on = |value: Option<&Value>| value.is_none_or(|value| value == &Value::Bool(true));
    let enabled = on(base.get("enabled")) && on(merged.get("enabled"));
    let connection: Map<String, Value> = merged
        .iter()
        .filter(|(key, _)| !POLICY_KEYS.contains(&key.as_str()))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    let connection = Value::Object(connection);
    let streaming = merged.get("streaming").map(Streaming::deserialize);
    let (streaming, unread) = match streaming.transpose() {
        Ok(streaming) => (streaming.unwrap_or_default(), None),
        Err(_) => (
            Streaming::Off,
            Some("streaming must be off, preview or block".to_owned()),
        ),
    };
    let ack_reaction = merged.get("ackReaction").and_then(Value::as_str).map(str::trim);
    let ack_reaction = ack_reaction.filter(|emoji| !emoji.is_empty()).map(str::to_owned);
    let (policy, unreadable) = match Policy::deserialize(Value::Object(merged)) {
        Ok(policy) => (policy.on(platform.answers), None),
        // The safest policy there is, and the account does not run.
        Err(error) => (Policy::default(), Some(shape(&error))),
    };
    let connector = match broken.or(unreadable).or(unread) {
        Some(problem) => Err(problem),
        None => platform.read(&connection),
    };
    let waits = connector.is_err() && platform.waits.is_some();
    let connection = if platform.edition.is_empty() {
        connection
    } else {
        json!({"account": connection, "edition": platform.edition})
    };
    let connector = connector.map_err(|problem| format!("channels.{key}: {problem}"));
    Account {
        key,
        enabled,
        policy,
        streaming,
        ack_reaction,
        connector,
        waits,
        connection,
    }
}

/// What is wrong with the shape of a value, without its values: the error of serde may repeat one, so only its kind of complaint
/// about types is let through.
pub(crate) fn shape(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.split_once("expected ") {
        Some((_, expected)) => format!("a value has the wrong type: expected {expected}"),
        None => text,
    }
}

#[cfg(test)]
mod tests;
