//! Trying a model with one small question: what an operator wants to know before anybody relies on it.

use std::{sync::Arc, time::Duration};

use gatehouse_core::{Content, health::Health};
use gatehouse_document::{Document, models};
use gatehouse_proto::agent::v1::{Failed, FailureKind, TestModelResponse, run_turn_response::Event};
use tokio::{sync::mpsc, time::Instant};

use crate::{
    catalog::{Catalog, Discovered},
    config::{Config, ECHO},
    failing::Failing,
    http::Http,
    metrics::Metrics,
    provider::{
        Unanswered,
        openai::{AT_ITS_LIMIT, Offered},
    },
    request::{Message, ModelName, Question, Role, RunTurn, Shelf},
    turn::{self, Bounds, Tools},
};

/// How long a test may take unless the caller says otherwise: local servers load a model first.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

const QUESTION: &str = "Answer with the single word: ready";

/// Tokens of the answer: a word, and some thinking before it.
const ANSWER_TOKENS_MAX: u64 = 256;

/// How much of the answer is shown.
const SHOWN_CHARS: usize = 200;

/// Events that wait for who reads them.
const EVENTS: usize = 16;

/// Tries a model through an entry that need not stand in the configuration. Secrets in it are texts.
///
/// # Errors
/// When this process can make no HTTP client, for example because it has no certificates.
pub async fn try_model(
    provider: &str,
    entry: models::Provider,
    model: &str,
    limit: Duration,
) -> Result<TestModelResponse, gatehouse_core::Failure> {
    let config = Arc::new(alone(provider, entry));
    let name = ModelName::new(provider, model);
    Ok(run(config, &tools()?, &name, limit).await)
}

/// The models that the provider of an entry says it has: those for conversations, and all where none is one by its name.
///
/// # Errors
/// When it does not answer with a list: why, for an operator.
pub async fn offered_models(
    provider: &str,
    entry: models::Provider,
) -> Result<Vec<Offered>, gatehouse_core::Failure> {
    let (config, tools) = (alone(provider, entry), tools()?);
    let catalog = Catalog {
        config: &config,
        tools: &tools,
        discovered: &Discovered::default(),
        provider: None,
    };
    match catalog.offered(provider).await {
        Ok(models) => {
            let mut models = Arc::unwrap_or_clone(models);
            if models.iter().any(|model| model.converses) {
                models.retain(|model| model.converses);
            }
            Ok(models)
        }
        Err(why) => Err(gatehouse_core::Failure::new(
            gatehouse_core::Kind::Unavailable,
            why.message,
        )),
    }
}

fn tools() -> Result<Tools, gatehouse_core::Failure> {
    let http = Http::new();
    let http = http
        .map_err(|error| gatehouse_core::Failure::new(gatehouse_core::Kind::Internal, error.to_string()))?;
    // Nobody reads the health of a process that only tries.
    let failing = Arc::new(Failing::new(Health::new()));
    Ok(Tools::new(http, Metrics::default(), failing))
}

fn alone(provider: &str, entry: models::Provider) -> Config {
    let mut document = Document::default();
    document.models.providers.insert(provider.to_owned(), entry);
    Config::from(document)
}

/// Which model a test is about.
pub(crate) async fn choose(
    catalog: &Catalog<'_>,
    model: Option<&str>,
    provider: Option<&str>,
) -> Result<ModelName, Unanswered> {
    let config = catalog.config;
    if let Some(model) = model {
        return config.resolve(model);
    }
    let used = config.default_models.iter().chain(&config.used_models);
    let mut used = used.filter_map(|text| config.resolve(text).ok());
    let Some(provider) = provider else {
        return used.next().ok_or_else(|| {
            let first = config.default_models.first().map_or("", String::as_str);
            config
                .resolve(first)
                .err()
                .unwrap_or_else(|| nothing("no model is chosen"))
        });
    };
    if provider == ECHO && !config.providers.contains_key(ECHO) {
        return Ok(ModelName::new(ECHO, ECHO));
    }
    if let Some(name) = used.find(|name| name.provider == provider) {
        return Ok(name);
    }
    let listed = config
        .providers
        .get(provider)
        .and_then(|entry| entry.models.first());
    if let Some(listed) = listed {
        return Ok(ModelName::new(provider, &listed.id));
    }
    let offered = catalog.offered(provider).await?;
    if offered.is_empty() {
        return Err(nothing("it has no models: load one there first"));
    }
    let first = offered.iter().find(|offered| offered.converses).ok_or_else(|| {
        nothing("by their names, none of its models is for conversations: name the one to test")
    })?;
    Ok(ModelName::new(provider, &first.id))
}

fn nothing(what: &str) -> Unanswered {
    Unanswered::new(FailureKind::Config, what)
}

/// Asks once. What others' failures left behind is not asked about.
pub(crate) async fn run(
    config: Arc<Config>,
    tools: &Tools,
    name: &ModelName,
    limit: Duration,
) -> TestModelResponse {
    let began = Instant::now();
    let own = Tools {
        breakers: Arc::default(),
        ..tools.clone()
    };
    let request = RunTurn {
        run: "test".to_owned(),
        models: vec![name.to_string()],
        limit,
        question: Question {
            program: None,
            system_prompt: None,
            messages: vec![Message {
                role: Role::User,
                content: Content::text(QUESTION),
                provider: None,
            }],
            agent_name: "test".to_owned(),
            shelf: Shelf::new(),
            unheard: None,
            in_chat: false,
            thinking: None,
            agent: None,
        },
    };
    let bounds = Bounds {
        calls_per_model_max: 1,
        answer_tokens_max: Some(ANSWER_TOKENS_MAX),
    };
    let (sender, mut events) = mpsc::channel(EVENTS);
    let asking = turn::run(request, bounds, config, own, sender);
    let reading = async {
        let mut read = Read::default();
        while let Some(response) = events.recv().await {
            read.take(response.event);
        }
        read
    };
    let ((), read) = tokio::join!(asking, reading);
    let response = read.into_response(name, began.elapsed());
    if response.ok {
        tools.breakers.succeeded(&name.provider); // whoever repaired it need not wait
    }
    response
}

/// What came of a test.
#[derive(Debug, Default)]
struct Read {
    text: String,
    thought: bool,
    failed: Option<Failed>,
    usage: Option<gatehouse_proto::agent::v1::Usage>,
}

impl Read {
    fn take(&mut self, event: Option<Event>) {
        match event {
            Some(Event::TextDelta(delta)) => self.text.push_str(&delta.text),
            Some(Event::ThinkingDelta(_)) => self.thought = true,
            Some(Event::TextWasThinking(_)) => {
                self.text.clear();
                self.thought = true;
            }
            Some(Event::Completed(completed)) => self.usage = completed.usage,
            Some(Event::Failed(failed)) => self.failed = Some(failed),
            _ => {}
        }
    }

    fn into_response(self, name: &ModelName, took: Duration) -> TestModelResponse {
        // A model that thinks until its few tokens are used up is there, and that was the question. Of many no thought is shown.
        let thinks = self.failed.as_ref().is_some_and(|failed| {
            let is_away = matches!(failed.kind(), FailureKind::Unavailable | FailureKind::Timeout);
            self.thought && !is_away || failed.message.contains(AT_ITS_LIMIT)
        });
        let failed = self.failed.filter(|_| !thinks);
        let text: String = self.text.trim().chars().take(SHOWN_CHARS).collect();
        let (status, next_step) = failed
            .as_ref()
            .map_or(("ok", None), |failed| advice(failed.kind(), name));
        TestModelResponse {
            ok: failed.is_none(),
            provider: name.provider.clone(),
            model: name.model.clone(),
            status: status.to_owned(),
            latency_ms: i64::try_from(took.as_millis()).unwrap_or(i64::MAX),
            text: (!text.is_empty()).then_some(text),
            reason: failed.map(|failed| failed.message),
            next_step,
            usage: self.usage,
        }
    }
}

/// The answer about a model that cannot even be asked.
pub(crate) fn not_asked(model: Option<&str>, provider: Option<&str>, why: Unanswered) -> TestModelResponse {
    let (written, model) = model.and_then(|model| model.split_once('/')).unwrap_or_default();
    let name = ModelName::new(provider.unwrap_or(written), model);
    let (status, next_step) = advice(why.kind, &name);
    TestModelResponse {
        ok: false,
        provider: name.provider,
        model: name.model,
        status: status.to_owned(),
        reason: Some(why.message),
        next_step,
        ..TestModelResponse::default()
    }
}

/// In one word, and what to do about it.
fn advice(kind: FailureKind, name: &ModelName) -> (&'static str, Option<String>) {
    let ModelName { provider, .. } = name;
    let (status, next) = match kind {
        FailureKind::Auth => (
            "auth",
            format!("set models.providers.{provider}.apiKey to a key that is valid there"),
        ),
        FailureKind::RateLimit => (
            "rate_limit",
            "wait, or look at the account's limits and credit".to_owned(),
        ),
        FailureKind::Timeout => (
            "timeout",
            format!(
                "see whether the server still loads its model, or raise models.providers.{provider}.timeoutSeconds"
            ),
        ),
        FailureKind::Unavailable => (
            "unknown",
            format!(
                "see whether the server runs and whether models.providers.{provider}.baseUrl is its address"
            ),
        ),
        FailureKind::Config => return ("no_model", None), // the reason says what to write
        FailureKind::ModelMissing => (
            "no_model",
            "see which models it has: `gatehouse models list --all`".to_owned(),
        ),
        FailureKind::Rejected => (
            "format",
            format!(
                "if it refuses a field of the request, leave that out by models.providers.{provider}.compat"
            ),
        ),
        FailureKind::Empty | FailureKind::Silent | FailureKind::Context | FailureKind::Moderation => {
            return ("format", None);
        }
        FailureKind::Unspecified => return ("unknown", None),
    };
    (status, Some(next))
}

#[cfg(test)]
mod tests;
