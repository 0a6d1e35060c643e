//! `bindings`: which agent answers where.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::session::{DmScope, GroupScope};

/// One rule: this agent answers there.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    /// The agent's id.
    #[schemars(length(min = 1))]
    pub agent_id: String,
    /// Where. Every field that is given must match.
    #[serde(rename = "match")]
    pub when: BindingMatch,
    /// Other scopes for what matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<BindingSession>,
    /// The kind of rule.
    #[serde(rename = "type", default)]
    pub kind: BindingKind,
}

/// The kind of rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BindingKind {
    /// Routes messages.
    #[default]
    Route,
    /// Kept; not used yet.
    Acp,
}

/// Where a rule holds.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BindingMatch {
    /// The channel, for example `irc`.
    #[schemars(length(min = 1))]
    pub channel: String,
    /// The account. Unset: `default`. `*`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// The place or person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<PeerMatch>,
    /// The server or community.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guild_id: Option<String>,
    /// The workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team_id: Option<String>,
    /// The sender has one of these roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
}

/// A place or person.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PeerMatch {
    /// What it is. `group` and `channel` mean the same.
    pub kind: PeerKind,
    /// The platform's id. `*`: all of the kind.
    #[schemars(length(min = 1))]
    pub id: String,
}

/// What a place or person is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PeerKind {
    /// One person.
    Direct,
    /// A group.
    Group,
    /// A room.
    Channel,
}

/// Other scopes for what a rule matches.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct BindingSession {
    /// For direct messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dm_scope: Option<DmScope>,
    /// For groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_scope: Option<GroupScope>,
}
