//! Asking one model: again after an outage, in another form where the server refuses the form, with less where the conversation is
//! too long for it.

use std::{sync::Arc, time::Duration};

use gatehouse_core::{backoff::Backoff, trace};
use gatehouse_proto::agent::v1::{MediaLeftOut, ModelStarted, Retrying, run_turn_response::Event};
use tokio::time::sleep;

use super::{
    CALLS_MAX, NoAnswer, RETRY_AFTER_MAX, RETRY_FIRST, RETRY_MAX, Turn, adapt, asking::Asking, hearing, step,
};
use crate::{
    breaker::CircuitOpen,
    config::ECHO,
    history,
    provider::{
        Answered, Unanswered, echo,
        failure::rules,
        openai::{
            Endpoint,
            messages::{self, Unseen},
        },
        retry_after,
    },
    request::{ModelName, Question},
};

impl Turn {
    pub(super) async fn ask(&mut self, name: &ModelName, question: &Question) -> Result<Answered, NoAnswer> {
        let asked = |why| NoAnswer { why, was_asked: true };
        let config = Arc::clone(&self.config);
        let Some(entry) = config.providers.get(&name.provider) else {
            self.begin(name).await; // names of other providers do not come so far
            let calling = self.tools.metrics.call(&name.provider, &name.model);
            let step = step::of_call(name);
            let answered = echo::answer(question, &mut self.answer).await;
            step::ended(step, Ok(&answered));
            calling.answered(self.answer.take_first(), answered.usage.as_ref());
            return Ok(answered);
        };
        let mut settings = config.settings(name, entry, question.agent.as_deref());
        if let Some(most) = self.bounds.answer_tokens_max {
            settings.max_tokens = Some(settings.max_tokens.map_or(most, |tokens| tokens.min(most)));
        }
        let endpoint = Endpoint::new(name, entry, &self.tools.http).map_err(asked)?;
        let conversation = if config.providers.contains_key(ECHO) {
            question.messages.iter().collect() // somebody's own server of that name
        } else {
            history::without_echo(&question.messages)
        };
        let Unseen { names, unheard } = messages::unseen(&conversation, &question.shelf, settings.sees);
        if !names.is_empty() || !unheard.is_empty() {
            let (provider, model) = (name.provider.clone(), name.model.clone());
            let left = MediaLeftOut {
                provider,
                model,
                names,
                unheard_reason: if unheard.is_empty() {
                    String::new()
                } else {
                    hearing::why(&config, question)
                },
                unheard,
            };
            self.answer.send(Event::MediaLeftOut(left)).await;
        }
        let known = self.tools.lessons.of(name, entry.fingerprint);
        let mut asking = Asking {
            name,
            entry,
            endpoint,
            settings,
            question,
            conversation,
            lesson: known,
            told_left_out: 0,
            is_cut: false,
            is_bounded: false,
        };
        let answered = self.attempts(&mut asking).await?;
        if asking.lesson != known {
            self.tools.lessons.keep(name, entry.fingerprint, asking.lesson);
        }
        Ok(answered)
    }

    async fn begin(&mut self, name: &ModelName) {
        let started = ModelStarted {
            provider: name.provider.clone(),
            model: name.model.clone(),
        };
        self.answer.send(Event::ModelStarted(started)).await;
        self.calls += 1;
    }

    async fn attempts(&mut self, asking: &mut Asking<'_>) -> Result<Answered, NoAnswer> {
        let (provider, entry) = (&asking.name.provider, asking.entry.fingerprint);
        let mut backoff = Backoff::new(RETRY_FIRST, RETRY_MAX);
        let mut attempt = 1;
        let mut failed: Option<Unanswered> = None;
        loop {
            if let Err(left) = self.tools.breakers.admit(provider, entry) {
                let was_asked = failed.is_some();
                let why = failed.unwrap_or_else(|| circuit_open(provider, left));
                return Err(NoAnswer { why, was_asked });
            }
            let prepared = asking.prepare();
            if let Some(trimmed) = &prepared.trimmed {
                tracing::info!(
                    provider.id = trimmed.provider,
                    model.id = trimmed.model,
                    messages = trimmed.messages_left_out,
                    limit = trimmed.context_window,
                    "a conversation is longer than its model's window: its beginning is left out"
                );
                self.answer.send(Event::ContextTrimmed(trimmed.clone())).await;
            }
            self.begin(asking.name).await;
            let calling = self.tools.metrics.call(provider, &asking.name.model);
            let step = step::of_call(asking.name);
            let called = trace::within(
                step.context(),
                asking.endpoint.answer(&prepared.body, &mut self.answer),
            )
            .await;
            let first = self.answer.take_first();
            step::ended(step, called.as_ref());
            let mut why = match called {
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
            if rules(why.kind).again {
                why.retry_after = why.retry_after.or_else(|| retry_after::read_words(&why.message));
            }
            if rules(why.kind).outage {
                self.tools.breakers.failed(provider, entry, &why);
            } else {
                self.tools.breakers.succeeded(provider); // a refusal is an answer: the provider lives
            }
            if self.answer.was_said() || self.calls >= CALLS_MAX {
                return Err(given_up(why));
            }
            if adapt::learn(asking, &prepared, &why) {
                self.answer.forget_thoughts();
                continue;
            }
            let wait = why.retry_after.unwrap_or_else(|| backoff.next());
            if !rules(why.kind).again || attempt >= self.bounds.calls_per_model_max || wait > RETRY_AFTER_MAX
            {
                return Err(given_up(why));
            }
            attempt += 1;
            let retrying = Retrying {
                attempt,
                attempt_max: self.bounds.calls_per_model_max,
                kind: why.kind.into(),
                message: why.message.clone(),
            };
            self.answer.send(Event::Retrying(retrying)).await;
            failed = Some(why);
            self.answer.forget_thoughts();
            sleep(wait).await;
        }
    }
}

/// A failure at which nobody waits any longer: what the provider wishes is told to who could ask again.
fn given_up(mut why: Unanswered) -> NoAnswer {
    let is_said = retry_after::read_words(&why.message).is_some();
    if let Some(wait) = why.retry_after.filter(|wait| !is_said && *wait > Duration::ZERO) {
        why.message = format!("{}; try again in {}", why.message, retry_after::spoken(wait));
    }
    NoAnswer { why, was_asked: true }
}

fn circuit_open(provider: &str, left: CircuitOpen) -> Unanswered {
    let CircuitOpen {
        wait,
        failures,
        is_tried,
        last,
    } = left;
    let wait = retry_after::spoken(wait);
    let state = if is_tried {
        format!("is being tried by another question at this moment; ask again, at the latest in {wait}")
    } else {
        format!("is not asked for {wait} more (circuit open)")
    };
    Unanswered {
        message: format!(
            "provider {provider} {state}: it failed {failures} times in a row, the last time so: {}",
            last.message
        ),
        ..last
    }
}
