//! How one model is asked: what stands in the document about it, from the general to the particular. Later ones win, key by key:
//! its provider, all agents, the model's entry, the model for all agents, the model for this agent, this agent.

use gatehouse_document::{
    Agents,
    agents::ModelSettings,
    models::{Compat, Model, Params},
};
use indexmap::IndexMap;

use super::Provider;
use crate::{request::ModelName, window::Window};

/// How one model is asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Settings {
    /// The most tokens of one answer.
    pub(crate) max_tokens: Option<u64>,
    /// What it takes at once. `None`: nobody said.
    pub(crate) window: Option<Window>,
    /// Fields of the request.
    pub(crate) params: Params,
    pub(crate) compat: Compat,
    /// What the document says about its thinking. `None`: the model is not listed.
    pub(crate) reasoning: Option<bool>,
    /// Whether it is listed as a model that sees pictures.
    pub(crate) sees: bool,
}

/// What the agents' side says.
#[derive(Debug, Default)]
pub(super) struct Layers {
    defaults: Option<Params>,
    models: IndexMap<String, ModelSettings>,
    agents: Vec<Agent>,
}

#[derive(Debug)]
struct Agent {
    id: String,
    params: Option<Params>,
    models: IndexMap<String, ModelSettings>,
}

impl Layers {
    pub(super) fn read(agents: &Agents) -> Self {
        let listed = agents.list.iter().map(|listed| (&listed.id, &listed.agent));
        let entries = agents.entries.iter();
        let own = entries
            .chain(listed)
            .filter(|(_, entry)| entry.params.is_some() || !entry.models.is_empty())
            .map(|(id, entry)| Agent {
                id: id.clone(),
                params: entry.params.clone(),
                models: entry.models.clone(),
            });
        Self {
            defaults: agents.defaults.params.clone(),
            models: agents.defaults.models.clone(),
            agents: own.collect(),
        }
    }

    pub(super) fn settings(&self, name: &ModelName, provider: &Provider, agent: Option<&str>) -> Settings {
        let model = provider.model(&name.model);
        let agent = agent.and_then(|id| {
            // Session writes ids in small letters.
            self.agents
                .iter()
                .find(|agent| agent.id.trim().eq_ignore_ascii_case(id))
        });
        let full = name.to_string();
        let of_model = |models: &'_ IndexMap<String, ModelSettings>| {
            models.get(&full).and_then(|settings| settings.params.clone())
        };
        let layers = [
            provider.params.clone(),
            self.defaults.clone(),
            model.and_then(|model| model.params.clone()),
            of_model(&self.models),
            agent.and_then(|agent| of_model(&agent.models)),
            agent.and_then(|agent| agent.params.clone()),
        ];
        let mut params = Params::new();
        for layer in layers.into_iter().flatten() {
            params.extend(layer);
        }
        let max_tokens = params
            .get("maxTokens")
            .and_then(serde_json::Value::as_u64)
            .or_else(|| model.and_then(|model| model.max_tokens))
            .or(provider.max_tokens);
        Settings {
            max_tokens,
            window: model.and_then(|model| window(model, max_tokens)),
            params,
            compat: merged(
                provider.compat.as_ref(),
                model.and_then(|model| model.compat.as_ref()),
            ),
            reasoning: model.map(|model| model.reasoning),
            sees: model.is_some_and(|model| model.input.iter().any(|kind| kind == "image")),
        }
    }
}

fn window(model: &Model, answer: Option<u64>) -> Option<Window> {
    let tokens = match (model.context_window, model.context_tokens) {
        (Some(window), Some(used)) => window.min(used),
        (window, used) => window.or(used)?,
    };
    Some(Window { tokens, answer })
}

/// What the model's entry says, and where it says nothing, its provider's.
fn merged(provider: Option<&Compat>, model: Option<&Compat>) -> Compat {
    let provider = provider.cloned().unwrap_or_default();
    let Some(model) = model.cloned() else {
        return provider;
    };
    let Compat {
        supports_usage_in_streaming,
        max_tokens_field,
        supports_reasoning_effort,
        reasoning_effort_map,
        thinking_format,
        supports_developer_role,
        supports_temperature,
        supports_store,
        supports_tools,
        supports_strict_mode,
    } = model;
    let mut efforts = provider.reasoning_effort_map;
    efforts.extend(reasoning_effort_map);
    Compat {
        supports_usage_in_streaming: supports_usage_in_streaming.or(provider.supports_usage_in_streaming),
        max_tokens_field: max_tokens_field.or(provider.max_tokens_field),
        supports_reasoning_effort: supports_reasoning_effort.or(provider.supports_reasoning_effort),
        reasoning_effort_map: efforts,
        thinking_format: thinking_format.or(provider.thinking_format),
        supports_developer_role: supports_developer_role.or(provider.supports_developer_role),
        supports_temperature: supports_temperature.or(provider.supports_temperature),
        supports_store: supports_store.or(provider.supports_store),
        supports_tools: supports_tools.or(provider.supports_tools),
        supports_strict_mode: supports_strict_mode.or(provider.supports_strict_mode),
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_document::models::MaxTokensField;
    use serde_json::json;

    use super::super::Config;
    use super::*;

    fn settings(json: &str, agent: Option<&str>) -> Settings {
        let config: Config = json5::from_str(json).unwrap();
        config.settings(&ModelName::new("p", "a/b"), &config.providers["p"], agent)
    }

    #[test]
    fn the_particular_wins_over_the_general_key_by_key() {
        let document = r#"{
            models: { providers: { p: { baseUrl: "http://h", params: { a: 1, b: 1, c: 1, d: 1, e: 1, f: 1 },
                models: [{ id: "a/b", params: { c: 3, d: 3, e: 3, f: 3 } }] } } },
            agents: {
                defaults: { params: { b: 2, c: 2, d: 2, e: 2, f: 2 }, models: { "p/a/b": { params: { d: 4, e: 4, f: 4 } } } },
                entries: { Main: { models: { "p/a/b": { params: { e: 5, f: 5 } } }, params: { f: 6 } } },
            },
        }"#;

        assert_eq!(
            serde_json::Value::Object(settings(document, Some("main")).params),
            json!({"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6})
        );
        assert_eq!(settings(document, None).params.get("f"), Some(&json!(4)));
        assert_eq!(settings(document, Some("other")).params.get("f"), Some(&json!(4)));
    }

    #[test]
    fn a_models_differences_win_over_its_providers() {
        let document = r#"{models:{providers:{p:{baseUrl:"http://h",maxTokens:9,
            compat:{supportsUsageInStreaming:false,maxTokensField:"max_tokens",reasoningEffortMap:{low:"l",high:"h"}},
            models:[{id:"a/b",compat:{maxTokensField:"max_completion_tokens",reasoningEffortMap:{high:"max"}}}]}}}}"#;

        let settings = settings(document, None);

        assert_eq!(settings.compat.supports_usage_in_streaming, Some(false));
        assert_eq!(
            settings.compat.max_tokens_field,
            Some(MaxTokensField::MaxCompletionTokens)
        );
        assert_eq!(settings.compat.reasoning_effort_map["high"], "max");
        assert_eq!(settings.compat.reasoning_effort_map["low"], "l");
        assert_eq!(settings.max_tokens, Some(9));
    }

    #[test]
    fn the_window_is_the_smaller_of_what_the_model_has_and_what_is_wanted() {
        let of = |keys: &str| {
            let document = format!(
                r#"{{models:{{providers:{{p:{{baseUrl:"http://h",models:[{{id:"a/b",{keys}}}]}}}}}}}}"#
            );
            settings(&document, None).window
        };
        let window = |tokens, answer| Some(Window { tokens, answer });

        assert_eq!(
            of("contextWindow:1000,contextTokens:600,maxTokens:100"),
            window(600, Some(100))
        );
        assert_eq!(of("contextWindow:1000,contextTokens:6000"), window(1000, None));
        assert_eq!(
            of("contextTokens:600,params:{maxTokens:50}"),
            window(600, Some(50))
        );
        assert_eq!(of("maxTokens:100"), None);
    }
}
