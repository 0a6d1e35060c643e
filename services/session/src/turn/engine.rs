//! Takes messages, hands turns to runs, stops them, and picks up what dead processes left behind.
//!
//! The order of what the screens hear: everything that is said about a session is said under the session's place in
//! [`Inner::order`], in the same breath as the transaction it tells of. So rows are announced in the order of their numbers,
//! and a run never speaks before the message that caused it.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatehouse_core::client::PeerService;
use gatehouse_core::publish::Publisher;
use gatehouse_core::server::MESSAGE_BYTES_MAX;
use gatehouse_core::{Clock, Drain};
use gatehouse_proto::agent::v1::agent_service_client::AgentServiceClient;
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::{self, Instant};

use super::announce::announce;
use super::events::Events;
use super::live::{InFlight, Live, Stop, seq_before};
use super::run;
use crate::error::Error;
use crate::id::{Owner, RunId};
use crate::key::SessionKey;
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::store::{
    Aborted, Admission, Admitted, Claimed, Ended, NewEntry, NewTurn, Origin, Reclaim, SessionRecord, Store,
    Turn,
};

/// Sessions share this many places in the order: enough that two rarely meet, few enough to cost nothing.
const ORDER_PLACES: usize = 64;
/// Ends of runs that a slow waiter may fall behind by; behind that it asks the store.
const SETTLED_MAX: usize = 1024;
/// How long an abort waits for a run in this process to say its end before it answers.
const ABORT_PATIENCE: Duration = Duration::from_secs(5);
/// The longest that the dispatcher sleeps: it then looks whether another process left something.
const IDLE_MAX: Duration = Duration::from_secs(5);
/// How long it waits after the store failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// What the user reads when a process ended in the middle of an answer.
pub(super) const INTERRUPTED: &str =
    "The answer was cut short by a restart. Please ask again if you still need it.";

/// Times of the engine. Tests shorten them.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long a lease holds without being renewed.
    pub lease: Duration,
    /// How often it is renewed: three times within a lease, so one lost renewal costs nothing.
    pub renew: Duration,
    /// The first pause before the agent service is asked again; it doubles up to a bound.
    pub retry: Duration,
    /// How often the agent service is asked for one turn before it fails.
    pub attempts_max: u32,
    /// How often a turn is taken up by one process after another.
    pub takeovers_max: u32,
    /// How long a run may go on after the process was asked to end.
    pub drain: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(15),
            renew: Duration::from_secs(5),
            retry: Duration::from_millis(250),
            attempts_max: 6,
            takeovers_max: 3,
            drain: Duration::from_secs(5),
        }
    }
}

/// What an engine is made of.
#[derive(Debug)]
pub struct Parts<S> {
    /// The store.
    pub store: Arc<S>,
    /// The agent service.
    pub agent: PeerService,
    /// The way to the screens.
    pub publisher: Publisher,
    /// What holds at the moment; `None` until the first revision has come.
    pub policy: watch::Receiver<Option<Arc<Policy>>>,
    /// The time of day.
    pub clock: Clock,
    /// Times.
    pub timing: Timing,
    /// Told when a reply waits for its delivery.
    pub replies: Arc<Notify>,
    /// Counts.
    pub metrics: Metrics,
}

/// A message that was taken.
#[derive(Clone, Debug)]
pub struct Submitted {
    /// Its turn.
    pub turn: Turn,
    /// True when it was known already.
    pub duplicate: bool,
}

/// The handle of the engine.
#[derive(Debug)]
pub struct Engine<S> {
    inner: Arc<Inner<S>>,
}

impl<S> Clone for Engine<S> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

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
    wake: Notify,
    replies: Arc<Notify>,
    settled: broadcast::Sender<RunId>,
    order: Vec<tokio::sync::Mutex<()>>,
    pub(super) metrics: Metrics,
}

impl<S: Store> Engine<S> {
    /// Puts it together; nothing runs yet.
    pub fn new(parts: Parts<S>) -> Self {
        let Parts {
            store,
            agent,
            publisher,
            policy,
            clock,
            timing,
            replies,
            metrics,
        } = parts;
        let inner = Inner {
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
            replies,
            settled: broadcast::channel(SETTLED_MAX).0,
            order: (0..ORDER_PLACES).map(|_| tokio::sync::Mutex::new(())).collect(),
            metrics,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// What holds at the moment.
    ///
    /// # Errors
    /// When no configuration has come yet.
    pub fn policy(&self) -> Result<Arc<Policy>, Error> {
        self.inner.policy().ok_or(Error::NotReady)
    }

    /// The store.
    pub fn store(&self) -> &S {
        &self.inner.store
    }

    /// The time of day.
    pub fn now_ms(&self) -> i64 {
        self.inner.clock.now_ms()
    }

    /// Takes a message. When this answers, the message and its turn are stored.
    ///
    /// # Errors
    /// Those of [`Store::admit`].
    ///
    /// # Cancel safety
    /// Goes on to its end when dropped: a message that is stored is also announced.
    pub async fn submit(&self, admission: Admission) -> Result<Submitted, Error> {
        let inner = Arc::clone(&self.inner);
        detached(async move { inner.submit(admission).await }).await
    }

    /// Stops what waits and runs in a session, or one run. Answers the runs that were stopped.
    ///
    /// # Errors
    /// When the store fails.
    ///
    /// # Cancel safety
    /// Goes on to its end when dropped.
    pub async fn abort(&self, key: SessionKey, run: Option<RunId>) -> Result<Vec<RunId>, Error> {
        let inner = Arc::clone(&self.inner);
        detached(async move { inner.abort(&key, run.as_ref(), Origin::Rpc).await }).await
    }

    /// The run that this process is running in a session.
    pub fn in_flight(&self, key: &SessionKey) -> Option<InFlight> {
        let live = self.inner.live().values().find(|live| live.key == *key).cloned();
        live.map(|live| live.in_flight())
    }

    /// Waits until a run has ended, for at most `patience`. Answers the turn as it is then.
    ///
    /// # Errors
    /// When there is no such run, or the store fails.
    pub async fn wait(&self, run: &RunId, patience: Duration) -> Result<Turn, Error> {
        self.inner.wait(run, patience).await
    }

    /// Adds a row to a transcript that belongs to no turn.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn append(&self, key: SessionKey, entry: NewEntry) -> Result<String, Error> {
        let inner = Arc::clone(&self.inner);
        detached(async move {
            let _order = inner.order(&key).await;
            let (session, entry) = inner.store.append(&key, entry).await?;
            inner.events.row(&entry, &session, inner.agents().as_deref());
            Ok(entry.row.id.to_string())
        })
        .await
    }

    /// Changes a session and says so.
    ///
    /// # Errors
    /// Those of the change.
    pub async fn change<T, F>(&self, key: SessionKey, reason: &'static str, change: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: AsyncFnOnce(&S) -> Result<(T, Option<SessionRecord>), Error>,
    {
        let inner = &self.inner;
        let _order = inner.order(&key).await;
        let (value, session) = change(&inner.store).await?;
        inner
            .events
            .changed(&key, session.as_ref(), inner.agents().as_deref(), reason, None);
        Ok(value)
    }

    /// Says that a row was added, with the session after it.
    pub(crate) fn announce_row(&self, entry: &crate::store::Entry, session: &SessionRecord) {
        self.inner
            .events
            .row(entry, session, self.inner.agents().as_deref());
    }

    /// Runs turns until the drain. `others_are_dead`: this process opened a store that only one process can open, so
    /// every other owner of a lease is dead.
    pub async fn run(self, drain: Drain, others_are_dead: bool) {
        let inner = self.inner;
        let mut dead = others_are_dead;
        let mut looked = None::<Instant>;
        loop {
            if drain.is_requested() {
                return;
            }
            if looked.is_none_or(|at| at.elapsed() >= IDLE_MAX) {
                match inner.reclaim(dead).await {
                    Ok(()) => {
                        dead = false;
                        looked = Some(Instant::now());
                    }
                    Err(error) => {
                        tracing::error!(error = %gatehouse_core::Chain(&error), "turns of dead processes could not be taken over");
                        pause(&drain, STORE_PAUSE).await;
                        continue;
                    }
                }
            }
            let wait = match inner.dispatch(&drain).await {
                Ok(Dispatch::Began) => continue,
                Ok(Dispatch::Idle(wait)) => wait,
                Err(error) => {
                    tracing::error!(error = %gatehouse_core::Chain(&error), "the next turn could not be taken");
                    STORE_PAUSE
                }
            };
            tokio::select! {
                () = drain.requested() => return,
                () = inner.wake.notified() => {}
                () = time::sleep(wait) => {}
            }
        }
    }
}

enum Dispatch {
    Began,
    Idle(Duration),
}

impl<S: Store> Inner<S> {
    pub(super) fn policy(&self) -> Option<Arc<Policy>> {
        self.policy.borrow().clone()
    }

    fn agents(&self) -> Option<Arc<crate::agents::Agents>> {
        self.policy().map(|policy| Arc::clone(&policy.agents))
    }

    fn live(&self) -> MutexGuard<'_, HashMap<RunId, Arc<Live>>> {
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

    async fn submit(&self, admission: Admission) -> Result<Submitted, Error> {
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

    async fn abort(
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
            if turn.state == crate::store::TurnState::Aborted || !turn.state.is_terminal() {
                stopped.push(run);
            }
        }
        Ok(stopped)
    }

    async fn wait(&self, run: &RunId, patience: Duration) -> Result<Turn, Error> {
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

    async fn reclaim(&self, others_are_dead: bool) -> Result<(), Error> {
        loop {
            let reclaimed = self
                .store
                .reclaim(Reclaim {
                    owner: self.owner.clone(),
                    others_are_dead,
                    notice: INTERRUPTED.to_owned(),
                    attempts_max: self.timing.takeovers_max,
                    now: self.clock.now_ms(),
                })
                .await?;
            if reclaimed.queued.is_empty() && reclaimed.ended.is_empty() {
                return Ok(());
            }
            for run in &reclaimed.queued {
                tracing::warn!(run = %run, "a turn of a dead process is run again: nothing of it was seen");
            }
            for ended in &reclaimed.ended {
                tracing::warn!(run = %ended.turn.run, state = ended.turn.state.word(), "a turn of a dead process was closed");
                let _order = self.order(&ended.turn.key).await;
                self.settle(ended, None, seq_before(ended.turn.attempt));
            }
        }
    }

    async fn dispatch(self: &Arc<Self>, drain: &Drain) -> Result<Dispatch, Error> {
        let Some(policy) = self.policy() else {
            return Ok(Dispatch::Idle(STORE_PAUSE));
        };
        if self.live().len() >= policy.concurrent_max {
            return Ok(Dispatch::Idle(IDLE_MAX)); // the end of a run wakes the dispatcher
        }
        let now = self.clock.now_ms();
        let Some(Claimed { turn, merged }) = self.store.claim(&self.owner, now, self.lease_until()).await?
        else {
            let due = self.store.next_due(now).await?;
            let wait = due.map_or(IDLE_MAX, |due| {
                Duration::from_millis(u64::try_from(due - now).unwrap_or(0))
            });
            return Ok(Dispatch::Idle(wait.min(IDLE_MAX)));
        };
        let live = Arc::new(Live::new(turn.run.clone(), turn.key.clone(), turn.attempt, now));
        self.live().insert(turn.run.clone(), Arc::clone(&live));
        if !merged.is_empty() {
            let _order = self.order(&turn.key).await;
            for ended in &merged {
                self.settle(ended, None, seq_before(ended.turn.attempt));
            }
        }
        drain.spawn("turn", run::run(Arc::clone(self), turn, live, drain.clone()));
        Ok(Dispatch::Began)
    }
}

async fn pause(drain: &Drain, time: Duration) {
    tokio::select! {
        () = drain.requested() => {}
        () = time::sleep(time) => {}
    }
}

/// Runs a future to its end even when the caller goes away.
async fn detached<T: Send + 'static>(
    future: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    match tokio::spawn(future).await {
        Ok(result) => result,
        Err(cause) => Err(Error::Start {
            step: "a task of the engine",
            cause: Box::new(cause),
        }),
    }
}
