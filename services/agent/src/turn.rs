//! One turn: the models in order, each asked again where that helps, until one answers or none is left.
//!
//! Nothing is asked twice once a word of an answer was shown: the second answer would be another one. Thoughts are no answer: what was
//! thought in vain gives way to the thoughts of whoever is asked next.

mod adapt;
mod ask;
mod asking;
mod hearing;
mod step;

use std::{sync::Arc, time::Duration};

use gatehouse_proto::agent::v1::{Completed, Failed, FailureKind, RunTurnResponse, run_turn_response::Event};
use tokio::time::Instant;

use self::hearing::Transcripts;
use crate::{
    answer::{Answer, Events},
    breaker::Breakers,
    config::Config,
    failing::Failing,
    http::Http,
    lessons::Lessons,
    metrics::Metrics,
    provider::{Answered, Unanswered},
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
    pub(crate) lessons: Arc<Lessons>,
    pub(crate) metrics: Metrics,
    pub(crate) failing: Arc<Failing>,
    pub(crate) transcripts: Arc<Transcripts>,
}

impl Tools {
    pub(crate) fn new(http: Http, metrics: Metrics, failing: Arc<Failing>) -> Self {
        Self {
            http,
            breakers: Arc::default(),
            lessons: Arc::default(),
            metrics,
            failing,
            transcripts: Arc::default(),
        }
    }
}

/// How much a turn may ask for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Calls to one model.
    pub(crate) calls_per_model_max: u32,
    /// Tokens of the answer, where less is wanted than the configuration says.
    pub(crate) answer_tokens_max: Option<u64>,
}

impl Bounds {
    /// Of an ordinary turn.
    pub(crate) const TURN: Self = Self {
        calls_per_model_max: CALLS_PER_MODEL_MAX,
        answer_tokens_max: None,
    };
}

/// Runs a turn to its end. The last event is `completed` or `failed`.
pub(crate) async fn run(request: RunTurn, bounds: Bounds, config: Arc<Config>, tools: Tools, events: Events) {
    let RunTurn {
        run: _,
        models,
        limit,
        question,
    } = request;
    let turn = Turn {
        config,
        tools,
        answer: Answer::new(events.clone()).for_program(question.program.as_ref()),
        bounds,
        calls: 0,
    };
    let late = || Failed {
        kind: FailureKind::Timeout.into(),
        message: format!(
            "no answer within {} s: raise agents.defaults.timeoutSeconds, or that of the agent, if its model needs longer",
            limit.as_secs()
        ),
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
    bounds: Bounds,
    calls: u32,
}

/// Why a model did not answer.
struct NoAnswer {
    why: Unanswered,
    /// False when it was not asked at all.
    was_asked: bool,
}

impl Turn {
    async fn run(mut self, models: Vec<String>, mut question: Question) -> Event {
        let config = Arc::clone(&self.config);
        hearing::transcribe(&config, &self.tools, &mut question).await;
        let models = if models.is_empty() {
            &config.default_models
        } else {
            &models
        };
        let mut failed: Option<Failed> = None;
        for text in models {
            let name = match config.resolve(text) {
                Ok(name) => name,
                Err(why) => {
                    tracing::info!(model.id = text, kind = ?why.kind, reason = why.message, "a model did not answer");
                    failed.get_or_insert(Failed {
                        kind: why.kind.into(),
                        message: why.message,
                        ..Failed::default()
                    });
                    continue;
                }
            };
            match self.ask(&name, &question).await {
                Ok(Answered { stop_reason, usage }) => {
                    return Event::Completed(Completed {
                        stop_reason: stop_reason.into_word(),
                        usage,
                        provider: name.provider,
                        model: name.model,
                        content: self.answer.into_content().map(Into::into),
                    });
                }
                Err(NoAnswer { why, was_asked }) => {
                    let ModelName { provider, model } = name;
                    tracing::warn!(provider.id = provider, model.id = model, kind = ?why.kind, origin = why.origin.as_deref(), reason = why.message, "a model did not answer");
                    // What a provider said itself tells more than that it is left alone now because of it.
                    let is_known = failed
                        .as_ref()
                        .is_some_and(|failed| failed.provider.as_ref() == Some(&provider));
                    if was_asked || !is_known {
                        failed = Some(Failed {
                            kind: why.kind.into(),
                            message: why.message,
                            provider: Some(provider),
                            model: Some(model),
                        });
                    }
                }
            }
            if self.answer.was_said() || self.calls >= CALLS_MAX {
                break;
            }
            self.answer.forget_thoughts();
        }
        Event::Failed(failed.unwrap_or_else(|| Failed {
            message: "no model is named".into(),
            ..Failed::default()
        }))
    }
}

#[cfg(test)]
mod tests;
