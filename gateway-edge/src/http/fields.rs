//! A body in JSON, read field by field: what is wrong with one is told by its place, in the words of the API that it belongs to.

use serde_json::{Map, Value};

use crate::error::Refusal;

/// Longest name of a field that is repeated.
const NAME_SHOWN_MAX: usize = 64;

/// An object that is read.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// Where it stands; empty for the body itself.
    at: String,
    fields: Map<String, Value>,
}

impl Fields {
    /// The object that a body is.
    pub(super) fn of_body(body: &[u8]) -> Result<Self, Refusal> {
        let value: Value = serde_json::from_slice(body).map_err(|error| {
            Refusal::invalid(format!("the body is not JSON: {error}")).detail("code", "BODY_INVALID")
        })?;
        match value {
            Value::Object(fields) => Ok(Self {
                at: String::new(),
                fields,
            }),
            other => {
                let message = format!("the body has to be a JSON object, and is {}", named(&other));
                Err(Refusal::invalid(message).detail("code", "BODY_INVALID"))
            }
        }
    }

    /// The object that stands at this place.
    pub(super) fn of(value: Value, at: &str) -> Result<Self, Refusal> {
        match value {
            Value::Object(fields) => Ok(Self {
                at: at.to_owned(),
                fields,
            }),
            other => Err(mistyped(at, "an object", &other)),
        }
    }

    /// Where a field stands.
    pub(super) fn place(&self, name: &str) -> String {
        format!("{}/{name}", self.at)
    }

    /// A field, whatever it is. One that is null is not there.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.fields.remove(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(mistyped(&self.place(name), "a string", &other)),
        }
    }

    pub(super) fn needed_text(&mut self, name: &str) -> Result<String, Refusal> {
        self.text(name)?.ok_or_else(|| self.lacks(name))
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(other) => Err(mistyped(&self.place(name), "true or false", &other)),
        }
    }

    pub(super) fn count(&mut self, name: &str) -> Result<Option<u64>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => match value.as_u64() {
                Some(count) => Ok(Some(count)),
                None => Err(mistyped(&self.place(name), "a whole number", &value)),
            },
        }
    }

    pub(super) fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(other) => Err(mistyped(&self.place(name), "a list", &other)),
        }
    }

    pub(super) fn object(&mut self, name: &str) -> Result<Option<Self>, Refusal> {
        let value = self.take(name);
        value.map(|value| Self::of(value, &self.place(name))).transpose()
    }

    /// What is told when a field is not there.
    pub(super) fn lacks(&self, name: &str) -> Refusal {
        let place = self.place(name);
        let message = format!("`{}` is missing", param(&place));
        wrong(&place, message).detail("code", "missing_required_parameter")
    }

    /// What nobody took.
    pub(super) fn left(self) -> Map<String, Value> {
        self.fields
    }
}

/// A field that is wrong.
pub(super) fn wrong(path: &str, message: impl Into<Box<str>>) -> Refusal {
    Refusal::invalid(message).detail("path", path)
}

/// A field that is something else than it has to be.
pub(super) fn mistyped(path: &str, expected: &str, got: &Value) -> Refusal {
    let message = format!("`{}` has to be {expected}, and is {}", param(path), named(got));
    wrong(path, message).detail("code", "invalid_type")
}

/// A field that the API has and that would change nothing here.
pub(super) fn without_effect(path: &str, why: &str) -> Refusal {
    let message = format!("`{}` has no effect here: {why}", param(path));
    wrong(path, message).detail("code", "unsupported_parameter")
}

/// A place as these APIs write it: `messages[0].content`.
pub(super) fn param(path: &str) -> String {
    let mut param = String::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        if part.bytes().all(|byte| byte.is_ascii_digit()) {
            param.push_str(&format!("[{part}]"));
            continue;
        }
        if !param.is_empty() {
            param.push('.');
        }
        param.extend(part.chars().take(NAME_SHOWN_MAX));
    }
    param
}

fn named(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_is_told_by_its_place_and_in_no_words_of_a_program() {
        let body = json!({"a": {"list": [1], "text": 7, "flag": "x", "count": -1}, "null": null});
        let mut fields = Fields::of_body(body.to_string().as_bytes()).unwrap();
        let mut inner = fields.object("a").unwrap().unwrap();

        assert_eq!(fields.text("null"), Ok(None));
        for (refused, path, words) in [
            (
                inner.text("text").unwrap_err(),
                "/a/text",
                "`a.text` has to be a string, and is a number",
            ),
            (inner.flag("flag").unwrap_err(), "/a/flag", "true or false"),
            (inner.count("count").unwrap_err(), "/a/count", "a whole number"),
            (
                inner.needed_text("none").unwrap_err(),
                "/a/none",
                "`a.none` is missing",
            ),
            (
                inner.object("list").unwrap_err(),
                "/a/list",
                "an object, and is a list",
            ),
        ] {
            assert_eq!(refused.details["path"], path);
            assert!(refused.message.contains(words), "{refused:?}");
        }
        for broken in [&b"{"[..], b"", b"[]", b"\"x\"", b"{\"a\":1}x", b"\xff"] {
            let refused = Fields::of_body(broken).unwrap_err();
            assert_eq!(refused.details["code"], "BODY_INVALID");
            assert!(!refused.message.contains("struct") && !refused.message.contains("invalid type"));
        }
    }

    #[test]
    fn places_are_written_as_the_published_sdks_show_them() {
        assert_eq!(
            param("/messages/2/content/0/image_url/url"),
            "messages[2].content[0].image_url.url"
        );
        assert_eq!(
            (param("/n"), param(""), param("/input/10")),
            ("n".into(), String::new(), "input[10]".into())
        );
    }
}
