//! `channels`: the chat surfaces and who may talk there.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Document, brought::Others, discord::Discord, irc::Irc, policies::GroupPolicy, signal::Signal,
    slack::Slack, telegram::Telegram, webhook::Webhook, whatsapp::Whatsapp,
};
pub use super::{
    account::Streaming,
    section::{ChannelAccount, ChannelSection, over},
};

/// The chat surfaces. Keys of channels that Gatehouse does not have are kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Channels {
    /// What holds for every channel that does not say otherwise.
    pub defaults: ChannelDefaults,
    /// Discord.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discord: Option<Discord>,
    /// IRC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub irc: Option<Irc>,
    /// Signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<Signal>,
    /// Slack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slack: Option<Slack>,
    /// Telegram.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub telegram: Option<Telegram>,
    /// Signed HTTP requests in both directions, for programs of your own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
    /// WhatsApp.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whatsapp: Option<Whatsapp>,
    /// Those that plugins bring, and those that nobody does.
    #[serde(flatten)]
    #[schemars(skip)]
    pub others: Others,
}

impl Channels {
    /// The channels that Gatehouse has, by their key here.
    pub const KNOWN: [&'static str; 7] = [
        "discord", "irc", "signal", "slack", "telegram", "webhook", "whatsapp",
    ];

    /// The sections that are written, by their key here: what is said about every channel is said once.
    pub fn sections(&self) -> impl Iterator<Item = (&str, &dyn ChannelSection)> {
        let Self {
            defaults: _,
            discord,
            irc,
            signal,
            slack,
            telegram,
            webhook,
            whatsapp,
            others: _,
        } = self;
        let sections = [
            discord.as_ref().map(|section| section as &dyn ChannelSection),
            irc.as_ref().map(|section| section as &dyn ChannelSection),
            signal.as_ref().map(|section| section as &dyn ChannelSection),
            slack.as_ref().map(|section| section as &dyn ChannelSection),
            telegram.as_ref().map(|section| section as &dyn ChannelSection),
            webhook.as_ref().map(|section| section as &dyn ChannelSection),
            whatsapp.as_ref().map(|section| section as &dyn ChannelSection),
        ];
        Self::KNOWN
            .into_iter()
            .zip(sections)
            .filter_map(|(name, section)| Some((name, section?)))
    }
}

/// What holds for every channel.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ChannelDefaults {
    /// Who may talk in groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_policy: Option<GroupPolicy>,
}

/// The account of a channel that lists none.
pub const DEFAULT_ACCOUNT: &str = "default";

/// Which accounts a channel has, without how they connect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ChannelAccounts {
    /// The account that is meant when none is named.
    pub default: String,
    /// Whether each is switched on, by its id.
    pub enabled: BTreeMap<String, bool>,
}

impl ChannelAccounts {
    fn of(section: &dyn ChannelSection) -> Self {
        let on = |account: &dyn ChannelAccount| account.enabled() != Some(false);
        let all = on(section.base()); // a channel's switch off is for all of its accounts
        let listed = section.accounts();
        let mut enabled: BTreeMap<String, bool> = listed
            .iter()
            .map(|(id, account)| ((*id).to_owned(), all && on(*account)))
            .collect();
        if enabled.is_empty() {
            enabled.insert(DEFAULT_ACCOUNT.to_owned(), all);
        }
        let first = || {
            let named = listed.iter().map(|(id, _)| *id).find(|id| *id == DEFAULT_ACCOUNT);
            named.or_else(|| listed.first().map(|(id, _)| *id))
        };
        let default = section.default_account().or_else(first);
        Self {
            default: default.unwrap_or(DEFAULT_ACCOUNT).to_owned(),
            enabled,
        }
    }
}

impl Document {
    /// The accounts of every channel that is set up, Gatehouse's own or a plugin's, by its kind.
    #[must_use]
    pub fn accounts(&self) -> BTreeMap<String, ChannelAccounts> {
        let brought = self.brought();
        let brought = brought
            .iter()
            .map(|(kind, section)| (*kind, section as &dyn ChannelSection));
        self.channels
            .sections()
            .chain(brought)
            .map(|(kind, section)| (kind.to_owned(), ChannelAccounts::of(section)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_accounts_of_a_channel_are_those_that_the_bridge_runs() {
        let document: Document = serde_json::from_value(json!({
            "channels": {
                "irc": {"server": "s", "nick": "n"},
                "signal": {"enabled": false, "account": "+1", "accounts": {"home": {"enabled": true}}},
                "telegram": {"accounts": {"work": {}, "old": {"enabled": false}}},
                "slack": {"defaultAccount": "b", "accounts": {"a": {}, "b": {}, "default": {}}},
                "lines": {"greeting": "hello"},
                "nobodys": {},
            },
            "plugins": {"entries": {"lines": {"endpoint": "127.0.0.1:1", "channels": ["lines", "unwritten"]}}},
        }))
        .expect("a document");
        let accounts = serde_json::to_value(document.accounts()).expect("JSON");
        assert_eq!(
            accounts,
            json!({
                "irc": {"default": "default", "enabled": {"default": true}},
                "signal": {"default": "home", "enabled": {"home": false}},
                "telegram": {"default": "work", "enabled": {"work": true, "old": false}},
                "slack": {"default": "b", "enabled": {"a": true, "b": true, "default": true}},
                "lines": {"default": "default", "enabled": {"default": true}},
            })
        );
    }
}
