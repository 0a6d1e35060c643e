//! One turn: the models in order, each asked again where that helps, until one answers or none is left.
//!
//! Nothing is asked twice once a word was shown: the second answer would be another one.

use std::{sync::Arc, time::Duration};

use gatehouse_core::backoff::Backoff;
use gatehouse_proto::agent::v1::{
    Completed, Failed, FailureKind, ModelStarted, Retrying, RunTurnResponse, run_turn_response::Event,
};
use tokio::time::{Instant, sleep};

use crate::{
    answer::{Answer, Events},
    breaker::Breakers,
    config::{Config, ECHO},
    failing::Failing,
    http::Http,
    metrics::Metrics,
    provider::{
        Answered, Unanswered, echo,
        failure::rules,
        openai::{Asked, Endpoint},
    },
    request::{ModelName, Question, RunTurn},
};

/// Calls to providers in one turn, over all models: what a turn may cost is bounded (demand: at most 4).
const CALLS_MAX: u32 = 4;

/// Calls to one model before the next one is tried.
const CALLS_PER_MODEL_MAX: u32 = 2;

const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(4);

/// The longest that a provider's own wish to wait is followed inside a turn; a person is waiting too.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(20);

/// What a turn needs besides its request.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    pub(crate) http: Http,
    pub(crate) breakers: Arc<Breakers>,
    pub(crate) metrics: Metrics,
    pub(crate) failing: Arc<Failing>,
}

/// Runs a turn to its end. The last event is `completed` or `failed`.
pub(crate) async fn run(request: RunTurn, config: Arc<Config>, tools: Tools, events: Events) {
    let RunTurn {
        run: _,
        models,
        limit,
        question,
    } = request;
    let turn = Turn {
        config,
        tools,
        answer: Answer::new(events.clone()),
        calls: 0,
    };
    let late = || Failed {
        kind: FailureKind::Timeout.into(),
        message: format!("no answer within {limit:?}"),
        ..Failed::default()
    };
    let last = tokio::select! {
        last = turn.run(models, question) => last,
        () = sleep_at_most(limit) => Event::Failed(late()),
        () = events.closed() => return, // cancelled: dropping the turn ends the provider's call
    };
    let _ = events.send(RunTurnResponse { event: Some(last) }).await;
}

async fn sleep_at_most(limit: Duration) {
    match Instant::now().checked_add(limit) {
        Some(end) => tokio::time::sleep_until(end).await,
        None => std::future::pending().await,
    }
}

struct Turn {
    config: Arc<Config>,
    tools: Tools,
    answer: Answer,
    calls: u32,
}

impl Turn {
    async fn run(mut self, models: Vec<ModelName>, question: Question) -> Event {
        let models = if models.is_empty() {
            let names = &self.config.default_models;
            names.iter().map(|name| ModelName::read(name)).collect()
        } else {
            models
        };
        let mut failed = None;
        for name in models {
            let silent = match self.ask(&name, &question).await {
                Ok(Answered { stop_reason, usage }) => {
                    return Event::Completed(Completed {
                        stop_reason: stop_reason.into_word(),
                        usage,
                        provider: name.provider,
                        model: name.model,
                        content: self.answer.into_content().map(Into::into),
                    });
                }
                Err(why) => {
                    let ModelName { provider, model } = name;
                    tracing::warn!(provider.id = provider, model.id = model, kind = ?why.kind, origin = why.origin.as_deref(), reason = why.message, "a model did not answer");
                    failed = Some(Failed {
                        kind: why.kind.into(),
                        message: why.message,
                        provider: Some(provider),
                        model: Some(model),
                    });
                    rules(why.kind).silence
                }
            };
            // What was thought in vain gives way to the next model's thoughts; an answer that was begun does not.
            let kept = if silent {
                self.answer.was_said()
            } else {
                self.answer.was_seen()
            };
            if kept || self.calls >= CALLS_MAX {
                break;
            }
            self.answer.forget_thoughts();
        }
        Event::Failed(failed.unwrap_or_else(|| Failed {
            message: "no model is named".into(),
            ..Failed::default()
        }))
    }

    /// Asks one model, again where that helps.
    async fn ask(&mut self, name: &ModelName, question: &Question) -> Result<Answered, Unanswered> {
        let ModelName { provider, model } = name;
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
        let mut attempt = 0;
        loop {
            attempt += 1;
            if let Some(wait) = self.tools.breakers.wait(provider) {
                let seconds = wait.as_secs() + 1;
                let message = format!("provider {provider} keeps failing and is left alone for {seconds} s");
                return Err(Unanswered::new(FailureKind::Unavailable, message));
            }
            let started = ModelStarted {
                provider: provider.clone(),
                model: model.clone(),
            };
            self.answer.send(Event::ModelStarted(started)).await;
            self.calls += 1;
            let calling = self.tools.metrics.call(provider, model);
            let called = self.call(name, question).await;
            let first = self.answer.take_first();
            let why = match called {
                Ok(answered) => {
                    calling.answered(first, answered.usage.as_ref());
                    self.tools.breakers.succeeded(provider);
                    self.tools.failing.answered(provider);
                    return Ok(answered);
                }
                Err(why) => why,
            };
            calling.failed(first, why.kind);
            self.tools.failing.failed(provider, &why);
            if rules(why.kind).outage {
                self.tools.breakers.failed(provider);
            } else {
                self.tools.breakers.succeeded(provider); // a refusal is an answer: the provider lives
            }
            let again = rules(why.kind).outage
                && !self.answer.was_seen()
                && attempt < CALLS_PER_MODEL_MAX
                && self.calls < CALLS_MAX;
            let wait = why.retry_after.unwrap_or_else(|| backoff.next());
            if !again || wait > RETRY_AFTER_MAX {
                return Err(why);
            }
            let retrying = Retrying {
                attempt: attempt + 1,
                attempt_max: CALLS_PER_MODEL_MAX,
                kind: why.kind.into(),
                message: why.message,
            };
            self.answer.send(Event::Retrying(retrying)).await;
            sleep(wait).await;
        }
    }

    async fn call(&mut self, name: &ModelName, question: &Question) -> Result<Answered, Unanswered> {
        let ModelName { provider, model } = name;
        let Some(entry) = self.config.providers.get(provider) else {
            if provider == ECHO {
                return Ok(echo::answer(question, &mut self.answer).await);
            }
            let message =
                format!("no provider `{provider}`: add models.providers.{provider} to gatehouse.json5");
            return Err(Unanswered::new(FailureKind::Config, message));
        };
        let known = entry.models.iter().find(|known| known.id == *model);
        let asked = Asked {
            model,
            max_tokens: known.and_then(|known| known.max_tokens),
            // A model that cannot reason refuses to be told how hard; of one that is not listed only its own words are known.
            effort: question
                .thinking
                .as_deref()
                .filter(|_| known.is_none_or(|known| known.reasoning)),
        };
        Endpoint::new(provider, entry, &self.tools.http)?
            .answer(&asked, question, &mut self.answer)
            .await
    }
}

#[cfg(test)]
mod tests;
