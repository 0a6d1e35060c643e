//! `agents`: who answers.

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

pub use super::heartbeat::{ActiveHours, Heartbeat};
use super::models::Params;

/// The longest a turn may take at most, in seconds: a day.
pub const TIMEOUT_SECONDS_MAX: u32 = 86_400;

/// Turns at the same time at most. Each holds a stream and its text.
pub const CONCURRENT_MAX: u16 = 1_000;

/// The largest attachment that may be allowed, in MiB.
pub const MEDIA_MB_MAX: u32 = 512;

/// The longest id of an agent, in bytes.
pub const AGENT_BYTES_MAX: usize = 64;

/// An id as it is used: in lower case, with `-` for every character that is no letter, digit, `_` or `-`, and beginning with a
/// letter or digit. `None`: nothing is left of it, or it is too long. A blank id must not become somebody's default.
pub fn normal_id(text: &str) -> Option<String> {
    let mapped: String = text
        .trim()
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| match c {
            'a'..='z' | '0'..='9' | '_' | '-' => c,
            _ => '-',
        })
        .collect();
    let id = mapped.trim_start_matches(['-', '_']);
    (!id.is_empty() && id.len() <= AGENT_BYTES_MAX).then(|| id.to_owned())
}

/// Who answers.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Agents {
    /// What holds for every agent that does not say otherwise.
    pub defaults: AgentDefaults,
    /// The agents by id. Empty: one agent `main`.
    pub entries: IndexMap<String, AgentEntry>,
    /// The older form of `entries`: each with its `id`.
    #[schemars(extend("x-same-as" = "agents.entries.<name>"))]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<ListedAgent>,
}

/// What holds for every agent.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct AgentDefaults {
    /// The model, as `<provider>/<model>`. Unset: the echo agent answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelChoice>,
    /// What the model is told before every conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
    /// How hard the model thinks, in the model's own words, for example `low`, `medium` or `high`: sent as `reasoning_effort`, or
    /// as `compat.thinkingFormat` says, to models that are listed with `reasoning: true`, and to those that are not listed. Unset:
    /// nothing is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking_default: Option<String>,
    /// The longest a turn may take, in seconds.
    #[schemars(range(min = 1, max = TIMEOUT_SECONDS_MAX))]
    pub timeout_seconds: u32,
    /// Turns that run at the same time, over all agents. Unset: 16.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = CONCURRENT_MAX))]
    pub max_concurrent: Option<u16>,
    /// The largest picture, recording or file of one message, in MiB; those of one message together have the room of one frame
    /// (25 MiB as base64). Unset: 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MEDIA_MB_MAX))]
    pub media_max_mb: Option<u32>,
    /// How agents introduce themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// When agents look by themselves whether there is something to do. Unset: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Heartbeat>,
    /// Fields of every request to a model: see `models.providers.<name>.models[].params`, which win over these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub params: Option<Params>,
    /// What holds for single models, by `<provider>/<model>`.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub models: IndexMap<String, ModelSettings>,
}

/// What is set for one model from the agents' side.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ModelSettings {
    /// A short name for it, which may stand in its place wherever this document names a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Fields of every request to it; they win over those of `models.providers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub params: Option<Params>,
}

impl AgentDefaults {
    /// The model that a short name stands for; any other name is its own.
    pub fn full_name<'a>(&'a self, model: &'a str) -> &'a str {
        let model = model.trim();
        let named = |settings: &ModelSettings| settings.alias.as_deref() == Some(model);
        let mut settings = self.models.iter();
        settings
            .find(|(_, settings)| named(settings))
            .map_or(model, |(full, _)| full.as_str())
    }
}

impl Default for AgentDefaults {
    fn default() -> Self {
        Self {
            model: None,
            system_prompt: None,
            thinking_default: None,
            timeout_seconds: 600, // OpenClaw's
            max_concurrent: None,
            media_max_mb: None,
            identity: None,
            heartbeat: None,
            params: None,
            models: IndexMap::new(),
        }
    }
}

/// One agent.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct AgentEntry {
    /// Its name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// True for the agent that answers when nothing chose one. At most one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<bool>,
    /// Its model, as `<provider>/<model>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelChoice>,
    /// What the model is told before every conversation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
    /// How hard the model thinks, in the model's own words, for example `low`, `medium` or `high`: sent as `reasoning_effort`, or
    /// as `compat.thinkingFormat` says, to models that are listed with `reasoning: true`, and to those that are not listed. Unset:
    /// nothing is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking_default: Option<String>,
    /// The longest a turn may take, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = TIMEOUT_SECONDS_MAX))]
    pub timeout_seconds: Option<u32>,
    /// How it introduces itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// When it looks by itself whether there is something to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Heartbeat>,
    /// Fields of every request that a model is sent for it; they win over all others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub params: Option<Params>,
    /// What holds for single models when they answer for it, by `<provider>/<model>`.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub models: IndexMap<String, ModelSettings>,
}

/// One agent of the older form.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedAgent {
    /// Its id.
    #[schemars(length(min = 1))]
    pub id: String,
    /// The rest of it.
    #[serde(flatten)]
    pub agent: AgentEntry,
}

/// How an agent introduces itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Identity {
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its character.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theme: Option<String>,
    /// Its sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emoji: Option<String>,
    /// Its picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
}

/// A model and what to try when it fails. In the document also one string: the model alone.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelChoice {
    /// Asked first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// Asked next, in order.
    pub fallbacks: Vec<String>,
}

impl ModelChoice {
    /// Every model, in the order in which they are asked.
    pub fn chain(&self) -> Vec<String> {
        self.primary.iter().chain(&self.fallbacks).cloned().collect()
    }
}

/// The long form, as the document may give it.
#[derive(Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
struct ModelChain {
    /// Asked first.
    primary: Option<String>,
    /// Asked next, in order.
    fallbacks: Vec<String>,
}

impl<'de> Deserialize<'de> for ModelChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            One(String),
            Chain(ModelChain),
        }
        Ok(match Form::deserialize(deserializer)? {
            Form::One(model) => Self {
                primary: Some(model),
                fallbacks: Vec::new(),
            },
            Form::Chain(chain) => Self {
                primary: chain.primary,
                fallbacks: chain.fallbacks,
            },
        })
    }
}

impl JsonSchema for ModelChoice {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ModelChoice".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let chain = generator.subschema_for::<ModelChain>();
        json_schema!({ "anyOf": [{ "type": "string" }, chain] })
    }
}
