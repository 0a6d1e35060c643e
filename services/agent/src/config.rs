//! What the configuration means for turns: where models are, how each is asked, and which one answers by default. Read once per
//! revision.

mod hearing;
mod settings;

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use gatehouse_core::Secret;
use gatehouse_document::{
    Document, SecretInput,
    agents::ModelSettings,
    models::{self, Compat, Model, Params},
};
use gatehouse_proto::agent::v1::FailureKind;
use serde::Deserialize;

use self::settings::Layers;
pub(crate) use self::{hearing::Hearing, settings::Settings};
use crate::{request::ModelName, unanswered::Unanswered};

/// The built-in provider and its only model.
pub(crate) const ECHO: &str = "echo";

/// The longest a request to a provider may take unless its entry says otherwise: a slow local model with a long answer.
const TIMEOUT: Duration = Duration::from_secs(600);

/// One revision.
#[derive(Debug, Deserialize)]
#[serde(from = "Document")]
pub(crate) struct Config {
    pub(crate) providers: BTreeMap<String, Provider>,
    /// Providers of the document that cannot be used, and why.
    pub(crate) left_out: BTreeMap<String, String>,
    /// What answers when a turn names no model, in order.
    pub(crate) default_models: Vec<String>,
    /// What single agents name besides, each once.
    pub(crate) used_models: Vec<String>,
    /// Short names of models.
    pub(crate) aliases: BTreeMap<String, String>,
    /// How recordings are transcribed. `None`: they are not.
    pub(crate) hearing: Option<Hearing>,
    layers: Layers,
}

/// One provider.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) base_url: Option<String>,
    pub(crate) api_key: Option<Secret>,
    /// Whether the key is sent as a bearer token.
    pub(crate) shows_key: bool,
    /// Whether its server is told the trace.
    pub(crate) sends_trace: bool,
    pub(crate) headers: BTreeMap<String, Secret>,
    /// The longest a request may take.
    pub(crate) timeout: Duration,
    pub(crate) models: Vec<Model>,
    pub(crate) fingerprint: Fingerprint,
    max_tokens: Option<u64>,
    params: Option<Params>,
    compat: Option<Compat>,
}

/// By which what was learned of a provider is told from what is to be learned anew: its entry, and the models of it that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint(u64);

#[cfg(test)]
impl Fingerprint {
    pub(crate) const fn of_test(number: u64) -> Self {
        Self(number)
    }
}

impl From<Document> for Config {
    fn from(document: Document) -> Self {
        let layers = Layers::read(&document.agents);
        let chain = document
            .agents
            .defaults
            .model
            .as_ref()
            .map(|choice| choice.chain());
        let chain = chain.filter(|chain| !chain.is_empty());
        let default_models = chain.unwrap_or_else(|| vec![format!("{ECHO}/{ECHO}")]);
        let agents = document.agents.entries.values();
        let agents = agents.chain(document.agents.list.iter().map(|listed| &listed.agent));
        let mut used_models: Vec<String> = Vec::new();
        for model in agents
            .filter_map(|agent| agent.model.as_ref())
            .flat_map(|choice| choice.chain())
        {
            if !default_models.contains(&model) && !used_models.contains(&model) {
                used_models.push(model);
            }
        }
        let used: Vec<&String> = default_models.iter().chain(&used_models).collect();
        let providers = document.models.providers.into_iter().map(|(id, entry)| {
            let fingerprint = fingerprint(&id, &entry, &used);
            let provider = Provider::read(entry, fingerprint);
            (id, provider)
        });
        Self {
            providers: providers.collect(),
            left_out: document.models.left_out,
            hearing: Hearing::read(&document.tools.media.audio),
            aliases: aliases(&document.agents.defaults.models),
            default_models,
            used_models,
            layers,
        }
    }
}

fn aliases(models: &indexmap::IndexMap<String, ModelSettings>) -> BTreeMap<String, String> {
    let named = models
        .iter()
        .filter_map(|(model, settings)| Some((settings.alias.clone()?, model.clone())));
    named.collect()
}

fn fingerprint(id: &str, entry: &models::Provider, used: &[&String]) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    // In memory alone, and only compared: what the keys of the entry are cannot be told from it.
    serde_json::to_string(entry).unwrap_or_default().hash(&mut hasher);
    let own = used
        .iter()
        .filter(|model| model.split_once('/').is_some_and(|(provider, _)| provider == id));
    own.for_each(|model| model.hash(&mut hasher));
    Fingerprint(hasher.finish())
}

impl Provider {
    fn read(entry: models::Provider, fingerprint: Fingerprint) -> Self {
        let models::Provider {
            base_url,
            api_key,
            auth_header,
            send_trace,
            api: models::ProviderApi::OpenaiCompletions,
            headers,
            timeout_seconds,
            max_tokens,
            params,
            compat,
            models,
        } = entry;
        Self {
            base_url,
            api_key: api_key.as_ref().and_then(secret),
            shows_key: auth_header.unwrap_or(true),
            sends_trace: send_trace.unwrap_or(false),
            headers: secrets(&headers),
            timeout: timeout_seconds.map_or(TIMEOUT, |seconds| Duration::from_secs(seconds.into())),
            models,
            fingerprint,
            max_tokens,
            params,
            compat,
        }
    }

    /// What is listed of a model of it.
    pub(crate) fn model(&self, id: &str) -> Option<&Model> {
        self.models.iter().find(|known| known.id == id)
    }

    /// The headers of a request to one of its models.
    pub(crate) fn headers_for(&self, model: &str) -> BTreeMap<String, Secret> {
        let mut headers = self.headers.clone();
        if let Some(model) = self.model(model) {
            headers.extend(secrets(&model.headers));
        }
        headers
    }
}

impl Config {
    /// The model that somebody means: `<provider>/<model>`, or a short name.
    ///
    /// # Errors
    /// When there is no such provider: what to write instead.
    pub(crate) fn resolve(&self, text: &str) -> Result<ModelName, Unanswered> {
        let text = text.trim();
        let text = self.aliases.get(text).map_or(text, String::as_str);
        if text == ECHO {
            return Ok(ModelName::new(ECHO, ECHO));
        }
        let have = || match self.providers.keys().map(String::as_str).collect::<Vec<_>>() {
            none if none.is_empty() => "you have no provider yet: add one under models.providers".to_owned(),
            known => format!("you have: {}", known.join(", ")),
        };
        let wrong = |message| Err(Unanswered::new(FailureKind::Config, message));
        match text.split_once('/') {
            Some((provider, model)) if !provider.is_empty() && !model.is_empty() => {
                if provider == ECHO || self.providers.contains_key(provider) {
                    return Ok(ModelName::new(provider, model));
                }
                if let Some(why) = self.left_out.get(provider) {
                    return wrong(format!(
                        "models.providers.{provider} cannot be used and is left out: {why}"
                    ));
                }
                wrong(format!(
                    "no provider `{provider}`: add models.providers.{provider} to gatehouse.json5 or, if this is a model of another \
                     provider, write <provider>/{text}; {}",
                    have()
                ))
            }
            None if self.providers.contains_key(text) => wrong(format!(
                "`{text}` is a provider and no model: write {text}/<model>"
            )),
            Some(_) | None => wrong(format!(
                "`{text}` names no provider: write <provider>/{}; {}",
                text.trim_matches('/'),
                have()
            )),
        }
    }

    /// How a model is asked for an agent.
    pub(crate) fn settings(&self, name: &ModelName, provider: &Provider, agent: Option<&str>) -> Settings {
        self.layers.settings(name, provider, agent)
    }
}

fn secrets(headers: &BTreeMap<String, SecretInput>) -> BTreeMap<String, Secret> {
    let written = headers.iter();
    written
        .filter_map(|(name, value)| Some((name.clone(), secret(value)?)))
        .collect()
}

/// What a service is sent holds the secrets themselves.
fn secret(input: &SecretInput) -> Option<Secret> {
    input.text().map(Secret::new)
}

#[cfg(test)]
mod tests;
