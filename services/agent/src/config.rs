//! The part of the configuration that this service reads: where models are, and which one answers by default.

use std::{collections::BTreeMap, time::Duration};

use gatehouse_core::Secret;
use serde::Deserialize;

/// The built-in provider and its only model.
pub(crate) const ECHO: &str = "echo";

/// The longest a request to a provider may take unless its entry says otherwise: a slow local model with a long answer.
const TIMEOUT: Duration = Duration::from_secs(600);

/// The sections.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    pub(crate) models: Models,
    pub(crate) agents: Agents,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Models {
    pub(crate) providers: BTreeMap<String, Provider>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Agents {
    defaults: Defaults,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Defaults {
    model: Option<Choice>,
}

/// One model, or one and what to try after it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Choice {
    One(String),
    Ordered {
        #[serde(default)]
        primary: Option<String>,
        #[serde(default)]
        fallbacks: Vec<String>,
    },
}

/// One provider.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Provider {
    pub(crate) base_url: Option<String>,
    pub(crate) api_key: Option<Secret>,
    #[serde(default)]
    pub(crate) api: Option<String>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, Secret>,
    timeout_seconds: Option<u64>,
    #[serde(default)]
    pub(crate) models: Vec<Model>,
}

impl Provider {
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout_seconds.map_or(TIMEOUT, Duration::from_secs)
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Model {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) reasoning: bool,
    pub(crate) context_window: Option<i64>,
    pub(crate) max_tokens: Option<i64>,
}

impl Config {
    /// What answers when a turn names no model, in order.
    pub(crate) fn default_models(&self) -> Vec<String> {
        let chosen = match &self.agents.defaults.model {
            Some(Choice::One(model)) => vec![model.clone()],
            Some(Choice::Ordered { primary, fallbacks }) => {
                primary.iter().chain(fallbacks).cloned().collect()
            }
            None => Vec::new(),
        };
        if chosen.is_empty() {
            vec![format!("{ECHO}/{ECHO}")]
        } else {
            chosen
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> Config {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn both_forms_of_a_choice_are_read_and_nothing_means_the_echo() {
        assert_eq!(config("{}").default_models(), ["echo/echo"]);
        assert_eq!(
            config(r#"{"agents":{"defaults":{"model":"a/b"}}}"#).default_models(),
            ["a/b"]
        );
        let ordered = r#"{"agents":{"defaults":{"model":{"primary":"a/b","fallbacks":["c/d"]}}}}"#;
        assert_eq!(config(ordered).default_models(), ["a/b", "c/d"]);
    }

    #[test]
    fn a_key_is_not_printed() {
        let config = config(r#"{"models":{"providers":{"p":{"apiKey":"sk-1","headers":{"x-key":"sk-2"}}}}}"#);

        assert!(!format!("{config:?}").contains("sk-"));
    }
}
