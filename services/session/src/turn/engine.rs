//! Takes messages, hands turns to runs, stops them, and picks up what dead processes left behind.

use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::client::PeerService;
use gatehouse_core::drain::plan;
use gatehouse_core::publish::Publisher;
use gatehouse_core::{Clock, Drain};
use tokio::sync::{Notify, watch};
use tokio::time::{self, Instant};

use super::inner::{Dispatch, IDLE_MAX, Inner, STORE_PAUSE, TOGETHER_MAX};
use super::live::InFlight;
use crate::error::Error;
use crate::id::RunId;
use crate::key::SessionKey;
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::store::{Admission, Entry, NewEntry, Origin, RunLimits, SessionRecord, Store, Turn};

/// Times of the engine. Tests shorten them.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// How long a lease holds without being renewed.
    pub lease: Duration,
    /// How often it is renewed: three times within a lease, so one lost renewal costs nothing.
    pub renew: Duration,
    /// How often it is looked whether another process left something.
    pub look: Duration,
    /// The first pause before the agent service is asked again; it doubles up to a bound.
    pub retry: Duration,
    /// How often the agent service is asked for one turn before it fails.
    pub attempts_max: u32,
    /// How often a turn is taken up.
    pub limits: RunLimits,
    /// How long a run may go on after the process was asked to end. `None`: as long as the configuration says.
    pub drain: Option<Duration>,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(15),
            renew: Duration::from_secs(5),
            look: IDLE_MAX,
            retry: Duration::from_millis(250),
            // The pauses between them are 18 s in all: longer than a supervisor waits before it starts a service again.
            attempts_max: 8,
            limits: RunLimits {
                attempts_max: 3,
                shown_max: 2, // a text that people have read is replaced once
            },
            drain: None,
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
    /// The end of the process: from then on nothing new is taken or begun.
    pub drain: Drain,
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

impl<S: Store> Engine<S> {
    /// Puts it together; nothing runs yet.
    pub fn new(parts: Parts<S>) -> Self {
        Self {
            inner: Arc::new(Inner::new(parts)),
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

    /// Takes a message. When this answers, the message and its turn are stored. Waits for [`Engine::run`] to have looked
    /// at what the last process left behind.
    ///
    /// # Errors
    /// Those of [`Store::admit`], and that the process is still starting or about to end.
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
    pub(crate) fn announce_row(&self, entry: &Entry, session: &SessionRecord) {
        self.inner
            .events
            .row(entry, session, self.inner.agents().as_deref());
    }

    /// How many runs are under way.
    pub fn running(&self) -> usize {
        self.inner.live().len()
    }

    /// How long runs may go on after the process was asked to end.
    pub fn drain_limit(&self) -> Duration {
        self.inner.drain_limit()
    }

    /// Runs turns until the drain, and then waits until those that run have ended; the drain's limit makes them.
    /// `others_are_dead`: this process opened a store that only one process can open, so every other owner of a lease is dead.
    pub async fn run(self, others_are_dead: bool) {
        self.begin_turns(others_are_dead).await;
        let limit = self.inner.drain_limit() + plan::CUT_SHORT;
        if !self.inner.runs.finish(limit).await {
            tracing::error!("turns are left to the next process: their ends could not be stored");
        }
    }

    async fn begin_turns(&self, others_are_dead: bool) {
        let inner = &self.inner;
        let drain = inner.drain.clone();
        let mut dead = others_are_dead;
        let mut looked = None::<Instant>;
        // One turn is asked for after a quiet time, and more while there are more.
        let mut together = 1;
        loop {
            if drain.is_requested() {
                return;
            }
            if looked.is_none_or(|at| at.elapsed() >= inner.timing.look) {
                let taken_over = match inner.reclaim(dead).await {
                    Ok(()) if dead => inner.catch_up().await,
                    taken_over => taken_over,
                };
                match taken_over {
                    Ok(()) => {
                        dead = false;
                        inner.caught_up.send_replace(true);
                        looked = Some(Instant::now());
                    }
                    Err(error) => {
                        tracing::error!(error = %gatehouse_core::Chain(&error), "turns of dead processes could not be taken over");
                        pause(&drain, STORE_PAUSE).await;
                        continue;
                    }
                }
            }
            let wait = match inner.dispatch(together).await {
                Ok(Dispatch::Began) => {
                    together = (together * 2).min(TOGETHER_MAX);
                    continue;
                }
                Ok(Dispatch::Idle(wait)) => wait,
                Err(error) => {
                    tracing::error!(error = %gatehouse_core::Chain(&error), "the next turn could not be taken");
                    STORE_PAUSE
                }
            };
            together = 1;
            tokio::select! {
                () = drain.requested() => return,
                () = inner.wake.notified() => {}
                () = time::sleep(wait.min(inner.timing.look)) => {}
            }
        }
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
        Err(cause) => Err(Error::Engine(cause)),
    }
}
