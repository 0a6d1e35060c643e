//! Everything about one thing: a line for each field of an answer.

use gatehouse_core::telemetry::escape;
use serde_json::{Map, Value};

use crate::term::{Ink, Style};

/// The fields of an object by their names, in the order of the answer. What is unset or empty is left out.
pub(super) fn lines(object: &Map<String, Value>, style: Style, now_ms: Option<i64>) -> String {
    let mut shown = Vec::new();
    collect("", object, now_ms, &mut shown);
    let width = shown
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    let line = |(name, text): &(String, String)| {
        let name = style.paint(Ink::Dim, &format!("{name:width$}"));
        format!("{name}  {}\n", escape(text))
    };
    shown.iter().map(line).collect()
}

/// What is inside of an object has its path for a name, as in the configuration.
fn collect(
    before: &str,
    object: &Map<String, Value>,
    now_ms: Option<i64>,
    shown: &mut Vec<(String, String)>,
) {
    for (name, value) in object {
        let path = format!("{before}{name}");
        match value {
            Value::Object(inner) => collect(&format!("{path}."), inner, now_ms, shown),
            value => shown.extend(text(name, value, now_ms).map(|text| (path, text))),
        }
    }
}

fn text(name: &str, value: &Value, now_ms: Option<i64>) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(set) => Some(if *set { "yes" } else { "no" }.to_owned()),
        Value::Number(number) => Some(match (moment(name, number.as_i64()), now_ms) {
            (Some(at), Some(now)) if at <= now => format!("{number} ({} ago)", crate::term::ago(now - at)),
            (Some(at), Some(now)) => format!("{number} (in {})", crate::term::ago(at - now)),
            _ => number.to_string(),
        }),
        Value::Array(list) if list.is_empty() => None,
        Value::Array(list) if list.iter().all(Value::is_string) => {
            let words: Vec<_> = list.iter().filter_map(Value::as_str).collect();
            Some(words.join(", "))
        }
        other @ (Value::Array(_) | Value::Object(_)) => Some(other.to_string()),
    }
}

/// A field that says when something was, by how such fields are named in the contracts.
fn moment(name: &str, value: Option<i64>) -> Option<i64> {
    let is_moment = name.ends_with("At") || name.ends_with("AtMs") || name.ends_with("Until") || name == "ts";
    value.filter(|at| is_moment && *at > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_field_that_is_set_has_a_line_and_moments_are_said_in_words() {
        let object = json!({
            "key": "agent:main:main", "label": null, "updatedAt": 40_000, "hasActiveRun": false,
            "tags": ["default", "in-use"], "target": {"to": "a\nb"}, "empty": [],
        });

        let text = lines(object.as_object().unwrap(), Style::plain(), Some(100_000));

        assert_eq!(
            text,
            "key           agent:main:main\n\
             updatedAt     40000 (60 s ago)\n\
             hasActiveRun  no\n\
             tags          default, in-use\n\
             target.to     a\\nb\n"
        );
    }
}
