//! Workers: each holds a slot, runs the turn it was given, and goes on with the next one that waits. The end of a turn and the
//! beginning of the next are one commit.

use std::sync::Arc;

use gatehouse_core::client::PeerService;
use gatehouse_core::server::MESSAGE_BYTES_MAX;
use gatehouse_core::trace::{self, Span};
use gatehouse_proto::agent::v1::agent_service_client::AgentServiceClient;

use super::live::{Live, seq_before};
use super::order::Order;
use super::outcome::Outcome;
use super::pacing;
use super::run::{self, Room};
use super::runs::{Runs, Slot};
use super::settle::Settle;
use super::shared::Shared;
use super::signals::Signals;
use super::{Claimed, Turn, TurnState};
use crate::id::RunId;

#[derive(Clone, Debug)]
pub(super) struct Workers {
    room: Arc<Room>,
}

impl Workers {
    pub(super) fn new(
        shared: Shared,
        order: Arc<Order>,
        runs: Arc<Runs>,
        settle: Arc<Settle>,
        agent: PeerService,
    ) -> Self {
        let agent = AgentServiceClient::new(agent)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        Self {
            room: Arc::new(Room {
                shared,
                order,
                runs,
                settle,
                agent,
                pacing: pacing::Shared::default(),
            }),
        }
    }

    /// Runs a turn that this process has leased. The run is known here when this answers.
    pub(super) fn begin(&self, slot: Slot, claimed: Claimed) {
        let live = self.live(&claimed.turn);
        let worker = self.clone();
        self.room.runs.spawn(async move {
            let _slot = slot;
            let mut next = Some((claimed, live));
            while let Some((claimed, live)) = next {
                next = worker.run(claimed, live).await.map(|claimed| {
                    let live = worker.live(&claimed.turn);
                    (claimed, live)
                });
            }
        });
    }

    fn live(&self, turn: &Turn) -> Arc<Live> {
        let now = self.room.shared.clock.now();
        let live = Arc::new(Live::new(turn.run.clone(), turn.key.clone(), turn.attempt, now));
        self.room.runs.add(&live);
        live
    }

    async fn run(&self, claimed: Claimed, live: Arc<Live>) -> Option<Claimed> {
        let Claimed {
            turn,
            session,
            merged,
        } = claimed;
        if !merged.is_empty() {
            let _order = self.room.order.of(&turn.key).await;
            for ended in &merged {
                let followers = &self.room.shared.events.followers;
                followers.merge(&ended.turn.run, &turn.run);
                self.room
                    .settle
                    .settle(ended, None, seq_before(ended.turn.attempt));
            }
        }
        let _given_up = GiveUp {
            runs: &self.room.runs,
            signals: &self.room.shared.signals,
            run: turn.run.clone(),
        };
        let mut step = step(&turn);
        let run = run::run(Arc::clone(&self.room), turn, session, Arc::clone(&live));
        let next = trace::within(step.context(), run).await;
        end(&mut step, live.ended.get());
        next
    }
}

/// One attempt at a turn. Its session is not named: the key of a chat's session holds who speaks there.
fn step(turn: &Turn) -> Span {
    let mut step = Span::of(turn.trace, trace::Kind::Internal, || {
        format!("invoke_agent {}", turn.key.agent())
    });
    if step.is_recorded() {
        step.set("gen_ai.operation.name", "invoke_agent");
        step.set("gen_ai.agent.id", turn.key.agent().to_string().as_str());
        step.set("gatehouse.run", turn.run.as_str());
        step.set("gatehouse.attempt", turn.attempt);
    }
    step
}

/// What came of it. Without an end it was given back, and another attempt follows.
fn end(step: &mut Span, outcome: Option<&Outcome>) {
    let word = outcome.map_or("given-back", |outcome| outcome.state.word());
    step.set("gatehouse.outcome", word);
    if let Some(Outcome { state, kind }) = outcome
        && matches!(state, TurnState::Failed | TurnState::Interrupted)
    {
        step.fail(kind.as_deref().unwrap_or(word));
    }
}

/// A run that did not say its end, because it lost its lease or panicked, is not held any longer.
struct GiveUp<'a> {
    runs: &'a Runs,
    signals: &'a Signals,
    run: RunId,
}

impl Drop for GiveUp<'_> {
    fn drop(&mut self) {
        if self.runs.give_up(&self.run) {
            self.signals.turn_waits();
        }
    }
}
