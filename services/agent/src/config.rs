//! What the configuration means for turns: where models are, and which one answers by default. Read once per revision.

use std::{collections::BTreeMap, time::Duration};

use gatehouse_core::Secret;
use gatehouse_document::{
    Document, SecretInput,
    models::{self, Model},
};
use serde::Deserialize;

/// The built-in provider and its only model.
pub(crate) const ECHO: &str = "echo";

/// The longest a request to a provider may take unless its entry says otherwise: a slow local model with a long answer.
const TIMEOUT: Duration = Duration::from_secs(600);

/// One revision.
#[derive(Debug, Deserialize)]
#[serde(from = "Document")]
pub(crate) struct Config {
    pub(crate) providers: BTreeMap<String, Provider>,
    /// What answers when a turn names no model, in order.
    pub(crate) default_models: Vec<String>,
}

/// One provider.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) base_url: Option<String>,
    pub(crate) api_key: Option<Secret>,
    pub(crate) headers: BTreeMap<String, Secret>,
    /// The longest a request may take.
    pub(crate) timeout: Duration,
    pub(crate) models: Vec<Model>,
}

impl From<Document> for Config {
    fn from(document: Document) -> Self {
        let chosen = document.agents.defaults.model.map(|choice| choice.chain());
        let chosen = chosen.filter(|chain| !chain.is_empty());
        let providers = document.models.providers.into_iter();
        Self {
            providers: providers.map(|(id, entry)| (id, entry.into())).collect(),
            default_models: chosen.unwrap_or_else(|| vec![format!("{ECHO}/{ECHO}")]),
        }
    }
}

impl From<models::Provider> for Provider {
    fn from(entry: models::Provider) -> Self {
        let models::Provider {
            base_url,
            api_key,
            api: models::ProviderApi::OpenaiCompletions,
            headers,
            timeout_seconds,
            models,
        } = entry;
        Self {
            base_url,
            api_key: api_key.as_ref().and_then(secret),
            headers: headers
                .iter()
                .filter_map(|(name, value)| Some((name.clone(), secret(value)?)))
                .collect(),
            timeout: timeout_seconds.map_or(TIMEOUT, |seconds| Duration::from_secs(seconds.into())),
            models,
        }
    }
}

/// What a service is sent holds the secrets themselves.
fn secret(input: &SecretInput) -> Option<Secret> {
    input.text().map(Secret::new)
}

#[cfg(test)]
mod tests {
    use gatehouse_document::{
        models::{TIMEOUT_SECONDS_MAX, TOKENS_MAX},
        samples,
    };

    use super::*;

    fn config(json: &str) -> Config {
        json5::from_str(json).unwrap()
    }

    #[test]
    fn both_forms_of_a_choice_are_read_and_nothing_means_the_echo() {
        assert_eq!(config("{}").default_models, ["echo/echo"]);
        assert_eq!(
            config(r#"{"agents":{"defaults":{"model":"a/b"}}}"#).default_models,
            ["a/b"]
        );
        let ordered = r#"{"agents":{"defaults":{"model":{"primary":"a/b","fallbacks":["c/d"]}}}}"#;
        assert_eq!(config(ordered).default_models, ["a/b", "c/d"]);
    }

    #[test]
    fn a_key_is_not_printed() {
        let config = config(
            r#"{"models":{"providers":{"p":{"baseUrl":"http://h","apiKey":"sk-1","headers":{"x-key":"sk-2"}}}}}"#,
        );

        assert!(!format!("{config:?}").contains("sk-"));
    }

    #[test]
    fn the_bounds_of_the_document_are_applied() {
        let (most, least) = (config(samples::MAXIMAL), config(samples::MINIMAL));

        let (large, small) = (&most.providers["local"], &least.providers["local"]);
        assert_eq!(large.timeout, Duration::from_secs(TIMEOUT_SECONDS_MAX.into()));
        assert_eq!(small.timeout, Duration::from_secs(1));
        let tokens = |provider: &Provider| {
            let model = provider.models.first().unwrap();
            (model.context_window, model.max_tokens)
        };
        assert_eq!(tokens(large), (Some(TOKENS_MAX), Some(TOKENS_MAX)));
        assert_eq!(tokens(small), (Some(1), Some(1)));
        assert!(large.api_key.is_some() && large.headers.len() == 1);
        assert_eq!(most.default_models, ["local/large", "local/small"]);
    }
}
