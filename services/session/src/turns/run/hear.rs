//! What a run hears of the agent service: each thing that it says, until it says an end, goes away, or is not waited for any
//! longer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_proto::agent::v1 as agent;
use gatehouse_proto::agent::v1::FailureKind;
use gatehouse_proto::agent::v1::run_turn_response::Event;
use serde_json::json;
use tokio::time::{self, Instant};

use super::super::events::{Phase, Stream};
use super::super::pacing::Pacer;
use super::super::taps::Piece;
use super::show::Rewrite;
use super::{Outcome, Run, at_once};
use crate::answer::ANSWER_BYTES_MAX;
use crate::error::Error;
use crate::stop::StopReason;
use crate::store::Tokens;

/// How long the agent service may overstay the turn's time before this side gives up on it.
const OVERTIME: Duration = Duration::from_secs(5);

impl Run {
    /// Asks the agent service once. Dropping the stream cancels the call at once.
    pub(super) async fn ask(&mut self, request: agent::RunTurnRequest) -> Result<Outcome, Error> {
        let live = Arc::clone(&self.live);
        let time_limit = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0)) + OVERTIME;
        let deadline = Instant::now() + time_limit;
        let mut client = self.room.agent.clone();
        let opened = tokio::select! {
            biased;
            stop = live.stopped() => return Ok(Outcome::Stopped(stop)),
            () = time::sleep_until(deadline) => return Ok(out_of_time()),
            opened = client.run_turn(request) => opened,
        };
        let mut stream = match opened {
            Ok(response) => response.into_inner(),
            Err(status) => return Ok(self.gone(&status)),
        };
        let mut ahead = VecDeque::new();
        loop {
            let due = self.next_due();
            let next = tokio::select! {
                biased;
                stop = live.stopped() => return Ok(Outcome::Stopped(stop)),
                () = time::sleep_until(deadline) => return Ok(out_of_time()),
                () = at_once::sleep_until_some(due) => {
                    self.show_due();
                    continue;
                }
                next = at_once::next(&mut ahead, &mut stream) => next,
            };
            let event = match next {
                Ok(Some(response)) => response.event,
                Ok(None) => return Ok(Outcome::Unreachable), // it ended without an end
                Err(status) => return Ok(self.gone(&status)),
            };
            let Some(event) = event else { continue }; // an event of a newer version
            if self.may_come_at_once(&event) {
                at_once::look_ahead(&mut ahead, &mut stream);
                if self.hold_back(&event, &mut ahead) {
                    continue;
                }
            }
            if let Some(outcome) = self.take(event).await? {
                return Ok(outcome);
            }
        }
    }

    async fn take(&mut self, event: Event) -> Result<Option<Outcome>, Error> {
        match event {
            Event::ModelStarted(started) => self.model_started(started),
            Event::TextDelta(agent::TextDelta { text }) => return self.take_text(text).await,
            Event::ThinkingDelta(_) if self.summary.is_some() => {}
            Event::ThinkingDelta(agent::ThinkingDelta { text }) => return self.take_thinking(text).await,
            Event::TextWasThinking(agent::TextWasThinking {}) => match &mut self.summary {
                Some(summary) => summary.clear(),
                None => self.events.tap(&Piece::WasThinking), // the screens see the whole message at its end
            },
            Event::ToolCallDelta(call) => return self.take_call(call).await,
            Event::Retrying(agent::Retrying {
                attempt,
                attempt_max,
                kind: _,
                message,
            }) => {
                let data = json!({ "phase": "retry", "attempt": attempt, "maxAttempts": attempt_max, "reason": message });
                self.events.lifecycle(self.live.next_seq(), &data);
                self.events.retrying(self.live.next_seq(), &message);
            }
            Event::ContextTrimmed(trimmed) => {
                self.events.trimmed(self.live.next_seq(), &trimmed);
            }
            Event::MediaLeftOut(left) => self.unseen = Some(left),
            Event::Completed(agent::Completed {
                stop_reason,
                usage,
                provider,
                model,
                content,
            }) => {
                let usage = usage.map(|usage| Tokens {
                    input: usage.input,
                    output: usage.output,
                });
                return Ok(Some(Outcome::Done {
                    stop_reason: stop_reason.into(),
                    usage,
                    answered_by: (provider, model),
                    content: self.whole(content),
                }));
            }
            Event::Entry(entry) => return self.take_entry(entry).await,
            Event::Failed(failed) => {
                let kind = failed.kind();
                let answered_by = failed.provider.zip(failed.model);
                return Ok(Some(Outcome::Failed {
                    message: failed.message,
                    kind,
                    answered_by,
                }));
            }
        }
        Ok(None)
    }

    fn model_started(&mut self, agent::ModelStarted { provider, model }: agent::ModelStarted) {
        let data = json!({ "phase": "model", "provider": provider, "model": model });
        self.events.lifecycle(self.live.next_seq(), &data);
        let named = (provider.as_str(), model.as_str());
        self.events
            .timing(&self.turn.key, Phase::ModelSelected, Some(named));
        let still = |left: &agent::MediaLeftOut| left.provider == provider && left.model == model;
        self.unseen = self.unseen.take().filter(still);
        self.tell_unseen();
        self.events.tap(&Piece::Model {
            provider: provider.clone(),
            model,
        });
        self.asked = Some(provider);
        // The model before it thought and had no answer: these thoughts take the place of those.
        if !self.thought.is_empty() {
            self.thought.clear();
            self.new_thinking = Rewrite::ALL;
            self.thinking = Pacer::new(self.room.pacing.clone());
        }
    }

    async fn take_text(&mut self, text: String) -> Result<Option<Outcome>, Error> {
        if text.is_empty() {
            return Ok(None);
        }
        if let Some(summary) = &mut self.summary {
            summary.push(&text); // for models, and shown when it is whole
            return Ok(None);
        }
        if self.live.shown_bytes() + text.len() > ANSWER_BYTES_MAX {
            let answered_by = (String::new(), String::new());
            return Ok(Some(Outcome::Done {
                stop_reason: StopReason::Length,
                usage: None,
                answered_by,
                content: None,
            }));
        }
        if self.seen {
            let seq = self.live.append(&text);
            self.show_more(seq, text);
        } else if let Some(stop) = self.show_first_text(text).await? {
            return Ok(Some(Outcome::Stopped(stop)));
        }
        Ok(None)
    }

    async fn take_thinking(&mut self, text: String) -> Result<Option<Outcome>, Error> {
        if text.is_empty() || self.thought.len() + text.len() > ANSWER_BYTES_MAX {
            return Ok(None);
        }
        if !self.seen
            && let Some(stop) = self.show_first("").await?
        {
            return Ok(Some(Outcome::Stopped(stop)));
        }
        self.thought.push_str(&text);
        let replace = std::mem::take(&mut self.new_thinking.increment);
        self.events
            .increment(Stream::Thinking, self.live.next_seq(), &text, replace);
        self.thinking.push(&text);
        self.show_due();
        Ok(None)
    }

    /// The agent service did not answer, or stopped answering.
    fn gone(&self, status: &tonic::Status) -> Outcome {
        tracing::warn!(run.id = %self.turn.run, code = ?status.code(), error = status.message(), "the agent service broke off");
        match status.code() {
            tonic::Code::InvalidArgument | tonic::Code::FailedPrecondition | tonic::Code::OutOfRange => {
                Outcome::Failed {
                    message: status.message().to_owned(),
                    kind: FailureKind::Rejected,
                    answered_by: None,
                }
            }
            _ => Outcome::Unreachable,
        }
    }
}

fn out_of_time() -> Outcome {
    let message =
        "the model did not answer in time: try again, or raise agents.defaults.timeoutSeconds".to_owned();
    Outcome::Failed {
        message,
        kind: FailureKind::Timeout,
        answered_by: None,
    }
}
