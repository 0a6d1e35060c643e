//! Which model answers, as the configuration says.

use gatehouse_core::telemetry::escape;
use serde_json::Value;

use crate::{
    status::LeftOut,
    term::{Ink, Style},
};

/// The line about it.
pub(super) fn line(config: &Value, left_out: &LeftOut, style: Style) -> String {
    if let Some(entry) = left_out.around("agents.defaults.model") {
        let text = format!(
            "model: the echo, which only repeats what is said: {} of the configuration cannot be used (see below)\n",
            escape(entry)
        );
        return style.paint(Ink::Yellow, &text);
    }
    let model = config.pointer("/agents/defaults/model").unwrap_or(&Value::Null);
    let primary = model.as_str().or_else(|| model["primary"].as_str());
    let Some(primary) = primary.filter(|primary| *primary != "echo/echo") else {
        let text = "model: the echo, which only repeats what is said; `gatehouse setup` finds a real one\n";
        return style.paint(Ink::Dim, text);
    };
    let fallbacks = model["fallbacks"].as_array().into_iter().flatten();
    let is_out = |model: &str| {
        let provider = model.split_once('/').map(|(provider, _)| provider);
        provider.is_some_and(|provider| left_out.around(&format!("models.providers.{provider}")).is_some())
    };
    let all: Vec<_> = std::iter::once(primary)
        .chain(fallbacks.filter_map(Value::as_str))
        .map(|model| match is_out(model) {
            true => format!("{model} (cannot be asked: its provider is left out, see below)"),
            false => model.to_owned(),
        })
        .collect();
    let ink = if is_out(primary) { Ink::Yellow } else { Ink::Dim };
    style.paint(ink, &format!("model: {}\n", escape(&all.join(", else "))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_person_sees_which_model_answers_and_which_when_that_one_cannot() {
        let out = LeftOut::default();
        let told = |model: Value| {
            line(
                &json!({"agents": {"defaults": {"model": model}}}),
                &out,
                Style::plain(),
            )
        };

        assert_eq!(told(json!("ollama/llama3.2")), "model: ollama/llama3.2\n");
        assert_eq!(
            told(json!({"primary": "a/b", "fallbacks": ["c/d", "e/f"]})),
            "model: a/b, else c/d, else e/f\n"
        );
        for nothing in [json!(null), json!({"primary": "echo/echo"})] {
            assert!(told(nothing).contains("gatehouse setup"));
        }
    }

    #[test]
    fn a_model_that_the_document_names_and_nobody_asks_is_not_said_to_answer() {
        let told = |model: Value, out: &str| {
            let out = LeftOut::from_iter([out.to_owned()]);
            line(
                &json!({"agents": {"defaults": {"model": model}}}),
                &out,
                Style::plain(),
            )
        };

        assert!(told(json!("a/b"), "agents.defaults.model").starts_with("model: the echo, "));
        assert!(told(json!("a/b"), "agents").contains("agents of the configuration cannot be used"));
        assert_eq!(
            told(
                json!({"primary": "a/b", "fallbacks": ["c/d"]}),
                "models.providers.a"
            ),
            "model: a/b (cannot be asked: its provider is left out, see below), else c/d\n"
        );
    }
}
