//! The models that clients may choose from: those of the configuration, those that answer by default, and on demand those that the
//! providers say they have.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use futures::{StreamExt, stream};
use gatehouse_document::models;
use gatehouse_proto::agent::v1::{FailureKind, Model, ProviderOutcome, ThinkingLevel};
use tokio::time::Instant;

use crate::{
    config::{Config, ECHO, Fingerprint},
    provider::{
        Unanswered,
        openai::{Endpoint, Offered},
    },
    request::ModelName,
    turn::Tools,
};

/// How long an answer of a provider is shown before it is asked again.
const FRESH: Duration = Duration::from_secs(60);

/// Providers that are asked at the same time.
const ASKED_AT_ONCE: usize = 8;

/// The most models of one answer: with the longest ids it stays below gRPC's message.
const MODELS_MAX: usize = 5_000;

/// What the providers answered last.
#[derive(Debug, Default)]
pub(crate) struct Discovered(Mutex<HashMap<String, Known>>);

#[derive(Clone, Debug)]
struct Known {
    entry: Fingerprint,
    at: Instant,
    models: Arc<Vec<Offered>>,
}

/// Which models are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// Those of the configuration and those in use.
    Configured,
    /// Those of the providers as well, as they answered lately.
    All,
    /// Those of the providers as well, as they answer now.
    Asked,
}

/// What a list of models is made from.
#[derive(Debug)]
pub(crate) struct Catalog<'a> {
    pub(crate) config: &'a Config,
    pub(crate) tools: &'a Tools,
    pub(crate) discovered: &'a Discovered,
    /// Only this one.
    pub(crate) provider: Option<&'a str>,
}

type Answers<'a> = Vec<(&'a str, Result<Arc<Vec<Offered>>, Unanswered>)>;

impl Discovered {
    fn known(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self, provider: &str, entry: Fingerprint) -> Option<Arc<Vec<Offered>>> {
        let known = self.known();
        let known = known.get(provider)?;
        (known.entry == entry && known.at.elapsed() < FRESH).then(|| Arc::clone(&known.models))
    }

    fn keep(&self, config: &Config, provider: &str, entry: Fingerprint, models: &Arc<Vec<Offered>>) {
        let mut known = self.known();
        known.retain(|provider, _| config.providers.contains_key(provider));
        known.insert(
            provider.to_owned(),
            Known {
                entry,
                at: Instant::now(),
                models: Arc::clone(models),
            },
        );
    }
}

impl Catalog<'_> {
    /// The models, and how the providers answered that were asked.
    pub(crate) async fn list(&self, view: View) -> (Vec<Model>, Vec<ProviderOutcome>) {
        let answers = match view {
            View::Configured => Vec::new(),
            View::All | View::Asked => self.ask(view == View::Asked).await,
        };
        let outcomes = answers.iter().map(|(provider, answer)| ProviderOutcome {
            provider: (*provider).to_owned(),
            status: outcome(answer).to_owned(),
        });
        let outcomes = outcomes.collect();
        (self.rows(&answers), outcomes)
    }

    /// What one provider has, as it answered lately.
    pub(crate) async fn offered(&self, provider: &str) -> Result<Arc<Vec<Offered>>, Unanswered> {
        self.ask_one(provider, false).await
    }

    fn is_wanted(&self, provider: &str) -> bool {
        self.provider.is_none_or(|wanted| wanted == provider)
    }

    async fn ask(&self, now: bool) -> Answers<'_> {
        let mut asked = Vec::new();
        for provider in self.config.providers.keys() {
            if self.is_wanted(provider) {
                asked.push(async move { (provider.as_str(), self.ask_one(provider, now).await) });
            }
        }
        stream::iter(asked).buffered(ASKED_AT_ONCE).collect().await
    }

    async fn ask_one(&self, provider: &str, now: bool) -> Result<Arc<Vec<Offered>>, Unanswered> {
        let Some(entry) = self.config.providers.get(provider) else {
            let message = format!("there is no provider `{provider}` in models.providers");
            return Err(Unanswered::new(FailureKind::Config, message));
        };
        let fresh = self.discovered.fresh(provider, entry.fingerprint);
        if let Some(models) = fresh.filter(|_| !now) {
            return Ok(models);
        }
        let nobody = ModelName::new(provider, "");
        let answer = match Endpoint::new(&nobody, entry, &self.tools.http) {
            Ok(endpoint) => endpoint.models().await,
            Err(why) => Err(why),
        };
        match answer {
            Ok(models) => {
                let models = Arc::new(models);
                self.discovered
                    .keep(self.config, provider, entry.fingerprint, &models);
                Ok(models)
            }
            Err(why) => {
                tracing::warn!(
                    provider.id = provider,
                    reason = why.message,
                    "a provider did not list its models"
                );
                Err(why)
            }
        }
    }

    fn rows(&self, answers: &Answers<'_>) -> Vec<Model> {
        let mut rows = Rows::default();
        for (provider, entry) in &self.config.providers {
            for model in &entry.models {
                rows.add(ModelName::new(provider, &model.id), |row| {
                    row.name = model.name.clone().unwrap_or_else(|| model.id.clone());
                    row.context_window = model.context_window.and_then(|tokens| i64::try_from(tokens).ok());
                    row.reasoning = Some(model.reasoning);
                    row.input = input(model);
                    row.thinking_levels = levels(model);
                    row.tags.push("configured".to_owned());
                });
            }
        }
        for (place, text) in self.config.default_models.iter().enumerate() {
            if let Ok(name) = self.config.resolve(text) {
                rows.add(name, |row| row.tags.push(tag(place)));
            }
        }
        for text in &self.config.used_models {
            if let Ok(name) = self.config.resolve(text) {
                rows.add(name, |row| row.tags.push("in-use".to_owned()));
            }
        }
        rows.add(ModelName::new(ECHO, ECHO), |row| {
            row.name = "Echo (built in)".to_owned()
        });
        for (provider, answer) in answers {
            for offered in answer.iter().flat_map(|models| models.iter()) {
                rows.add(ModelName::new(provider, &offered.id), |row| {
                    if row.name == row.id {
                        row.name = offered.name.clone().unwrap_or_else(|| row.id.clone());
                    }
                    if row.context_window.is_none() {
                        row.context_window = offered
                            .context_window
                            .and_then(|tokens| i64::try_from(tokens).ok());
                    }
                    row.tags.push("discovered".to_owned());
                });
            }
        }
        for (alias, text) in &self.config.aliases {
            if let Ok(name) = self.config.resolve(text)
                && let Some(row) = rows.get(&name)
            {
                row.alias = Some(alias.clone());
            }
        }
        let mut models = rows.models;
        models.retain(|row| self.is_wanted(&row.provider));
        models.truncate(MODELS_MAX);
        self.mark_cooling(&mut models);
        models
    }

    fn mark_cooling(&self, models: &mut [Model]) {
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let cooling: BTreeMap<&str, Duration> = self
            .config
            .providers
            .iter()
            .filter_map(|(id, entry)| {
                let wait = self.tools.breakers.cooling(id, entry.fingerprint)?;
                Some((id.as_str(), now + wait))
            })
            .collect();
        for row in models {
            if let Some(until) = cooling.get(row.provider.as_str()) {
                row.available = Some(false);
                row.unavailable_reason = Some("cooldown".to_owned());
                row.unavailable_until = i64::try_from(until.as_millis()).ok();
            }
        }
    }
}

/// Rows, each model once, in the order in which they came.
#[derive(Default)]
struct Rows {
    models: Vec<Model>,
    places: HashMap<ModelName, usize>,
}

impl Rows {
    fn get(&mut self, name: &ModelName) -> Option<&mut Model> {
        let place = *self.places.get(name)?;
        self.models.get_mut(place)
    }

    fn add(&mut self, name: ModelName, change: impl FnOnce(&mut Model)) {
        if !self.places.contains_key(&name) {
            self.places.insert(name.clone(), self.models.len());
            self.models.push(Model {
                id: name.model.clone(),
                name: name.model.clone(),
                provider: name.provider.clone(),
                ..Model::default()
            });
        }
        if let Some(row) = self.get(&name) {
            change(row);
        }
    }
}

/// What it takes, in the words of the protocol.
fn input(model: &models::Model) -> Vec<String> {
    let known = ["text", "image", "audio", "video", "document"];
    let listed = model.input.iter().filter(|kind| known.contains(&kind.as_str()));
    listed.cloned().collect()
}

/// How hard it may be told to think: in the words that providers know, and in its own.
fn levels(model: &models::Model) -> Vec<ThinkingLevel> {
    let compat = model.compat.as_ref();
    let takes = compat.and_then(|compat| compat.supports_reasoning_effort);
    let known: &[&str] = if takes.unwrap_or(model.reasoning) {
        &LEVELS
    } else {
        &["off"]
    };
    let own = compat
        .into_iter()
        .flat_map(|compat| compat.reasoning_effort_map.keys());
    let own = own
        .map(String::as_str)
        .filter(|level| known.len() > 1 && !known.contains(level));
    let level = |level: &str| ThinkingLevel {
        id: level.to_owned(),
        label: level.to_owned(),
    };
    known.iter().copied().chain(own).map(level).collect()
}

/// The words that providers know for how hard to think, the least first.
const LEVELS: [&str; 7] = ["off", "minimal", "low", "medium", "high", "xhigh", "max"];

fn tag(place: usize) -> String {
    match place {
        0 => "default".to_owned(),
        place => format!("fallback#{place}"),
    }
}

fn outcome(answer: &Result<Arc<Vec<Offered>>, Unanswered>) -> &'static str {
    match answer {
        Ok(_) => "ready",
        Err(why) if why.kind == FailureKind::Auth => "auth-rejected",
        Err(_) => "unavailable",
    }
}

#[cfg(test)]
mod tests;
