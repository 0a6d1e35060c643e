//! Fields of a request that steer how the model writes: they go to it as they are, when they are what the API says they are. And those
//! that the API has and that would change nothing here: they are refused where somebody would wait for what they ask for.

use serde_json::{Map, Value};

use super::super::fields::{Fields, mistyped, without_effect};
use crate::error::Refusal;

/// What a field has to be.
#[derive(Debug, Clone, Copy)]
enum Is {
    Number,
    Whole,
    Flag,
    Text,
    Object,
    /// A string, or an object.
    Choice,
    /// A string, or a list of them.
    Texts,
}

/// Fields that go to the model as they are.
const PARAMETERS: [(&str, Is); 18] = [
    ("frequency_penalty", Is::Number),
    ("logit_bias", Is::Object),
    ("max_completion_tokens", Is::Whole),
    ("max_tokens", Is::Whole),
    ("min_p", Is::Number),
    ("parallel_tool_calls", Is::Flag),
    ("presence_penalty", Is::Number),
    ("reasoning_effort", Is::Text),
    ("repetition_penalty", Is::Number),
    ("response_format", Is::Object),
    ("seed", Is::Whole),
    ("service_tier", Is::Text),
    ("stop", Is::Texts),
    ("temperature", Is::Number),
    ("tool_choice", Is::Choice),
    ("top_k", Is::Whole),
    ("top_p", Is::Number),
    ("verbosity", Is::Text),
];

/// Fields that are read and change nothing for who sends them.
const HARMLESS: [&str; 11] = [
    "context_management",
    "include",
    "max_tool_calls",
    "prediction",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
    "stream_options",
    "truncation",
];

/// What of a request goes to the model as it is. Names of fields that the API does not have are put into `unknown`.
pub(super) fn parameters(
    mut fields: Map<String, Value>,
    unknown: &mut Vec<String>,
) -> Result<Option<Value>, Refusal> {
    let mut passed = Map::new();
    for (name, is) in PARAMETERS {
        if let Some(value) = fields.remove(name).filter(|value| !value.is_null()) {
            check(name, is, &value)?;
            passed.insert(name.to_owned(), value);
        }
    }
    let others = fields.into_iter().filter(|(_, value)| !value.is_null());
    unknown.extend(
        others
            .map(|(name, _)| name)
            .filter(|name| !HARMLESS.contains(&name.as_str())),
    );
    Ok((!passed.is_empty()).then_some(Value::Object(passed)))
}

fn check(name: &str, is: Is, value: &Value) -> Result<(), Refusal> {
    let texts = |list: &Vec<Value>| list.iter().all(Value::is_string);
    let (fits, expected) = match is {
        Is::Number => (value.is_number(), "a number"),
        Is::Whole => (value.is_i64() || value.is_u64(), "a whole number"),
        Is::Flag => (value.is_boolean(), "true or false"),
        Is::Text => (value.is_string(), "a string"),
        Is::Object => (value.is_object(), "an object"),
        Is::Choice => (value.is_string() || value.is_object(), "a string or an object"),
        Is::Texts => (
            value.is_string() || value.as_array().is_some_and(texts),
            "a string or a list of strings",
        ),
    };
    if fits {
        Ok(())
    } else {
        Err(mistyped(&format!("/{name}"), expected, value))
    }
}

/// Refuses what both endpoints have and nothing here acts on.
pub(super) fn refuse_without_effect(fields: &mut Fields) -> Result<(), Refusal> {
    if fields.count("top_logprobs")?.is_some_and(|count| count > 0) {
        let why = "no probabilities of tokens come with an answer";
        return Err(without_effect(&fields.place("top_logprobs"), why));
    }
    Ok(())
}

/// What a program notes beside its request, for itself.
pub(super) fn metadata(fields: &mut Fields) -> Result<Option<Value>, Refusal> {
    let place = fields.place("metadata");
    let Some(value) = fields.take("metadata") else {
        return Ok(None);
    };
    let Value::Object(noted) = &value else {
        return Err(mistyped(&place, "an object", &value));
    };
    match noted.iter().find(|(_, value)| !value.is_string()) {
        Some((name, value)) => Err(mistyped(&format!("{place}/{name}"), "a string", value)),
        None => Ok(Some(value)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(fields: Value) -> (Result<Option<Value>, Refusal>, Vec<String>) {
        let Value::Object(fields) = fields else {
            panic!("an object")
        };
        let mut unknown = Vec::new();
        let read = parameters(fields, &mut unknown);
        (read, unknown)
    }

    #[test]
    fn what_steers_the_model_is_passed_on_and_what_is_no_field_is_named() {
        let (passed, unknown) = read(json!({
            "temperature": 1, "stop": ["x"], "seed": null, "store": true, "chat_template_kwargs": {}, "top_k": 5,
        }));

        assert_eq!(
            passed,
            Ok(Some(json!({"temperature": 1, "stop": ["x"], "top_k": 5})))
        );
        assert_eq!(unknown, ["chat_template_kwargs"]);
        assert_eq!(read(json!({})).0, Ok(None));
    }

    #[test]
    fn what_is_of_another_type_is_refused_by_its_name() {
        for (name, value) in [
            ("temperature", json!("hot")),
            ("max_tokens", json!(1.5)),
            ("stop", json!([1])),
            ("parallel_tool_calls", json!("yes")),
            ("response_format", json!("json")),
            ("tool_choice", json!(7)),
        ] {
            let refused = read(json!({name: value})).0.unwrap_err();
            assert_eq!(refused.details["path"], format!("/{name}"));
            assert_eq!(refused.details["code"], "invalid_type");
        }
    }

    #[test]
    fn notes_are_strings_under_names() {
        let told = |value: Value| metadata(&mut Fields::of(json!({"metadata": value}), "").unwrap());

        assert_eq!(told(json!({"a": "b"})), Ok(Some(json!({"a": "b"}))));
        assert_eq!(told(Value::Null), Ok(None));
        assert_eq!(told(json!([1])).unwrap_err().details["path"], "/metadata");
        assert_eq!(told(json!({"a": 1})).unwrap_err().details["path"], "/metadata/a");
    }
}
