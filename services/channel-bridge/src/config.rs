//! The section `channels` as accounts. Reading is lenient towards what this bridge does not know, and strict towards what
//! it does: an account with a mistake does not run, and says why.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    adapter::AccountKey,
    platform::{Connector, Entry, Platforms},
    policy::Policy,
};

/// The account of a channel that lists none.
pub(crate) const DEFAULT_ACCOUNT: &str = "default";
/// Accounts in all. Each costs a connection and a task; a household has a few.
const ACCOUNTS_MAX: usize = 256;
/// The longest id of an account; the contract declares the same bound.
const ACCOUNT_BYTES_MAX: usize = 128;
/// Keys that say who may talk and what is wanted, not how to connect: changing them does not reconnect.
const POLICY_KEYS: [&str; 9] = [
    "enabled",
    "name",
    "dmPolicy",
    "allowFrom",
    "groupPolicy",
    "groupAllowFrom",
    "groups",
    "dangerouslyAllowNameMatching",
    "loopGuard",
];

/// What this service reads of the configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    /// By channel; `defaults` holds for all.
    pub(crate) channels: Map<String, Value>,
}

#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) key: AccountKey,
    /// Whether it is wanted.
    pub(crate) enabled: bool,
    /// Who may talk.
    pub(crate) policy: Policy,
    /// How to connect, or what is wrong.
    pub(crate) connector: Result<Connector, String>,
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
    /// Reads the section, as far as these platforms are in it.
    pub(crate) fn read(config: &Config, platforms: &Platforms) -> Self {
        let mut accounts = Self::default();
        let group_policy = config
            .channels
            .get("defaults")
            .and_then(|defaults| defaults.get("groupPolicy"));
        for platform in platforms.iter() {
            let channel = platform.name;
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
                let account = read(platform, AccountKey::new(channel, id), &base, own);
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
    let (policy, unreadable) = match Policy::deserialize(Value::Object(merged)) {
        Ok(policy) => (policy.on(platform.answers), None),
        // The safest policy there is, and the account does not run.
        Err(error) => (Policy::default(), Some(shape(&error))),
    };
    let connector = match broken.or(unreadable) {
        Some(problem) => Err(problem),
        None => (platform.read)(&connection),
    };
    let connector = connector.map_err(|problem| format!("channels.{key}: {problem}"));
    Account {
        key,
        enabled,
        policy,
        connector,
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
mod tests {
    use gatehouse_document::{Channels, samples};
    use serde_json::{Value, json};

    use super::{AccountKey, Accounts, Config, Platforms};
    use crate::policy::{DmPolicy, GroupPolicy};

    fn accounts(channels: Value) -> Accounts {
        Accounts::read(
            &serde_json::from_value::<Config>(json!({"channels": channels, "gateway": {}})).unwrap(),
            &Platforms::all(),
        )
    }

    #[test]
    fn a_channel_without_accounts_is_one_account() {
        let accounts = accounts(json!({"irc": {"server": "s", "nick": "gate", "dmPolicy": "open"}}));

        let account = &accounts.by_key[&AccountKey::new("irc", "default")];
        assert!(account.enabled && account.connector.is_ok());
        assert_eq!(account.policy.dm_policy, DmPolicy::Open);
        assert_eq!(accounts.defaults["irc"], "default");
    }

    #[test]
    fn accounts_inherit_what_the_channel_says_and_may_say_otherwise() {
        let accounts = accounts(json!({
            "defaults": {"groupPolicy": "open"},
            "irc": {"nick": "gate", "tls": false, "defaultAccount": "work", "accounts": {
                "home": {"server": "one"}, "work": {"server": "two", "nick": "clerk", "groupPolicy": "disabled"}}},
        }));

        let home = &accounts.by_key[&AccountKey::new("irc", "home")];
        let work = &accounts.by_key[&AccountKey::new("irc", "work")];
        assert!(home.connector.is_ok() && work.connector.is_ok());
        assert_eq!(
            (home.policy.group_policy, work.policy.group_policy),
            (GroupPolicy::Open, GroupPolicy::Disabled)
        );
        assert_eq!(accounts.defaults["irc"], "work");
        assert!(!home.connects_like(work));
    }

    #[test]
    fn null_is_the_same_as_unwritten() {
        let accounts = accounts(
            json!({"irc": {"nick": "gate", "tls": false, "dmPolicy": null, "groups": {"*": {"allowFrom": null}},
            "accounts": {"home": {"server": "s", "nick": null, "allowFrom": null}}}}),
        );

        let home = &accounts.by_key[&AccountKey::new("irc", "home")];
        assert!(home.enabled && home.connector.is_ok(), "{:?}", home.connector);
        assert_eq!(home.policy.dm_policy, DmPolicy::Pairing);
    }

    #[test]
    fn a_change_of_policy_does_not_reconnect() {
        let with = |policy: &str| {
            accounts(json!({"irc": {"server": "s", "nick": "g", "dmPolicy": policy}})).by_key
                [&AccountKey::new("irc", "default")]
                .clone()
        };
        assert!(with("open").connects_like(&with("disabled")));
    }

    #[test]
    fn a_mistake_stops_its_account_only_and_falls_to_the_strictest_policy() {
        let accounts = accounts(json!({"webhook": {"accounts": {
            "bad": {"secret": "0123456789abcdef", "dmPolicy": "opne", "allowFrom": ["*"]},
            "blank": {"secret": ""},
            "good": {"secret": "0123456789abcdef"}}}}));

        let get = |id: &str| &accounts.by_key[&AccountKey::new("webhook", id)];
        assert!(
            get("bad")
                .connector
                .as_ref()
                .unwrap_err()
                .contains("channels.webhook/bad")
        );
        assert!(get("bad").policy.allow_from.is_empty());
        assert!(get("blank").connector.is_err());
        assert!(get("good").connector.is_ok());
    }

    #[test]
    fn a_channel_that_is_off_has_no_account_that_is_on() {
        let accounts = accounts(
            json!({"webhook": {"enabled": false, "accounts": {"a": {"enabled": true, "secret": "0123456789abcdef"}}}}),
        );
        assert!(!accounts.by_key[&AccountKey::new("webhook", "a")].enabled);
    }

    #[test]
    fn every_account_of_the_largest_and_of_the_smallest_document_runs() {
        for sample in [samples::MAXIMAL, samples::MINIMAL] {
            let config: Config = json5::from_str(sample).unwrap();

            let accounts = Accounts::read(&config, &Platforms::all());

            assert_eq!(accounts.by_key.len(), 2);
            for (key, account) in &accounts.by_key {
                assert!(
                    account.enabled && account.connector.is_ok(),
                    "{key}: {:?}",
                    account.connector
                );
            }
        }
    }

    #[test]
    fn an_account_runs_exactly_if_the_config_service_finds_nothing_wrong_with_it() {
        let samples: Vec<Value> = json5::from_str(samples::ACCOUNTS).unwrap();
        for sample in samples.into_iter().filter(|sample| sample.get("waits").is_none()) {
            let accounts = accounts(sample.clone());

            let broken =
                |(_, account): &(&AccountKey, &super::Account)| account.enabled && account.connector.is_err();
            let broken: Vec<&str> = accounts
                .by_key
                .iter()
                .filter(broken)
                .map(|(key, _)| key.account.as_str())
                .collect();

            let of = |place: &str| match place.split('.').collect::<Vec<_>>().as_slice() {
                [_, _, "accounts", id, ..] => (*id).to_owned(),
                _ => super::DEFAULT_ACCOUNT.to_owned(),
            };
            let wrong = sample["wrong"].as_array().unwrap().iter();
            let mut wrong: Vec<String> = wrong.map(|place| of(place.as_str().unwrap())).collect();
            wrong.dedup();
            assert_eq!(broken, wrong, "{sample}");
        }
    }

    #[test]
    fn every_channel_of_the_document_has_its_platform() {
        let platforms = Platforms::all();
        let mut spoken: Vec<&str> = platforms.iter().map(|platform| platform.name).collect();

        spoken.sort_unstable();

        assert_eq!(spoken, Channels::KNOWN);
    }
}
