//! Who may talk, and how fast an account answers: the same keys in every channel and in every account.

use std::{borrow::Cow, collections::BTreeMap};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use super::wrong::Wrong;

/// Messages that an account may send at once, at most.
pub const BURST_MAX: u32 = 10_000;

/// How often an account answers one partner within a time, unless the document says otherwise. People who read what they are
/// answered stay far below it, and two programs that only answer each other reach it in minutes.
pub const TURNS_MAX: u32 = 30;

/// That time, in seconds, unless the document says otherwise.
pub const TURNS_WITHIN_SECONDS: u32 = 600;

/// Who may talk in direct messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DmPolicy {
    /// Those in `allowFrom`, and those an operator approves: anybody else gets a code.
    #[default]
    Pairing,
    /// Those in `allowFrom`.
    Allowlist,
    /// Everybody, provided `allowFrom` contains `*`.
    Open,
    /// Nobody.
    Disabled,
}

impl DmPolicy {
    /// The word in the document.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pairing => "pairing",
            Self::Allowlist => "allowlist",
            Self::Open => "open",
            Self::Disabled => "disabled",
        }
    }
}

/// Who may talk in groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum GroupPolicy {
    /// Groups in `groups`, senders in `groupAllowFrom`.
    #[default]
    Allowlist,
    /// Everybody in every group.
    Open,
    /// Nobody.
    Disabled,
}

/// Who may talk. The same keys in every channel and in every account.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Policies {
    /// Who may talk in direct messages. Unset: `pairing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dm_policy: Option<DmPolicy>,
    /// Senders who may talk in direct messages, by the platform's id. `*`: everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_from: Option<Vec<Sender>>,
    /// Who may talk in groups. Unset: `channels.defaults.groupPolicy`, else `allowlist`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_policy: Option<GroupPolicy>,
    /// Senders who may talk in groups, by the platform's id. `*`: everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_allow_from: Option<Vec<Sender>>,
    /// Groups by the platform's id, and what holds in each. `*`: every group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<BTreeMap<String, Group>>,
    /// Whether senders are also matched by name. Names can be taken by anybody: dangerous.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dangerously_allow_name_matching: Option<bool>,
    /// How often one partner is answered, so that two programs do not answer each other for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loop_guard: Option<LoopGuard>,
}

/// When a partner is not answered for a while: it and the assistant have answered each other too often. The pause is as long as
/// the time that is looked at, and doubles each time within a day. A whole room may have three times as many answers.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct LoopGuard {
    /// Answers to one partner within the time that is looked at. Only those that the partner answered in turn are counted.
    /// Unset: 30. 0: no bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000))]
    pub max_turns: Option<u32>,
    /// The time that is looked at, in seconds. Unset: 600.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 10, max = 86_400))]
    pub window_seconds: Option<u32>,
}

/// What holds in one group.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Group {
    /// Whether only messages that mention the assistant count. Unset: yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_mention: Option<bool>,
    /// Senders who may talk in this group, besides `groupAllowFrom`. With the policy `open` only these may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_from: Option<Vec<Sender>>,
    /// False: nothing said in this group counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// A sender by the platform's id. In the document also a number, as OpenClaw's documents write some.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Sender(pub String);

impl<'de> Deserialize<'de> for Sender {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Name(String),
            Number(i64),
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::Name(name) => Self(name),
            Form::Number(number) => Self(number.to_string()),
        })
    }
}

impl JsonSchema for Sender {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Sender".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, { "type": "integer" }] })
    }
}

/// How fast an account speaks.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SendRate {
    /// Messages at once.
    #[schemars(range(min = 1, max = BURST_MAX))]
    pub burst: u32,
    /// Messages in a second after that, for example `0.5`. Above zero.
    pub per_second: f64,
}

/// The slowest and the fastest that an account may speak, in messages in a second.
const PER_SECOND: (f64, f64) = (0.001, 10_000.0);

impl SendRate {
    /// What is wrong with it.
    pub fn wrong(&self) -> Option<Wrong> {
        let (least, most) = PER_SECOND;
        if !(1..=BURST_MAX).contains(&self.burst) {
            return Some(Wrong::new(
                &["rateLimit", "burst"],
                format!("must be from 1 to {BURST_MAX}"),
            ));
        }
        if !(least..=most).contains(&self.per_second) {
            let message = format!("must be from {least} to {most}, for example 0.5");
            return Some(Wrong::new(&["rateLimit", "perSecond"], message));
        }
        None
    }
}
