use gatehouse_document::{Channels, Document, samples};
use gatehouse_proto::config::v1::ConfigIssue;
use serde_json::{Value, json};

use super::{AccountKey, Accounts, Config, Platforms};
use crate::policy::{DmPolicy, GroupPolicy};

fn accounts(channels: Value) -> Accounts {
    Accounts::read(
        &serde_json::from_value::<Config>(json!({"channels": channels, "gateway": {}})).unwrap(),
        &Platforms::all(),
        &[],
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

        let accounts = Accounts::read(&config, &Platforms::all(), &[]);

        assert_eq!(accounts.by_key.len(), Channels::KNOWN.len());
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
fn the_accounts_that_others_are_told_of_are_those_that_there_are() {
    let mut samples: Vec<Value> = json5::from_str(samples::ACCOUNTS).unwrap();
    samples.push(json!({"signal": {"enabled": false, "accounts": {"home": {"enabled": true}, "old": {}}}}));
    samples.push(json!({"slack": {"defaultAccount": "b", "accounts": {"a": {}, "b": {"enabled": false}}}}));
    for sample in samples {
        let document: Document = serde_json::from_value(json!({"channels": sample})).unwrap();
        let told: Vec<_> = document
            .accounts()
            .into_iter()
            .flat_map(|(channel, accounts)| {
                let default = accounts.default;
                accounts.enabled.into_iter().map(move |(id, enabled)| {
                    let is_default = id == default;
                    (channel.clone(), id, enabled, is_default)
                })
            })
            .collect();

        let accounts = accounts(sample.clone());

        let there: Vec<_> = accounts
            .by_key
            .iter()
            .map(|(key, account)| {
                let is_default = accounts.defaults.get(&key.channel) == Some(&key.account);
                (
                    key.channel.clone(),
                    key.account.clone(),
                    account.enabled,
                    is_default,
                )
            })
            .collect();
        assert_eq!(told, there, "{sample}");
    }
}

#[test]
fn every_channel_of_the_document_has_its_platform() {
    let platforms = Platforms::all();
    let mut spoken: Vec<&str> = platforms.iter().map(|platform| &*platform.name).collect();

    spoken.sort_unstable();

    assert_eq!(spoken, Channels::KNOWN);
}

#[test]
fn an_account_that_is_off_for_a_mistake_says_which() {
    let config: Config = serde_json::from_value(json!({
        "channels": {"whatsapp": {"accounts": {"home": {"enabled": false}, "work": {"enabled": false}}}, "irc": {"enabled": false}},
    }))
    .unwrap();
    let issue = |path: &str, message: &str| ConfigIssue {
        path: path.to_owned(),
        message: message.to_owned(),
        ..ConfigIssue::default()
    };
    let left_out = [
        issue(
            "channels.whatsapp.accounts.home",
            "is off, the rest runs: `verifyToken` is too short",
        ),
        issue("channels.irc", "is off, the rest runs: `nick` is missing"),
    ];

    let accounts = Accounts::read(&config, &Platforms::all(), &left_out);

    let problem = |channel: &str, account: &str| {
        let account = &accounts.by_key[&AccountKey::new(channel, account)];
        account.connector.as_ref().err().cloned().unwrap_or_default()
    };
    assert_eq!(
        problem("whatsapp", "home"),
        "channels.whatsapp.accounts.home is off, the rest runs: `verifyToken` is too short"
    );
    assert_eq!(
        problem("irc", "default"),
        "channels.irc is off, the rest runs: `nick` is missing"
    );
    assert!(problem("whatsapp", "work").contains("phoneNumberId"));
}
