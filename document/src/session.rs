//! `session`: how conversations are told apart.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Words that begin a new conversation at most: each message is held against all of them.
pub const TRIGGERS_MAX: usize = 32;

/// How conversations are told apart.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Session {
    /// Whether everybody shares one session.
    pub scope: Scope,
    /// How direct messages are told apart.
    pub dm_scope: DmScope,
    /// How groups are told apart.
    pub group_scope: GroupScope,
    /// People by a name of your choice: the `<channel>:<id>` under which each is known, so that one person has one
    /// session over several channels.
    pub identity_links: IndexMap<String, Vec<String>>,
    /// What somebody says to begin a new conversation, in upper or lower case; what stands behind it is the first message of the
    /// new one. Empty: nothing does.
    #[schemars(length(max = TRIGGERS_MAX))]
    pub reset_triggers: Vec<String>,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            scope: Scope::default(),
            dm_scope: DmScope::default(),
            group_scope: GroupScope::default(),
            identity_links: IndexMap::new(),
            reset_triggers: ["/new", "/reset"].map(str::to_owned).to_vec(), // OpenClaw's
        }
    }
}

/// Whether everybody shares one session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// No.
    #[default]
    PerSender,
    /// Yes.
    Global,
}

/// How direct messages are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DmScope {
    /// All in the agent's main session: right for one person, wrong for several.
    #[default]
    Main,
    /// By person.
    PerPeer,
    /// By channel and person.
    PerChannelPeer,
    /// By channel, account and person.
    PerAccountChannelPeer,
}

/// How groups are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GroupScope {
    /// Each is its own session.
    #[default]
    PerGroup,
    /// All in the agent's main session.
    Main,
}
