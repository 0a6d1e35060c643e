//! What a model is sent: the conversation, and the fields of the request that the configuration, the turn and what was learned of
//! the server ask for.

use gatehouse_document::models::{MaxTokensField, Params, ThinkingFormat};
use serde_json::{Value, json};

use super::messages::{self, Eyes};
use crate::{
    config::Settings,
    lessons::Lesson,
    program::Program,
    request::{Message, Shelf},
};

/// The part of `params` that is put into the request as it is, in both spellings.
const EXTRA: [&str; 2] = ["extra_body", "extraBody"];

/// What only this file may say: a conversation is the gateway's.
const MESSAGES: &str = "messages";

/// Keys of OpenClaw's `params` that steer OpenClaw itself or APIs that are not this one: strict servers would refuse them.
const NOT_FOR_SERVERS: [&str; 16] = [
    "agentRuntime",
    "anthropicCompactThreshold",
    "anthropicServerCompaction",
    "cacheRetention",
    "codeMode",
    "context1m",
    "fastMode",
    "maxTokens", // read as the bound of the answer
    "openaiWsWarmup",
    "preserveThinking",
    "responsesCompactThreshold",
    "responsesServerCompaction",
    "safetyIdentifier",
    "thinking",
    "toolStream",
    "transport",
];

/// Fields that people know in another spelling.
const SPELLINGS: [(&str, &str); 9] = [
    ("frequencyPenalty", "frequency_penalty"),
    ("minP", "min_p"),
    ("parallelToolCalls", "parallel_tool_calls"),
    ("presencePenalty", "presence_penalty"),
    ("repetitionPenalty", "repetition_penalty"),
    ("responseFormat", "response_format"),
    ("serviceTier", "service_tier"),
    ("topK", "top_k"),
    ("topP", "top_p"),
];

/// What is asked of a model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) model: &'a str,
    pub(crate) settings: &'a Settings,
    pub(crate) lesson: Lesson,
    /// The most tokens of the answer.
    pub(crate) max_tokens: Option<u64>,
    /// How hard to think, in the caller's words.
    pub(crate) thinking: Option<&'a str>,
    /// The bytes of media that are at hand.
    pub(crate) shelf: &'a Shelf,
    pub(crate) is_openai: bool,
    /// What the program wants that asks. `None`: a person asks.
    pub(crate) program: Option<&'a Program>,
}

impl Asked<'_> {
    /// Whether it is asked to say what the answer cost.
    pub(crate) fn wants_usage(&self) -> bool {
        self.settings.compat.supports_usage_in_streaming.unwrap_or(true) && !self.lesson.refuses_usage
    }

    /// What the bound of the answer is called.
    pub(crate) fn max_tokens_field(&self) -> MaxTokensField {
        let usual = if self.is_openai {
            MaxTokensField::MaxCompletionTokens
        } else {
            MaxTokensField::MaxTokens
        };
        let known = self
            .settings
            .compat
            .max_tokens_field
            .or(self.lesson.max_tokens_field);
        known.unwrap_or(usual)
    }

    /// How hard it is told to think. A model that cannot reason refuses to be told; of one that is not listed only its own words
    /// are known.
    pub(crate) fn effort(&self) -> Option<&str> {
        let compat = &self.settings.compat;
        let takes = compat
            .supports_reasoning_effort
            .or(self.settings.reasoning)
            .unwrap_or(true);
        let effort = self.thinking.filter(|_| takes && !self.lesson.refuses_effort)?;
        Some(
            compat
                .reasoning_effort_map
                .get(effort)
                .map_or(effort, String::as_str),
        )
    }

    /// The fields that say so, as this server has them.
    fn thinking_fields(&self) -> Vec<(&'static str, Value)> {
        let Some(effort) = self.effort() else {
            return Vec::new();
        };
        let thinks = effort != OFF;
        let kind = if thinks { "enabled" } else { "disabled" };
        let level = ("reasoning_effort", Value::from(effort));
        match self.settings.compat.thinking_format.unwrap_or_default() {
            // There is no word for it: nothing is said, and the model thinks as usual.
            ThinkingFormat::Openai if !thinks => Vec::new(),
            ThinkingFormat::Openai => vec![level],
            ThinkingFormat::Openrouter => {
                vec![(
                    "reasoning",
                    json!({"effort": if thinks { effort } else { "none" }}),
                )]
            }
            ThinkingFormat::Deepseek if thinks => vec![("thinking", json!({"type": kind})), level],
            ThinkingFormat::Deepseek | ThinkingFormat::Zai => vec![("thinking", json!({"type": kind}))],
            ThinkingFormat::Qwen => vec![("enable_thinking", thinks.into())],
            ThinkingFormat::QwenChatTemplate => {
                vec![("chat_template_kwargs", json!({"enable_thinking": thinks}))]
            }
        }
    }
}

/// The level at which a model is not to think.
const OFF: &str = "off";

/// The body of a request.
pub(crate) fn of(asked: &Asked<'_>, system: Option<&str>, conversation: &[&Message]) -> Value {
    let developer = asked.settings.compat.supports_developer_role == Some(true);
    let role = if developer { "developer" } else { "system" };
    let system = system.map(|prompt| json!({"role": role, "content": prompt}));
    let messages: Vec<Value> = system
        .into_iter()
        .chain(messages::of(
            conversation.iter().copied(),
            Eyes {
                shelf: asked.shelf,
                sees: asked.settings.sees,
            },
        ))
        .collect();
    let mut body = Params::new();
    body.insert("model".to_owned(), asked.model.into());
    body.insert(MESSAGES.to_owned(), messages.into());
    body.insert("stream".to_owned(), true.into());
    if asked.wants_usage() {
        body.insert("stream_options".to_owned(), json!({"include_usage": true}));
    }
    if let Some(max_tokens) = asked.max_tokens {
        body.insert(word(asked.max_tokens_field()).to_owned(), max_tokens.into());
    }
    for (field, value) in asked.thinking_fields() {
        body.insert(field.to_owned(), value);
    }
    add_params(&mut body, asked);
    if let Some(program) = asked.program {
        add_program(&mut body, asked, program);
    }
    Value::Object(body)
}

/// The name of the bound of an answer.
pub(crate) fn word(field: MaxTokensField) -> &'static str {
    match field {
        MaxTokensField::MaxCompletionTokens => "max_completion_tokens",
        MaxTokensField::MaxTokens => "max_tokens",
    }
}

fn add_params(body: &mut Params, asked: &Asked<'_>) {
    let params = &asked.settings.params;
    for (key, value) in params {
        if EXTRA.contains(&key.as_str()) || NOT_FOR_SERVERS.contains(&key.as_str()) {
            continue;
        }
        let spelling = SPELLINGS.iter().find(|(known, _)| known == key);
        let field = spelling.map_or(key.as_str(), |(_, field)| field);
        if field == "temperature" && asked.settings.compat.supports_temperature == Some(false) {
            continue;
        }
        put(body, field, value);
    }
    let extra = EXTRA.iter().filter_map(|key| params.get(*key)?.as_object());
    for (field, value) in extra.flatten() {
        put(body, field, value);
    }
}

/// What a program wants goes before what the configuration says, where the server takes it.
fn add_program(body: &mut Params, asked: &Asked<'_>, program: &Program) {
    if program.offers_tools() {
        body.insert("tools".to_owned(), program.tools.clone().into());
    }
    for (field, value) in program.fields() {
        match field {
            "temperature" if asked.settings.compat.supports_temperature == Some(false) => {}
            "reasoning_effort" if asked.effort().is_some() || asked.lesson.refuses_effort => {}
            // Whichever name the program has for it, the server is told by its own.
            "max_tokens" | "max_completion_tokens" => put(body, word(asked.max_tokens_field()), value),
            _ => put(body, field, value),
        }
    }
}

/// Sets one field; `null` takes it out.
fn put(body: &mut Params, field: &str, value: &Value) {
    if field == MESSAGES {
        return;
    }
    // A bound under the one name replaces a bound under the other: servers refuse both together.
    if field == word(MaxTokensField::MaxTokens) || field == word(MaxTokensField::MaxCompletionTokens) {
        body.shift_remove(word(MaxTokensField::MaxTokens));
        body.shift_remove(word(MaxTokensField::MaxCompletionTokens));
    }
    if value.is_null() {
        body.shift_remove(field);
    } else {
        body.insert(field.to_owned(), value.clone());
    }
}

#[cfg(test)]
mod tests;
