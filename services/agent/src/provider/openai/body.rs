//! What a model is sent: the conversation, and the fields of the request that the configuration, the turn and what was learned of
//! the server ask for.

use gatehouse_document::models::{MaxTokensField, Params};
use serde_json::{Value, json};

use super::messages;
use crate::{config::Settings, lessons::Lesson, request::Message};

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
    pub(crate) is_openai: bool,
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
}

/// The body of a request.
pub(crate) fn of(asked: &Asked<'_>, system: Option<&str>, conversation: &[&Message]) -> Value {
    let developer = asked.settings.compat.supports_developer_role == Some(true);
    let role = if developer { "developer" } else { "system" };
    let system = system.map(|prompt| json!({"role": role, "content": prompt}));
    let messages: Vec<Value> = system
        .into_iter()
        .chain(messages::of(conversation.iter().copied()))
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
    if let Some(effort) = asked.effort() {
        body.insert("reasoning_effort".to_owned(), effort.into());
    }
    add_params(&mut body, asked);
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
mod tests {
    use gatehouse_core::Content;
    use gatehouse_document::models::Compat;

    use super::*;
    use crate::request::Role;

    fn body(params: Value, compat: Value, change: impl FnOnce(&mut Asked<'_>)) -> Value {
        let settings = Settings {
            params: serde_json::from_value(params).unwrap(),
            compat: serde_json::from_value::<Compat>(compat).unwrap(),
            ..Settings::default()
        };
        let mut asked = Asked {
            model: "m",
            settings: &settings,
            lesson: Lesson::default(),
            max_tokens: None,
            thinking: None,
            is_openai: false,
        };
        change(&mut asked);
        let said = Message {
            role: Role::User,
            content: Content::text("hi"),
            provider: None,
        };
        let mut body = of(&asked, Some("be kind"), &[&said]);
        let sent = body.as_object_mut().unwrap().shift_remove("messages").unwrap();
        assert_eq!(sent.as_array().unwrap().len(), 2);
        body
    }

    #[test]
    fn a_plain_request_has_what_every_server_takes() {
        assert_eq!(
            body(json!({}), json!({}), |_| ()),
            json!({"model": "m", "stream": true, "stream_options": {"include_usage": true}})
        );
    }

    #[test]
    fn parameters_are_fields_of_the_request_and_null_takes_one_out() {
        let params = json!({"temperature": 0.2, "topP": 0.9, "provider": {"sort": "price"}, "cacheRetention": "long",
            "messages": [], "extra_body": {"stream_options": null, "stream": false, "top_k": 5, "messages": "no"},
            "extraBody": {"chat_template_kwargs": {"enable_thinking": false}}});

        assert_eq!(
            body(params, json!({}), |_| ()),
            json!({"model": "m", "stream": false, "temperature": 0.2, "top_p": 0.9, "provider": {"sort": "price"}, "top_k": 5,
                "chat_template_kwargs": {"enable_thinking": false}})
        );
    }

    #[test]
    fn usage_is_not_asked_for_where_the_server_cannot_say_it() {
        let silent = json!({"model": "m", "stream": true});

        assert_eq!(
            body(json!({}), json!({"supportsUsageInStreaming": false}), |_| ()),
            silent
        );
        assert_eq!(
            body(json!({}), json!({}), |asked| asked.lesson.refuses_usage = true),
            silent
        );
    }

    #[test]
    fn the_bound_of_an_answer_has_the_name_that_the_server_knows_and_never_two() {
        let bounded = |params, compat, is_openai, learned| {
            let body = body(params, compat, |asked| {
                asked.max_tokens = Some(7);
                asked.is_openai = is_openai;
                asked.lesson.max_tokens_field = learned;
            });
            (
                body.get("max_tokens").cloned(),
                body.get("max_completion_tokens").cloned(),
            )
        };
        let newer = || json!({"maxTokensField": "max_completion_tokens"});
        let seven = || Some(json!(7));

        assert_eq!(bounded(json!({}), json!({}), false, None), (seven(), None));
        assert_eq!(bounded(json!({}), json!({}), true, None), (None, seven()));
        assert_eq!(bounded(json!({}), newer(), false, None), (None, seven()));
        assert_eq!(
            bounded(
                json!({}),
                json!({}),
                false,
                Some(MaxTokensField::MaxCompletionTokens)
            ),
            (None, seven())
        );
        let written = json!({"extra_body": {"max_completion_tokens": 9}});
        assert_eq!(bounded(written, json!({}), false, None), (None, Some(json!(9))));
        let none = json!({"extra_body": {"max_tokens": null}});
        assert_eq!(bounded(none, json!({}), false, None), (None, None));
    }

    #[test]
    fn thinking_is_told_in_the_servers_words_where_it_may_be_told() {
        let told = |compat, refuses| {
            let body = body(json!({}), compat, |asked| {
                asked.thinking = Some("high");
                asked.lesson.refuses_effort = refuses;
            });
            body.get("reasoning_effort").cloned()
        };

        assert_eq!(told(json!({}), false), Some(json!("high")));
        assert_eq!(told(json!({}), true), None);
        assert_eq!(told(json!({"supportsReasoningEffort": false}), false), None);
        assert_eq!(
            told(json!({"reasoningEffortMap": {"high": "max"}}), false),
            Some(json!("max"))
        );
    }

    #[test]
    fn a_temperature_that_the_server_refuses_is_not_sent() {
        let fixed = body(
            json!({"temperature": 1}),
            json!({"supportsTemperature": false}),
            |_| (),
        );

        assert_eq!(fixed.get("temperature"), None);
    }
}
