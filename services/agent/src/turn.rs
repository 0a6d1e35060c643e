//! One turn: the models in order, each asked again where that helps, until one answers or none is left.
//!
//! Nothing is asked twice once a word was shown: the second answer would be another one.

use std::{sync::Arc, time::Duration};

use gatehouse_core::backoff::Backoff;
use gatehouse_proto::agent::v1::{
    Completed, Failed, FailureKind, ModelStarted, Retrying, RunTurnRequest, RunTurnResponse, TextDelta,
    ThinkingDelta, run_turn_response::Event,
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use crate::{
    breaker::Breakers,
    config::{Config, ECHO},
    http::Http,
    provider::{Answered, Piece, Question, Unanswered, echo, openai::Endpoint},
};

/// Calls to providers in one turn, over all models: what a turn may cost is bounded (demand: at most 4).
const CALLS_MAX: u32 = 4;

/// Calls to one model before the next one is tried.
const CALLS_PER_MODEL_MAX: u32 = 2;

const RETRY_FIRST: Duration = Duration::from_millis(500);
const RETRY_MAX: Duration = Duration::from_secs(4);

/// The longest that a provider's own wish to wait is followed inside a turn; a person is waiting too.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(20);

/// The longest answer, and the longest thinking. A model that loops in either is stopped here.
const ANSWER_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Pieces on their way from the provider: enough to read on while one is sent.
const PIECES: usize = 64;

/// What a turn needs besides its request.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    pub(crate) http: Http,
    pub(crate) breakers: Arc<Breakers>,
}

/// Where a turn's events go. When nobody takes them any more, the turn was cancelled.
pub(crate) type Events = mpsc::Sender<RunTurnResponse>;

/// Runs a turn to its end. The last event is `completed` or `failed`.
pub(crate) async fn run(request: RunTurnRequest, config: Arc<Config>, tools: Tools, events: Events) {
    let limit = u64::try_from(request.timeout_ms)
        .ok()
        .filter(|ms| *ms > 0)
        .map_or(Duration::MAX, Duration::from_millis);
    let turn = Turn {
        config,
        tools,
        events: events.clone(),
        shown: 0,
        thought: 0,
        calls: 0,
    };
    let late = || Failed {
        kind: FailureKind::Timeout.into(),
        message: format!("no answer within {limit:?}"),
        ..Failed::default()
    };
    let last = tokio::select! {
        last = turn.run(request) => last,
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
    events: Events,
    /// Bytes of the answer that were shown.
    shown: usize,
    /// Bytes of thinking that were streamed.
    thought: usize,
    calls: u32,
}

impl Turn {
    async fn run(mut self, request: RunTurnRequest) -> Event {
        let RunTurnRequest {
            models,
            system_prompt,
            messages,
            agent_name,
            in_chat,
            ..
        } = request;
        let models = if models.is_empty() {
            self.config.default_models()
        } else {
            models
        };
        let question = Question {
            system_prompt,
            messages,
            agent_name,
            in_chat,
        };
        let mut failed = None;
        for name in &models {
            match self.ask(name, &question).await {
                Ok(completed) => return Event::Completed(completed),
                Err(why) => {
                    tracing::info!(model = name, kind = ?why.kind(), "a model did not answer");
                    failed = Some(why);
                }
            }
            if self.was_seen() || self.calls >= CALLS_MAX {
                break;
            }
        }
        Event::Failed(failed.unwrap_or_else(|| Failed {
            message: "no model is named".into(),
            ..Failed::default()
        }))
    }

    /// Asks one model, again where that helps.
    async fn ask(&mut self, name: &str, question: &Question) -> Result<Completed, Failed> {
        let (provider, model) = name.split_once('/').unwrap_or((name, name));
        let failed = |why: Unanswered| Failed {
            kind: why.kind.into(),
            message: why.message,
            provider: Some(provider.into()),
            model: Some(model.into()),
        };
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
        let mut attempt = 0;
        loop {
            attempt += 1;
            if let Some(wait) = self.tools.breakers.wait(provider) {
                let seconds = wait.as_secs() + 1;
                let message = format!("provider {provider} keeps failing and is left alone for {seconds} s");
                return Err(failed(Unanswered::new(FailureKind::Unavailable, message)));
            }
            self.send(Event::ModelStarted(ModelStarted {
                provider: provider.into(),
                model: model.into(),
            }))
            .await;
            self.calls += 1;
            let why = match self.call(provider, model, question).await {
                Ok(Answered { stop_reason, usage }) => {
                    self.tools.breakers.succeeded(provider);
                    return Ok(Completed {
                        stop_reason,
                        usage,
                        provider: provider.into(),
                        model: model.into(),
                    });
                }
                Err(why) => why,
            };
            if is_outage(why.kind) {
                self.tools.breakers.failed(provider);
            } else {
                self.tools.breakers.succeeded(provider); // a refusal is an answer: the provider lives
            }
            let again = is_outage(why.kind)
                && !self.was_seen()
                && attempt < CALLS_PER_MODEL_MAX
                && self.calls < CALLS_MAX;
            if !again {
                return Err(failed(why));
            }
            let wait = why.retry_after.unwrap_or_else(|| backoff.next());
            if wait > RETRY_AFTER_MAX {
                return Err(failed(why));
            }
            let (kind, message) = (why.kind.into(), why.message);
            self.send(Event::Retrying(Retrying {
                attempt: attempt + 1,
                attempt_max: CALLS_PER_MODEL_MAX,
                kind,
                message,
            }))
            .await;
            sleep(wait).await;
        }
    }

    async fn call(
        &mut self,
        provider: &str,
        model: &str,
        question: &Question,
    ) -> Result<Answered, Unanswered> {
        let (sender, mut pieces) = mpsc::channel(PIECES);
        let (config, http) = (Arc::clone(&self.config), self.tools.http.clone());
        let asking = ask_provider(&config, &http, provider, model, question, sender);
        tokio::pin!(asking);
        let answered = loop {
            tokio::select! {
                biased; // what was said comes before how it ended
                Some(piece) = pieces.recv() => self.show(piece).await,
                answered = &mut asking => break answered,
            }
            if self.shown > ANSWER_BYTES_MAX || self.thought > ANSWER_BYTES_MAX {
                return Ok(Answered {
                    stop_reason: "length".into(),
                    usage: None,
                });
            }
        };
        while let Ok(piece) = pieces.try_recv() {
            self.show(piece).await;
        }
        answered
    }

    async fn send(&self, event: Event) {
        send(&self.events, event).await;
    }

    /// Whether a person saw anything of an answer, its thinking included.
    fn was_seen(&self) -> bool {
        self.shown > 0 || self.thought > 0
    }

    async fn show(&mut self, piece: Piece) {
        let event = match piece {
            Piece::Text(text) => {
                self.shown += text.len();
                Event::TextDelta(TextDelta { text })
            }
            Piece::Thinking(text) => {
                self.thought += text.len();
                Event::ThinkingDelta(ThinkingDelta { text })
            }
        };
        self.send(event).await;
    }
}

async fn send(events: &Events, event: Event) {
    let _ = events.send(RunTurnResponse { event: Some(event) }).await; // nobody listens: the turn is about to be dropped
}

async fn ask_provider(
    config: &Arc<Config>,
    http: &Http,
    provider: &str,
    model: &str,
    question: &Question,
    pieces: mpsc::Sender<Piece>,
) -> Result<Answered, Unanswered> {
    let Some(entry) = config.models.providers.get(provider) else {
        if provider == ECHO {
            return Ok(echo::answer(question, &pieces).await);
        }
        let message = format!("no provider `{provider}`: add models.providers.{provider} to gatehouse.json5");
        return Err(Unanswered::new(FailureKind::Config, message));
    };
    let max_tokens = entry
        .models
        .iter()
        .find(|known| known.id == model)
        .and_then(|known| known.max_tokens);
    Endpoint::new(provider, entry, http)?
        .answer(model, max_tokens, question, &pieces)
        .await
}

/// Whether the next caller would see it too, and a later one perhaps not.
fn is_outage(kind: FailureKind) -> bool {
    match kind {
        FailureKind::RateLimit | FailureKind::Timeout | FailureKind::Unavailable => true,
        FailureKind::Unspecified
        | FailureKind::Auth
        | FailureKind::Context
        | FailureKind::Rejected
        | FailureKind::Config => false,
    }
}

#[cfg(test)]
mod tests;
