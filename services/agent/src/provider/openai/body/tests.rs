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
    let shelf = Shelf::new();
    let mut asked = Asked {
        shelf: &shelf,
        model: "m",
        settings: &settings,
        lesson: Lesson::default(),
        max_tokens: None,
        thinking: None,
        is_openai: false,
        program: None,
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

#[test]
fn every_server_is_told_how_hard_to_think_in_its_own_field() {
    let told = |format: &str, level: &'static str| {
        let mut body = body(json!({}), json!({"thinkingFormat": format}), |asked| {
            asked.thinking = Some(level)
        });
        let body = body.as_object_mut().unwrap();
        for usual in ["model", "stream", "stream_options"] {
            body.shift_remove(usual);
        }
        Value::Object(body.clone())
    };

    assert_eq!(told("openai", "high"), json!({"reasoning_effort": "high"}));
    assert_eq!(told("openai", "off"), json!({}), "it has no word for it");
    assert_eq!(told("openrouter", "low"), json!({"reasoning": {"effort": "low"}}));
    assert_eq!(
        told("openrouter", "off"),
        json!({"reasoning": {"effort": "none"}})
    );
    assert_eq!(
        told("deepseek", "high"),
        json!({"thinking": {"type": "enabled"}, "reasoning_effort": "high"})
    );
    assert_eq!(told("deepseek", "off"), json!({"thinking": {"type": "disabled"}}));
    assert_eq!(told("zai", "high"), json!({"thinking": {"type": "enabled"}}));
    assert_eq!(told("qwen", "off"), json!({"enable_thinking": false}));
    assert_eq!(
        told("qwen-chat-template", "medium"),
        json!({"chat_template_kwargs": {"enable_thinking": true}})
    );
    let mapped = body(
        json!({}),
        json!({"reasoningEffortMap": {"off": "none"}}),
        |asked| asked.thinking = Some("off"),
    );
    assert_eq!(
        mapped["reasoning_effort"], "none",
        "a word of its own for it is used"
    );
}
