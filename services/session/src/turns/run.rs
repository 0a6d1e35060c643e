//! One run, from its lease to its end. A run may stop saying anything at any moment, because its lease is lost; it says its
//! end only when the store says that its own transition won.

mod at_once;
mod compact;
mod ending;
mod hear;
mod lease;
pub(super) mod media;
pub(super) mod notice;
mod request;
mod show;
mod silence;
mod steer;
mod steps;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::backoff::Backoff;
use gatehouse_core::client::PeerService;
use gatehouse_core::{Chain, Content, Kind};
use gatehouse_proto::agent::v1 as agent;
use gatehouse_proto::agent::v1::FailureKind;
use gatehouse_proto::agent::v1::agent_service_client::AgentServiceClient;
use serde_json::json;
use tokio::time;
use tokio_util::task::AbortOnDropHandle;

use self::compact::Summary;
use self::show::Rewrite;
use super::events::{Phase, RunEvents, Whose};
use super::live::{Live, Stop};
use super::order::Order;
use super::pacing::{self, Pacer};
use super::runs::Runs;
use super::settle::Settle;
use super::shared::Shared;
use crate::answer::SaidBefore;
use crate::error::Error;
use crate::stop::StopReason;
use crate::store::{Claimed, Hold, SessionRecord, Tokens, Turn};

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
    /// What a program was told of it.
    told_unseen: Option<String>,
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
        told_unseen: None,
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
            self.events.begin_anew();
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
}

fn stop_of(hold: Hold) -> Option<Stop> {
    match hold {
        Hold::Held => None,
        Hold::Stop(origin) => Some(Stop::Abort(origin)),
        Hold::Lost => Some(Stop::Lost),
    }
}
