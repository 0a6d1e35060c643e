//! One run, from its lease to its end. A run may stop saying anything at any moment, because its lease is lost; it says its
//! end only when the store says that its own transition won.

mod at_once;
mod compact;
mod ending;
mod lease;
mod media;
pub(super) mod notice;
mod show;
mod silence;
mod steer;
mod steps;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::backoff::Backoff;
use gatehouse_core::client::PeerService;
use gatehouse_core::{Chain, Content, Kind};
use gatehouse_proto::agent::v1 as agent;
use gatehouse_proto::agent::v1::FailureKind;
use gatehouse_proto::agent::v1::agent_service_client::AgentServiceClient;
use gatehouse_proto::agent::v1::run_turn_response::Event;
use serde_json::json;
use tokio::task;
use tokio::time::{self, Instant};
use tokio_util::task::AbortOnDropHandle;

use self::compact::Summary;
use self::show::Rewrite;
use super::asked::{self as program, Asked};
use super::context::ROWS_MAX;
use super::events::{Phase, RunEvents, Stream, Whose};
use super::live::{Live, Stop};
use super::order::Order;
use super::pacing::{self, Pacer};
use super::runs::Runs;
use super::settle::Settle;
use super::shared::Shared;
use super::taps::Piece;
use crate::agents::{Agent, ModelName};
use crate::answer::{ANSWER_BYTES_MAX, SaidBefore};
use crate::error::Error;
use crate::stop::StopReason;
use crate::store::{Claimed, Hold, SessionRecord, Tokens, Turn};

/// How long the agent service may overstay the turn's time before this side gives up on it.
const OVERTIME: Duration = Duration::from_secs(5);
/// The longest pause before the agent service is asked again.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// How a run ends.
#[derive(Debug)]
enum Outcome {
    Done {
        stop_reason: StopReason,
        usage: Option<Tokens>,
        answered_by: (String, String),
        /// The whole last message, when it is more than the text that was streamed.
        content: Option<Content>,
    },
    Failed {
        message: String,
        kind: FailureKind,
        answered_by: Option<(String, String)>,
    },
    /// The agent service went away. Nothing was seen: the run may begin again.
    Unreachable,
    /// The agent service went away in the middle: the run begins again, unless it did so before.
    BrokenOff,
    Stopped(Stop),
    /// Somebody said more, and it was taken in: the model is asked again.
    Steered,
}

#[derive(Debug)]
pub(super) struct Room {
    pub(super) shared: Shared,
    pub(super) order: Arc<Order>,
    pub(super) runs: Arc<Runs>,
    pub(super) settle: Arc<Settle>,
    pub(super) agent: AgentServiceClient<PeerService>,
    /// What the rendition that repeats whole texts may cost a connection.
    pub(super) pacing: pacing::Shared,
}

struct Run {
    room: Arc<Room>,
    turn: Turn,
    /// As it was when the run began.
    session: SessionRecord,
    live: Arc<Live>,
    events: RunEvents,
    /// The provider that is asked.
    asked: Option<String>,
    /// Whether this attempt showed anything.
    seen: bool,
    /// Whether somebody said more, which it answers as well.
    is_steered: bool,
    /// The whole answer, when its end came before anything of it was shown: it is shown once its end is stored.
    at_once: Option<String>,
    /// What an earlier attempt showed: it stands on the screens until this one's first word.
    earlier: String,
    answer: Pacer,
    thinking: Pacer,
    thought: String,
    /// How many messages of this attempt are in the transcript.
    steps: u32,
    /// The words of the last of them that had any.
    said_before: String,
    /// Calls of tools that are not answered yet, and when each was made.
    calls_open: HashMap<String, i64>,
    /// The answers that somebody steered on from.
    said: SaidBefore,
    new_answer: Rewrite,
    new_thinking: Rewrite,
    /// The summary that is made, when that is what it does.
    summary: Option<Summary>,
    /// What the model that is asked does not see.
    unseen: Option<agent::MediaLeftOut>,
}

/// Runs a turn that was leased, to its end. Answers the turn that was begun in the same commit.
pub(super) async fn run(
    room: Arc<Room>,
    turn: Turn,
    session: SessionRecord,
    live: Arc<Live>,
) -> Option<Claimed> {
    let lease = tokio::spawn(lease::keep(room.shared.clone(), Arc::clone(&live)));
    let _lease = AbortOnDropHandle::new(lease);
    let events = room
        .shared
        .events
        .of_run(&turn.run, &turn.key, Whose::of(Some(&session)));
    let shown = room.pacing.clone();
    let mut run = Run {
        room,
        session,
        live,
        events,
        asked: None,
        seen: false,
        is_steered: false,
        at_once: None,
        earlier: String::new(),
        answer: Pacer::new(shown.clone()),
        thinking: Pacer::new(shown),
        thought: String::new(),
        steps: 0,
        said_before: String::new(),
        calls_open: HashMap::new(),
        said: SaidBefore::default(),
        new_answer: Rewrite::of(&turn),
        new_thinking: Rewrite::of(&turn),
        summary: Summary::of(&turn),
        unseen: None,
        turn,
    };
    match run.answer().await {
        Ok(outcome) => run.end(outcome).await,
        Err(error) => {
            tracing::error!(run.id = %run.turn.run, error = %Chain(&error), "a turn failed inside");
            let (kind, message) = match error.kind() {
                Kind::Internal => (
                    FailureKind::Unspecified,
                    "something went wrong inside: the log of the session service says what".to_owned(),
                ),
                _ => (FailureKind::Config, error.to_string()), // for example that its agent is no longer configured
            };
            run.end(Outcome::Failed {
                message,
                kind,
                answered_by: None,
            })
            .await
        }
    }
}

impl Run {
    async fn answer(&mut self) -> Result<Outcome, Error> {
        drop(self.room.order.of(&self.turn.key).await); // behind the message that caused it
        if self.turn.shown > 0 {
            let turns = &self.room.shared.stores.turns;
            self.earlier = turns.kept_text(&self.turn.run).await?;
            let steps = turns.steps(&self.turn.run).await?;
            self.said = SaidBefore::of_steps(steps.iter().map(|step| &step.row));
            self.live.said_earlier(self.said.on_screens.clone());
        }
        self.events.timing(&self.turn.key, Phase::DispatchStarted, None);
        self.events.status(self.live.next_seq(), "starting_model");
        self.events.lifecycle(
            self.live.next_seq(),
            &json!({ "phase": "start", "startedAt": self.live.started_at }),
        );
        self.events.timing(&self.turn.key, Phase::RunStarted, None);
        let agents = self.room.shared.agents();
        self.room.shared.events.changed(
            &self.turn.key,
            Some(&self.session),
            agents.as_deref(),
            "agent.run.started",
            Some(&self.turn.run),
        );
        self.room.shared.events.task(&self.turn, Some(&self.session));

        let mut backoff = Backoff::new(self.room.shared.timing.retry, RETRY_MAX);
        let mut attempt = 0;
        loop {
            attempt += 1;
            if let Some(Outcome::Stopped(stop)) = self.take_in(None).await? {
                return Ok(Outcome::Stopped(stop));
            }
            let request = self.request().await?;
            match self.ask(request).await? {
                Outcome::Steered => attempt = 0,
                done @ Outcome::Done { .. } => match self.take_in(Some(&done)).await? {
                    Some(Outcome::Steered) => attempt = 0,
                    Some(outcome) => return Ok(outcome),
                    None => return Ok(done),
                },
                Outcome::Unreachable if self.seen => return Ok(Outcome::BrokenOff),
                Outcome::Unreachable if attempt < self.room.shared.timing.attempts_max => {
                    let live = Arc::clone(&self.live);
                    tokio::select! {
                        biased;
                        stop = live.stopped() => return Ok(Outcome::Stopped(stop)),
                        // Nothing is under way that a wait could save: the next process asks again.
                        () = self.room.shared.drain.requested() => return Ok(Outcome::Stopped(Stop::Drain)),
                        () = time::sleep(backoff.next()) => {}
                    }
                }
                outcome => return Ok(outcome),
            }
        }
    }

    /// What the message says goes before what its session says, and that before what the agent says.
    async fn request(&mut self) -> Result<agent::RunTurnRequest, Error> {
        let policy = self.room.shared.policy().ok_or(Error::NotReady)?;
        let configured = policy.agents.of(&self.turn.key)?;
        let chosen = self
            .turn
            .model
            .clone()
            .or_else(|| self.session.model_override.clone());
        let models: Vec<ModelName> = match chosen {
            Some(model) => std::iter::once(model)
                .chain(configured.models.iter().skip(1).cloned())
                .collect(),
            None => configured.models.clone(),
        };
        let models: Vec<String> = models.into_iter().map(String::from).collect();
        let transcripts = &self.room.shared.stores.transcripts;
        let rows = transcripts.context(&self.turn.key, ROWS_MAX).await?;
        if self.summary.is_some() {
            let configured = configured.clone();
            return self.request_summary(models, &configured, rows).await;
        }
        let Asked {
            program,
            instructions,
            messages,
        } = program::asked(&self.turn, rows);
        let media = self.media_of(&messages, &models).await;
        let system_prompt = self.system_prompt(configured).await?;
        Ok(agent::RunTurnRequest {
            run_id: self.turn.run.to_string(),
            models,
            system_prompt: program::joined(system_prompt, instructions),
            program,
            messages,
            media,
            timeout_ms: self
                .turn
                .timeout_ms
                .filter(|ms| *ms > 0)
                .unwrap_or(configured.timeout_ms),
            agent_name: configured.display_name(),
            agent_id: Some(configured.id.to_string()),
            in_chat: self.turn.target.is_some(),
            thinking_level: self
                .turn
                .thinking
                .as_ref()
                .or(self.session.thinking_level.as_ref())
                .or(configured.thinking.as_ref())
                .cloned()
                .map(String::from),
        })
    }

    /// What the model is told before the conversation.
    async fn system_prompt(&self, agent: &Agent) -> Result<Option<String>, Error> {
        let workspaces = self.room.shared.workspaces.clone();
        let (id, configured) = (agent.id.clone(), agent.system_prompt.clone());
        task::spawn_blocking(move || workspaces.prompt(&id, configured.as_deref()))
            .await
            .map_err(Error::Engine)
    }

    /// Asks the agent service once. Dropping the stream cancels the call at once.
    async fn ask(&mut self, request: agent::RunTurnRequest) -> Result<Outcome, Error> {
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
            Event::ModelStarted(agent::ModelStarted { provider, model }) => {
                let data = json!({ "phase": "model", "provider": provider, "model": model });
                self.events.lifecycle(self.live.next_seq(), &data);
                let named = (provider.as_str(), model.as_str());
                self.events
                    .timing(&self.turn.key, Phase::ModelSelected, Some(named));
                let still = |left: &agent::MediaLeftOut| left.provider == provider && left.model == model;
                self.unseen = self.unseen.take().filter(still);
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
            Event::TextDelta(agent::TextDelta { text }) => {
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
            }
            Event::ThinkingDelta(_) if self.summary.is_some() => {}
            Event::ThinkingDelta(agent::ThinkingDelta { text }) => {
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
            }
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

fn stop_of(hold: Hold) -> Option<Stop> {
    match hold {
        Hold::Held => None,
        Hold::Stop(origin) => Some(Stop::Abort(origin)),
        Hold::Lost => Some(Stop::Lost),
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
