//! Taking messages, and stopping what they began. A message that finds its session and a slot free begins in the commit that
//! takes it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time;

use super::backlog::Backlog;
use super::live::{Stop, seq_before};
use super::order::Order;
use super::queue::QueueMode;
use super::runs::{Runs, Slot};
use super::settle::Settle;
use super::shared::Shared;
use super::workers::Workers;
use super::{
    Aborted, Admission, Admitted, Answered, Claimed, GatewayAnswer, NewTurn, Origin, Turn, TurnState,
};
use crate::deliveries::Target;
use crate::error::Error;
use crate::id::RunId;
use crate::key::SessionKey;
use gatehouse_core::Timestamp;

/// How long an abort waits for a run in this process to say its end before it answers.
const ABORT_PATIENCE: Duration = Duration::from_secs(5);
/// How long a message waits for a process that has just started; then its sender is asked to come back.
const START_PATIENCE: Duration = Duration::from_secs(5);

/// A message that was taken.
#[derive(Clone, Debug)]
pub(crate) struct Submitted {
    pub(crate) turn: Turn,
    /// True when it was known already.
    pub(crate) duplicate: bool,
}

#[derive(Debug)]
pub(super) struct Intake {
    pub(super) shared: Shared,
    pub(super) order: Arc<Order>,
    pub(super) runs: Arc<Runs>,
    pub(super) backlog: Arc<Backlog>,
    pub(super) settle: Arc<Settle>,
    pub(super) workers: Workers,
    /// Whether the last process's turns were looked at: before that, nothing new is taken.
    pub(super) caught_up: watch::Receiver<bool>,
}

impl Intake {
    /// Waits until this process has looked at what the last one left behind.
    async fn started(&self) -> Result<(), Error> {
        let mut caught_up = self.caught_up.clone();
        match time::timeout(START_PATIENCE, caught_up.wait_for(|ready| *ready)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Error::NotReady),
        }
    }

    /// Tells whoever runs it, here or elsewhere, what the store says already.
    fn stop(&self, run: &RunId, origin: Origin) {
        self.runs.stop(run, Stop::Abort(origin));
        self.shared.signals.run_changed(run);
    }

    fn slot(&self) -> Option<Slot> {
        let policy = self.shared.policy()?;
        self.runs.slots(1, policy.concurrent_max).pop()
    }

    pub(super) async fn submit(&self, admission: Admission) -> Result<Submitted, Error> {
        self.started().await?;
        if self.shared.drain.is_requested() {
            return Err(Error::Stopping);
        }
        let order = self.order.of(&admission.key).await;
        let slot = self.slot();
        let lease = slot.is_some().then(|| self.shared.lease());
        let new = match self.shared.stores.turns.admit(admission, lease).await? {
            Admitted::Known(turn) => {
                self.shared.metrics.duplicates.inc();
                return Ok(Submitted {
                    turn: *turn,
                    duplicate: true,
                });
            }
            Admitted::New(new) => new,
        };
        let NewTurn {
            turn,
            entry,
            session,
            gave_way: Aborted { ended, asked },
            boundary,
        } = *new;
        let agents = self.shared.agents();
        self.shared.metrics.accepted.inc();
        for ended in ended {
            if let Some(head) = &ended.turn.merged_into {
                self.shared.events.followers.merge(&ended.turn.run, head);
            }
            self.settle.settle(&ended, None, seq_before(ended.turn.attempt));
        }
        let events = &self.shared.events;
        if let Some(boundary) = &boundary {
            tracing::info!(
                session.key = turn.key.as_str(),
                "a conversation was over: a new one begins"
            );
            events.changed(&turn.key, Some(&session), agents.as_deref(), "reset", None);
            events.row(boundary, &session, agents.as_deref());
        }
        events.changed(
            &turn.key,
            Some(&session),
            agents.as_deref(),
            "send",
            Some(&turn.run),
        );
        events.row(&entry, &session, agents.as_deref());
        match slot {
            Some(slot) if turn.state == TurnState::Running => {
                let claimed = Claimed {
                    turn: turn.clone(),
                    session,
                    merged: Vec::new(),
                };
                // Under the order: an abort that comes next finds the run.
                self.workers.begin(slot, claimed);
            }
            unused => {
                if let Some(slot) = unused {
                    slot.put_back(); // the turn that waits wakes the dispatcher: once is enough
                }
                if turn.mode == QueueMode::Steer {
                    self.runs.steer(&turn.key);
                }
                events.task(&turn, Some(&session));
                self.backlog.grew();
                self.shared.signals.turn_waits();
            }
        }
        drop(order);
        for run in asked {
            self.stop(&run, Origin::Interrupt);
        }
        Ok(Submitted {
            turn,
            duplicate: false,
        })
    }

    /// Takes a message together with the gateway's answer to it.
    pub(super) async fn answer(
        &self,
        admission: Admission,
        answer: GatewayAnswer,
    ) -> Result<Submitted, Error> {
        self.started().await?;
        if self.shared.drain.is_requested() {
            return Err(Error::Stopping);
        }
        let changes = answer.change.is_some();
        let _order = self.order.of(&admission.key).await;
        let (new, ended) = match self.shared.stores.turns.answer(admission, answer).await? {
            Answered::Known(turn) => {
                self.shared.metrics.duplicates.inc();
                return Ok(Submitted {
                    turn: *turn,
                    duplicate: true,
                });
            }
            Answered::New(new) => *new,
        };
        let NewTurn {
            turn,
            entry,
            session,
            gave_way: _, // nothing has to
            boundary: _, // and none begins
        } = new;
        self.shared.metrics.accepted.inc();
        let (agents, events) = (self.shared.agents(), &self.shared.events);
        let reason = if changes { "patch" } else { "send" };
        events.changed(
            &turn.key,
            Some(&session),
            agents.as_deref(),
            reason,
            Some(&turn.run),
        );
        events.row(&entry, &session, agents.as_deref());
        self.settle.settle(&ended, None, seq_before(ended.turn.attempt));
        Ok(Submitted {
            turn: ended.turn,
            duplicate: false,
        })
    }

    pub(super) async fn abort(
        &self,
        key: &SessionKey,
        run: Option<&RunId>,
        origin: Origin,
    ) -> Result<Vec<RunId>, Error> {
        self.abort_those(key, origin, async |now| {
            self.shared.stores.turns.abort(key, run, origin, now).await
        })
        .await
    }

    /// Stops what waits and runs in a session and is to be answered in this chat.
    pub(super) async fn abort_in_chat(
        &self,
        key: &SessionKey,
        chat: &Target,
        origin: Origin,
    ) -> Result<Vec<RunId>, Error> {
        self.abort_those(key, origin, async |now| {
            self.shared
                .stores
                .turns
                .abort_in_chat(key, chat, origin, now)
                .await
        })
        .await
    }

    async fn abort_those(
        &self,
        key: &SessionKey,
        origin: Origin,
        abort: impl AsyncFnOnce(Timestamp) -> Result<Aborted, Error>,
    ) -> Result<Vec<RunId>, Error> {
        let now = self.shared.clock.now();
        let Aborted { ended, asked } = {
            let _order = self.order.of(key).await;
            let aborted = abort(now).await?;
            for ended in &aborted.ended {
                self.settle.settle(ended, None, seq_before(ended.turn.attempt));
            }
            aborted
        };
        let mut stopped: Vec<RunId> = ended.into_iter().map(|ended| ended.turn.run).collect();
        for run in &asked {
            self.stop(run, origin);
        }
        for run in asked {
            let turn = self.settle.wait(&run, ABORT_PATIENCE).await?;
            // A run that ended otherwise in the meantime was not stopped; one that has not ended yet has been asked.
            if turn.state == TurnState::Aborted || !turn.state.is_terminal() {
                stopped.push(run);
            }
        }
        Ok(stopped)
    }
}
