//! What runs share, and everything that is said about a session as a whole.
//!
//! What is said about a session is said under its place in [`Inner::order`], in the same breath as the transaction it tells
//! of. So rows are announced in the order of their numbers, and a run never speaks before the message that caused it.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use gatehouse_core::client::PeerService;
use gatehouse_core::drain::plan;
use gatehouse_core::server::MESSAGE_BYTES_MAX;
use gatehouse_core::{Clock, Drain, ForPeople};
use gatehouse_proto::agent::v1::agent_service_client::AgentServiceClient;
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::{self, Instant};

use super::announce::announce;
use super::engine::{Parts, Submitted, Timing};
use super::events::Events;
use super::live::{Live, Stop, seq_before};
use super::pacing::Shared;
use super::run;
use crate::agents::Agents;
use crate::error::Error;
use crate::id::{Owner, RunId};
use crate::key::SessionKey;
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::store::{
    Aborted, Admission, Admitted, Claimed, Ended, NewTurn, Origin, Reclaim, SessionFilter, Store, Turn,
    TurnState,
};

/// Sessions share this many places in the order: enough that two rarely meet, few enough to cost nothing.
const ORDER_PLACES: usize = 64;
/// Ends of runs that a slow waiter may fall behind by; behind that it asks the store.
const SETTLED_MAX: usize = 1024;
/// How long an abort waits for a run in this process to say its end before it answers.
const ABORT_PATIENCE: Duration = Duration::from_secs(5);
/// How long a message waits for a process that has just started; then its sender is asked to come back.
const START_PATIENCE: Duration = Duration::from_secs(5);
/// The longest that the dispatcher sleeps: it then looks whether another process left something.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(5);
/// Turns that are leased in one commit at most: as many as run at the same time unless configured otherwise.
pub(super) const TOGETHER_MAX: usize = 16;
/// How long it waits after the store failed.
pub(super) const STORE_PAUSE: Duration = Duration::from_secs(1);
/// How far back the last moments of the last process reach, in milliseconds: longer than its events wait for a broadcast
/// that is away.
const LAST_MOMENTS_MS: i64 = 60_000;
/// Sessions whose state is said anew after a restart; the screens read everything anyway.
const CATCH_UP_MAX: u32 = 100;
/// What the user reads when a process ended in the middle of an answer.
pub(super) const INTERRUPTED: ForPeople =
    ForPeople::new("The answer was cut short by a restart. Please ask again if you still need it.");

/// What runs share.
#[derive(Debug)]
pub(super) struct Inner<S> {
    pub(super) store: Arc<S>,
    pub(super) agent: AgentServiceClient<PeerService>,
    pub(super) events: Events,
    policy: watch::Receiver<Option<Arc<Policy>>>,
    pub(super) clock: Clock,
    pub(super) timing: Timing,
    pub(super) owner: Owner,
    live: Mutex<HashMap<RunId, Arc<Live>>>,
    pub(super) wake: Notify,
    /// Whether the last process's turns were looked at: before that, nothing new is taken.
    pub(super) caught_up: watch::Sender<bool>,
    replies: Arc<Notify>,
    settled: broadcast::Sender<RunId>,
    order: Vec<tokio::sync::Mutex<()>>,
    pub(super) metrics: Metrics,
    /// What the rendition that repeats whole texts may cost a connection.
    pub(super) shown: Shared,
    pub(super) drain: Drain,
    /// The runs of this process. Only waited for: what makes them end is [`Inner::drain`] and their own limits.
    pub(super) runs: Drain,
}

/// What became of a look for the next turn.
#[derive(Debug)]
pub(super) enum Dispatch {
    Began,
    Idle(Duration),
}

impl<S: Store> Inner<S> {
    pub(super) fn new(parts: Parts<S>) -> Self {
        let Parts {
            store,
            agent,
            publisher,
            policy,
            clock,
            timing,
            replies,
            metrics,
            drain,
        } = parts;
        Self {
            store,
            agent: AgentServiceClient::new(agent)
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX),
            events: Events::new(publisher, clock.clone()),
            policy,
            clock,
            timing,
            owner: Owner::generate(),
            live: Mutex::default(),
            wake: Notify::new(),
            caught_up: watch::Sender::new(false),
            replies,
            settled: broadcast::channel(SETTLED_MAX).0,
            order: (0..ORDER_PLACES).map(|_| tokio::sync::Mutex::new(())).collect(),
            metrics,
            shown: Shared::default(),
            drain,
            runs: Drain::new(),
        }
    }

    /// How long runs may go on after the process was asked to end.
    pub(super) fn drain_limit(&self) -> Duration {
        let configured = || self.policy().map(|policy| policy.drain);
        self.timing
            .drain
            .or_else(configured)
            .unwrap_or(plan::ANSWERS_DEFAULT)
    }

    pub(super) fn policy(&self) -> Option<Arc<Policy>> {
        self.policy.borrow().clone()
    }

    pub(super) fn agents(&self) -> Option<Arc<Agents>> {
        self.policy().map(|policy| Arc::clone(&policy.agents))
    }

    pub(super) fn live(&self) -> MutexGuard<'_, HashMap<RunId, Arc<Live>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The session's place in the order of announcements. Held across a transaction, on purpose: see the module.
    pub(super) async fn order(&self, key: &SessionKey) -> tokio::sync::MutexGuard<'_, ()> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(key);
        let places = u64::try_from(self.order.len()).unwrap_or(1);
        let place = usize::try_from(hash % places).unwrap_or(0);
        self.order
            .get(place)
            .expect("the remainder is below the length")
            .lock()
            .await
    }

    /// The time of day when a lease taken now ends.
    pub(super) fn lease_until(&self) -> i64 {
        self.clock.now_ms() + i64::try_from(self.timing.lease.as_millis()).unwrap_or(i64::MAX / 2)
    }

    /// Waits until this process has looked at what the last one left behind.
    async fn started(&self) -> Result<(), Error> {
        let mut caught_up = self.caught_up.subscribe();
        match time::timeout(START_PATIENCE, caught_up.wait_for(|ready| *ready)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Error::NotReady),
        }
    }

    pub(super) async fn submit(&self, admission: Admission) -> Result<Submitted, Error> {
        self.started().await?;
        if self.drain.is_requested() {
            return Err(Error::Stopping);
        }
        let order = self.order(&admission.key).await;
        let new = match self.store.admit(admission).await? {
            Admitted::Known(turn) => {
                self.metrics.duplicates.inc();
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
        } = *new;
        let agents = self.agents();
        self.metrics.accepted.inc();
        for ended in ended {
            self.settle(&ended, None, seq_before(ended.turn.attempt));
        }
        self.events.changed(
            &turn.key,
            Some(&session),
            agents.as_deref(),
            "send",
            Some(&turn.run),
        );
        self.events.row(&entry, &session, agents.as_deref());
        drop(order);
        for run in asked {
            if let Some(live) = self.live().get(&run) {
                live.stop(Stop::Abort(Origin::Interrupt));
            }
        }
        self.wake.notify_one();
        Ok(Submitted {
            turn,
            duplicate: false,
        })
    }

    pub(super) async fn abort(
        &self,
        key: &SessionKey,
        run: Option<&RunId>,
        origin: Origin,
    ) -> Result<Vec<RunId>, Error> {
        let now = self.clock.now_ms();
        let Aborted { ended, asked } = {
            let _order = self.order(key).await;
            let aborted = self.store.abort(key, run, origin, now).await?;
            for ended in &aborted.ended {
                self.settle(ended, None, seq_before(ended.turn.attempt));
            }
            aborted
        };
        let mut stopped: Vec<RunId> = ended.into_iter().map(|ended| ended.turn.run).collect();
        for run in &asked {
            if let Some(live) = self.live().get(run) {
                live.stop(Stop::Abort(origin));
            }
        }
        for run in asked {
            let turn = self.wait(&run, ABORT_PATIENCE).await?;
            // A run that ended otherwise in the meantime was not stopped; one that has not ended yet has been asked.
            if turn.state == TurnState::Aborted || !turn.state.is_terminal() {
                stopped.push(run);
            }
        }
        Ok(stopped)
    }

    pub(super) async fn wait(&self, run: &RunId, patience: Duration) -> Result<Turn, Error> {
        let deadline = Instant::now() + patience;
        let mut settled = self.settled.subscribe(); // before the look, so that no end falls between
        loop {
            let turn = self
                .store
                .turn(run)
                .await?
                .ok_or_else(|| Error::NoRun(run.to_string()))?;
            if turn.state.is_terminal() || Instant::now() >= deadline {
                return Ok(turn);
            }
            // Ends in other processes are not heard here: look again now and then.
            let look = deadline.min(Instant::now() + IDLE_MAX);
            loop {
                tokio::select! {
                    () = time::sleep_until(look) => break,
                    ended = settled.recv() => match ended {
                        Ok(ended) if ended != *run => {}
                        Ok(_) | Err(_) => break,
                    },
                }
            }
        }
    }

    /// Says the end of a turn and tells everybody who waits for it. Called under the session's place in the order.
    pub(super) fn settle(&self, ended: &Ended, error_kind: Option<&str>, seq: i64) {
        self.live().remove(&ended.turn.run);
        announce(&self.events, ended, self.agents().as_deref(), error_kind, seq);
        self.metrics.ended(ended.turn.state);
        let _nobody_waits = self.settled.send(ended.turn.run.clone());
        if ended.turn.target.is_some() {
            self.replies.notify_one();
        }
        self.wake.notify_one();
    }

    /// Forgets a run that is somebody else's business now.
    pub(super) fn forget(&self, run: &RunId) {
        self.live().remove(run);
        self.wake.notify_one();
    }

    /// What the last process stored in its last moments it may never have said: the end of a run above all. If there was
    /// anything, the screens are told to read their state anew. A second end is never said for it.
    pub(super) async fn catch_up(&self) -> Result<(), Error> {
        let since = Some(self.clock.now_ms() - LAST_MOMENTS_MS);
        let filter = SessionFilter {
            since,
            limit: CATCH_UP_MAX,
            ..SessionFilter::default()
        };
        let recent = self.store.sessions(filter).await?.sessions;
        let agents = self.agents();
        for session in recent.iter().filter(|session| session.last_run.is_some()) {
            self.events.say_lost();
            self.events.changed(
                &session.key,
                Some(session),
                agents.as_deref(),
                "restart",
                session.last_run.as_ref(),
            );
        }
        Ok(())
    }

    pub(super) async fn reclaim(&self, others_are_dead: bool) -> Result<(), Error> {
        loop {
            let held = self.live().keys().cloned().collect();
            let reclaimed = self
                .store
                .reclaim(Reclaim {
                    owner: self.owner.clone(),
                    others_are_dead,
                    held,
                    notice: INTERRUPTED,
                    limits: self.timing.limits,
                    now: self.clock.now_ms(),
                    lease_until: self.lease_until(),
                })
                .await?;
            if reclaimed.queued.is_empty() && reclaimed.ended.is_empty() {
                return Ok(());
            }
            for run in &reclaimed.queued {
                tracing::warn!(run = %run, "a turn of a dead process is run again");
                self.metrics.run_again.inc();
            }
            for ended in &reclaimed.ended {
                tracing::warn!(run = %ended.turn.run, state = ended.turn.state.word(), "a turn of a dead process was closed");
                let _order = self.order(&ended.turn.key).await;
                self.settle(ended, None, seq_before(ended.turn.attempt));
            }
        }
    }

    /// Leases what is due and runs it: at most `together` turns, which share one commit.
    pub(super) async fn dispatch(self: &Arc<Self>, together: usize) -> Result<Dispatch, Error> {
        let Some(policy) = self.policy() else {
            return Ok(Dispatch::Idle(STORE_PAUSE));
        };
        let free = policy.concurrent_max.saturating_sub(self.live().len());
        if free == 0 {
            return Ok(Dispatch::Idle(IDLE_MAX)); // the end of a run wakes the dispatcher
        }
        let now = self.clock.now_ms();
        let lease_until = self.lease_until();
        let claims = (0..together.clamp(1, free)).map(|_| self.store.claim(&self.owner, now, lease_until));
        let mut failed = None;
        let mut began = false;
        // Each turn that was leased is begun, whatever became of the others.
        for claimed in join_all(claims).await {
            match claimed {
                Ok(Some(claimed)) => {
                    self.begin(claimed, now).await;
                    began = true;
                }
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        if !began {
            let due = self.store.next_due(now).await?;
            let wait = due.map_or(IDLE_MAX, |due| {
                Duration::from_millis(u64::try_from(due - now).unwrap_or(0))
            });
            return Ok(Dispatch::Idle(wait.min(IDLE_MAX)));
        }
        Ok(Dispatch::Began)
    }

    async fn begin(self: &Arc<Self>, claimed: Claimed, now: i64) {
        let Claimed { turn, merged } = claimed;
        let live = Arc::new(Live::new(turn.run.clone(), turn.key.clone(), turn.attempt, now));
        self.live().insert(turn.run.clone(), Arc::clone(&live));
        if !merged.is_empty() {
            let _order = self.order(&turn.key).await;
            for ended in &merged {
                self.settle(ended, None, seq_before(ended.turn.attempt));
            }
        }
        self.runs
            .spawn_work("turn", run::run(Arc::clone(self), turn, live));
    }
}
