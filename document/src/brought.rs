//! `channels.<kind>` of a channel that a plugin brings: the keys that every channel has, which are the bridge's. The plugin's own stand
//! beside them and are held against its schema when it is there.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Document,
    account::{Common, Files, LongAnswers, Streaming},
    policies::SendRate,
    section::channel,
    wrong::Wrong,
};

channel!(
    /// A channel of a plugin. Without `accounts` the keys beside it describe one account, `default`; with it they hold for every
    /// account that does not say otherwise.
    Brought, BroughtAccount, "channels.<kind>"
);

/// One account on it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct BroughtAccount {
    /// What every account says.
    #[serde(flatten)]
    pub common: Common,
    /// Whether an answer is shown while it is being written, where the channel can do that. Unset: `preview`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub streaming: Option<Streaming>,
    /// How a message that is going to be answered is reacted to. Unset: not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ack_reaction: Option<String>,
    /// How long its answers may be.
    #[serde(flatten)]
    pub answers: LongAnswers,
    /// What people send.
    #[serde(flatten)]
    pub files: Files,
}

impl BroughtAccount {
    /// The keys of an account that are the bridge's: a plugin is told the others.
    pub const KEYS: [&'static str; 17] = [
        "enabled",
        "name",
        "rateLimit",
        "isolate",
        "dmPolicy",
        "allowFrom",
        "groupPolicy",
        "groupAllowFrom",
        "groups",
        "dangerouslyAllowNameMatching",
        "loopGuard",
        "streaming",
        "ackReaction",
        "maxMessages",
        "mediaMaxMb",
        "accounts",
        "defaultAccount",
    ];

    /// Reads the account. Its bounds are looked at here, because no schema stands between the document and it.
    ///
    /// # Errors
    /// Every mistake in the keys that are the bridge's.
    pub fn read(&self) -> Result<(), Vec<Wrong>> {
        let mut wrong: Vec<Wrong> = self
            .common
            .rate_limit
            .iter()
            .filter_map(SendRate::wrong)
            .collect();
        let mut within = |key: &'static [&'static str], value: Option<u32>, least: u32, most: u32| {
            if value.is_some_and(|value| !(least..=most).contains(&value)) {
                wrong.push(Wrong::new(key, format!("must be from {least} to {most}")));
            }
        };
        within(&["maxMessages"], self.answers.max_messages, 2, 1_000);
        within(&["mediaMaxMb"], self.files.media_max_mb, 1, 2_000);
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

/// Channels that Gatehouse does not have itself, as they are written.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Others(BTreeMap<String, Value>);

impl fmt::Debug for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A secret may be anywhere in them.
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Others {
    /// One of them, as it is written.
    #[must_use]
    pub fn get(&self, kind: &str) -> Option<&Value> {
        self.0.get(kind)
    }
}

impl Document {
    /// The channels of plugins that can be read, by their kind. What cannot is the config service's to say.
    #[must_use]
    pub fn brought(&self) -> Vec<(&str, Brought)> {
        let kinds = self.plugins.channels();
        kinds
            .filter_map(|(kind, _)| Some((kind, Brought::deserialize(self.channels.others.get(kind)?).ok()?)))
            .collect()
    }
}
