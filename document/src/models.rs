//! `models`: where models are and how to reach them.

mod levels;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use self::levels::{LEVELS, Levels};
use super::SecretInput;

/// Fields of the requests to a model, by their name.
pub type Params = Map<String, Value>;

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
    /// In what the agent service is sent: providers that stand in the file and cannot be used, and why. Not a key of the file.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(skip)]
    pub left_out: BTreeMap<String, String>,
}

impl Models {
    /// The words there are for how hard to think, with those of the models that are listed.
    pub fn levels(&self) -> Levels<'_> {
        let models = self.providers.values().flat_map(|provider| &provider.models);
        let own = models.filter_map(|model| model.compat.as_ref());
        Levels::with(own.flat_map(|compat| compat.reasoning_effort_map.keys().map(String::as_str)))
    }
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
    /// Where its API is, up to and without `/chat/completions`, for example `http://127.0.0.1:11434/v1`. A query stays behind the
    /// path, as Azure's `?api-version=...` has to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-address" = true))]
    pub base_url: Option<String>,
    /// The key, better as a reference. Unset: none is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_key: Option<SecretInput>,
    /// Whether the key is sent as `Authorization: Bearer ...`. `false`: it is not sent, because a header under `headers` carries it.
    /// Unset: it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_header: Option<bool>,
    /// Whether its server is told the trace that a request belongs to (the header `traceparent`): for one of your own that sends its
    /// traces to the same collector. Unset: it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_trace: Option<bool>,
    /// What it speaks.
    pub api: ProviderApi,
    /// More headers for every request; their values are secrets.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, SecretInput>,
    /// The longest a request may take, in seconds, from the first byte that is sent to the last one that comes: the wait for a
    /// model that is loaded first, and for one that thinks in silence, is part of it. Unset: 600.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = TIMEOUT_SECONDS_MAX))]
    pub timeout_seconds: Option<u32>,
    /// The most tokens of one answer of each of its models that says nothing of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = TOKENS_MAX))]
    pub max_tokens: Option<u64>,
    /// Fields of every request to it: see `models.providers.<name>.models[].params`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub params: Option<Params>,
    /// In what its server differs from OpenAI's. Each of its models may say otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compat: Option<Compat>,
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
    /// What it takes: `text`, `image`. Pictures are sent to models with `image` alone; others are told their names, and whoever sent
    /// one is told that it was not seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub input: Vec<String>,
    /// Kept; prices for a million tokens: `input`, `output`, `cacheRead`, `cacheWrite`. Gatehouse counts tokens and no money yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Map<String, Value>>,
    /// The most tokens of one conversation, its answer included. What is sent is cut to it: the oldest exchanges are left out
    /// first, the system prompt and the last message stay. Tokens are estimated. Unset: all is sent, and half of it again when the
    /// provider says that it was too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = TOKENS_MAX))]
    pub context_window: Option<u64>,
    /// The most tokens that are used of `contextWindow`, where less is wanted than the model has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = TOKENS_MAX))]
    pub context_tokens: Option<u64>,
    /// The most tokens of one answer. This much of the window is kept free for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = TOKENS_MAX))]
    pub max_tokens: Option<u64>,
    /// More headers for requests to this model; their values are secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, SecretInput>,
    /// Fields of every request to this model, for example `{ temperature: 0.2 }`. `maxTokens`, `topP` and the like may be written in
    /// either spelling. What stands under `extra_body` (or `extraBody`) is put into the request as it is and wins over all else; `null`
    /// takes a field out of the request. The messages cannot be replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Params>,
    /// In what its server differs from OpenAI's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compat: Option<Compat>,
}

/// In what a server differs from OpenAI's. What is unset is found out: a request that is refused for such a field is sent again
/// without it, once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Compat {
    /// Whether it takes `stream_options`, and so tells what an answer cost. `false`: the field is not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supports_usage_in_streaming: Option<bool>,
    /// How the bound of an answer is called. Unset: `max_completion_tokens` at OpenAI and Azure, `max_tokens` elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens_field: Option<MaxTokensField>,
    /// Whether it may be told how hard to think. Unset: as the model's `reasoning` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supports_reasoning_effort: Option<bool>,
    /// The words of this server for how hard to think, by Gatehouse's, for example `{ high: "max" }`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub reasoning_effort_map: BTreeMap<String, String>,
    /// In which field it is told how hard to think. Unset: `openai`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking_format: Option<ThinkingFormat>,
    /// Whether the system prompt is sent under the role `developer`. Unset: under `system`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supports_developer_role: Option<bool>,
    /// Whether it takes `temperature`. `false`: the field is not sent, whatever `params` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supports_temperature: Option<bool>,
    /// Kept; Gatehouse never sends `store`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supports_store: Option<bool>,
    /// Kept; Gatehouse offers models no tools yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supports_tools: Option<bool>,
    /// Kept; Gatehouse offers models no tools yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supports_strict_mode: Option<bool>,
}

/// In which field a server is told how hard to think.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ThinkingFormat {
    /// `reasoning_effort: "<level>"`. Told to think as usual by saying nothing.
    #[default]
    Openai,
    /// `reasoning: { effort: "<level>" }`; `off` is `effort: "none"`.
    Openrouter,
    /// `thinking: { type: "enabled" | "disabled" }`, and `reasoning_effort` beside it.
    Deepseek,
    /// `thinking: { type: "enabled" | "disabled" }`: it knows no levels.
    Zai,
    /// `enable_thinking: true | false`: it knows no levels.
    Qwen,
    /// `chat_template_kwargs: { enable_thinking: true | false }`, as vLLM and SGLang take it: it knows no levels.
    QwenChatTemplate,
}

/// How the bound of an answer is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MaxTokensField {
    /// The newer name, the only one that OpenAI's reasoning models take.
    MaxCompletionTokens,
    /// The older one, which nearly every other server knows.
    MaxTokens,
}
