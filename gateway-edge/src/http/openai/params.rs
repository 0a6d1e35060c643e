//! The parameters of a program's turn, put together.

use serde_json::{Map, Value};

use super::{
    messages::Said,
    places::Places,
    target::{Name, Target},
};

/// Parameters of `chat.stream`.
#[derive(Debug, Default)]
pub(super) struct Params(Map<String, Value>);

impl Params {
    /// Those of a run of this name in the place that the request means.
    pub(super) fn of(name: &Name, target: Target) -> Self {
        let Target {
            agent,
            session_key,
            model,
        } = target;
        let mut params = Self::default();
        params.put("idempotencyKey", Some(name.id.clone()));
        params.put("lingerMs", Some(name.linger_ms));
        params.put("agentId", agent);
        params.put("sessionKey", session_key);
        params.put("model", model);
        params
    }

    /// What is absent is left out.
    pub(super) fn put(&mut self, name: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
    }

    /// What is said. Answers where it stood.
    pub(super) fn say(&mut self, said: Said) -> Places {
        let Said {
            instructions,
            history,
            message,
            attachments,
            tool_results,
            places,
        } = said;
        self.put("message", message);
        self.put("attachments", Some(attachments));
        self.put("toolResults", Some(tool_results));
        self.put("history", Some(history));
        self.put("instructions", instructions);
        places
    }

    /// As JSON text.
    pub(super) fn into_text(self) -> String {
        Value::Object(self.0).to_string()
    }
}
