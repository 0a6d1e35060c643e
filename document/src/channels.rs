//! `channels`: the chat surfaces and who may talk there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::{
    account::Streaming,
    section::{ChannelAccount, ChannelSection, over},
};
use super::{
    brought::Others, discord::Discord, irc::Irc, policies::GroupPolicy, signal::Signal, slack::Slack,
    telegram::Telegram, webhook::Webhook, whatsapp::Whatsapp,
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
