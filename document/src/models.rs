//! `models`: where models are and how to reach them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::SecretInput;

/// The longest a request to a provider may take, in seconds: a day.
pub const TIMEOUT_SECONDS_MAX: u32 = 86_400;

/// Tokens of one conversation or answer at most: more than any model has, and small enough for every number type in between.
pub const TOKENS_MAX: u64 = 1_000_000_000;

/// Where models are.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Models {
    /// Accepted from OpenClaw's documents. Gatehouse knows no models of its own, so both mean the same.
    pub mode: ModelsMode,
    /// Model providers by id; `echo` is built in.
    pub providers: BTreeMap<String, Provider>,
}

/// How a list of models relates to a built-in one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ModelsMode {
    /// Added to it.
    #[default]
    Merge,
    /// Instead of it.
    Replace,
}

/// One model provider.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Provider {
    /// Where its API is, up to and without `/chat/completions`, for example `http://127.0.0.1:11434/v1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-address" = true))]
    pub base_url: Option<String>,
    /// The key, better as a reference. Unset: none is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<SecretInput>,
    /// What it speaks.
    pub api: ProviderApi,
    /// More headers for every request; their values are secrets.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, SecretInput>,
    /// The longest a request may take, in seconds. Unset: 600.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = TIMEOUT_SECONDS_MAX))]
    pub timeout_seconds: Option<u32>,
    /// Its models. Empty: any name may be used.
    pub models: Vec<Model>,
}

/// What a provider speaks. Others of OpenClaw are not supported yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProviderApi {
    /// OpenAI's chat completions: OpenAI, Ollama, vLLM, llama.cpp, ...
    #[default]
    OpenaiCompletions,
}

/// One model.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// The provider's name for it.
    #[schemars(length(min = 1))]
    pub id: String,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether it reasons before it answers. Only such a model is told how hard to think.
    #[serde(default)]
    pub reasoning: bool,
    /// What it takes: `text`, `image`, ...
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub input: Vec<String>,
    /// Prices for a million tokens: `input`, `output`, `cacheRead`, `cacheWrite`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Map<String, Value>>,
    /// The most tokens of one conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = TOKENS_MAX))]
    pub context_window: Option<u64>,
    /// The most tokens of one answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = TOKENS_MAX))]
    pub max_tokens: Option<u64>,
}
