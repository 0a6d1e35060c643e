//! `channels`: the chat surfaces and who may talk there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{irc::Irc, policies::GroupPolicy, webhook::Webhook};

/// The chat surfaces. Keys of channels that Gatehouse does not have are kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Channels {
    /// What holds for every channel that does not say otherwise.
    pub defaults: ChannelDefaults,
    /// IRC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub irc: Option<Irc>,
    /// Signed HTTP requests in both directions, for programs of your own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
}

impl Channels {
    /// The channels that Gatehouse has, by their key here.
    pub const KNOWN: [&'static str; 2] = ["irc", "webhook"];
}

/// What holds for every channel.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ChannelDefaults {
    /// Who may talk in groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_policy: Option<GroupPolicy>,
}
