//! Which model answers, as the configuration says.

use gatehouse_core::telemetry::escape;
use serde_json::Value;

use crate::term::{Ink, Style};

/// The line about it.
pub(super) fn line(config: &Value, style: Style) -> String {
    let model = config.pointer("/agents/defaults/model").unwrap_or(&Value::Null);
    let primary = model.as_str().or_else(|| model["primary"].as_str());
    let Some(primary) = primary.filter(|primary| *primary != "echo/echo") else {
        let text = "model: the echo, which only repeats what is said; `gatehouse setup` finds a real one\n";
        return style.paint(Ink::Dim, text);
    };
    let fallbacks = model["fallbacks"].as_array().into_iter().flatten();
    let all: Vec<_> = std::iter::once(primary)
        .chain(fallbacks.filter_map(Value::as_str))
        .collect();
    style.paint(Ink::Dim, &format!("model: {}\n", escape(&all.join(", else "))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_person_sees_which_model_answers_and_which_when_that_one_cannot() {
        let told = |model: Value| line(&json!({"agents": {"defaults": {"model": model}}}), Style::plain());

        assert_eq!(told(json!("ollama/llama3.2")), "model: ollama/llama3.2\n");
        assert_eq!(
            told(json!({"primary": "a/b", "fallbacks": ["c/d", "e/f"]})),
            "model: a/b, else c/d, else e/f\n"
        );
        for nothing in [json!(null), json!({"primary": "echo/echo"})] {
            assert!(told(nothing).contains("gatehouse setup"));
        }
    }
}
