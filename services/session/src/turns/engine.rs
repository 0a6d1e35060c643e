//! The one door of this module.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use gatehouse_core::client::PeerService;
use gatehouse_core::drain::plan;
use gatehouse_core::publish::{self, Publisher};
use gatehouse_core::{Caller, Clock, Drain, Timestamp};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tonic::Response;

use super::admission::{Intake, Submitted};
use super::announce::announce_to;
use super::backlog::Backlog;
use super::dispatch::Dispatch;
use super::events::Events;
use super::live::{InFlight, seq_before};
use super::missed::{Listener, Missed};
use super::order::Order;
use super::progress::Reader;
use super::runs::Runs;
use super::settle::Settle;
use super::shared::Shared;
use super::signals::Signals;
use super::taps::Tap;
use super::workers::Workers;
use super::{Admission, GatewayAnswer, Origin, Timing, Turn};
use crate::deliveries::Target;
use crate::error::Error;
use crate::id::{Owner, RunId, SessionId};
use crate::key::SessionKey;
use crate::media::Media;
use crate::metrics::Metrics;
use crate::policy::Policy;
use crate::sessions::Kept;
use crate::store::{Entry, NewEntry, SessionRecord, Stores};
use crate::workspace::Workspaces;

/// How often old sessions are looked for in one go: with some in each, ten thousand of them, and then something else has its turn.
const SURPLUS_ROUNDS: usize = 100;

/// What an engine is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) stores: Stores,
    pub(crate) media: Media,
    pub(crate) agent: PeerService,
    /// The way to the screens.
    pub(crate) publisher: Publisher,
    /// What holds at the moment; `None` until the first revision has come.
    pub(crate) policy: watch::Receiver<Option<Arc<Policy>>>,
    /// The time of day.
    pub(crate) clock: Clock,
    pub(crate) timing: Timing,
    /// Told when a reply waits for its delivery.
    pub(crate) replies: Arc<Notify>,
    pub(crate) metrics: Metrics,
    /// The end of the process: from then on nothing new is taken or begun.
    pub(crate) drain: Drain,
    /// The files of agents.
    pub(crate) workspaces: Workspaces,
}

/// The handle of the engine. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    shared: Shared,
    pub(super) order: Arc<Order>,
    runs: Arc<Runs>,
    settle: Arc<Settle>,
    intake: Arc<Intake>,
    dispatch: Arc<Dispatch>,
    missed: Arc<Missed>,
}

impl Engine {
    /// Puts it together; nothing runs yet.
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts {
            stores,
            media,
            agent,
            publisher,
            policy,
            clock,
            timing,
            replies,
            metrics,
            drain,
            workspaces,
        } = parts;
        let shared = Shared {
            signals: Signals::of(&stores.sharing),
            stores,
            events: Events::new(publisher, media.links().clone(), clock.clone()),
            media,
            policies: policy,
            clock,
            timing,
            owner: Owner::generate(),
            metrics,
            drain,
            workspaces,
            heartbeats: Arc::new(AtomicBool::new(true)),
        };
        let order = Arc::new(Order::new());
        let backlog = Arc::new(Backlog::new());
        let runs = Arc::new(Runs::new(Arc::clone(&backlog)));
        let settle = Arc::new(Settle::new(
            shared.clone(),
            Arc::clone(&order),
            Arc::clone(&runs),
            Arc::clone(&backlog),
            replies,
        ));
        let workers = Workers::new(
            shared.clone(),
            Arc::clone(&order),
            Arc::clone(&runs),
            Arc::clone(&settle),
            agent,
        );
        let (caught_up, is_caught_up) = watch::channel(false);
        let missed = Arc::new(Missed::default());
        Self {
            intake: Arc::new(Intake {
                shared: shared.clone(),
                order: Arc::clone(&order),
                runs: Arc::clone(&runs),
                backlog: Arc::clone(&backlog),
                settle: Arc::clone(&settle),
                workers: workers.clone(),
                caught_up: is_caught_up,
            }),
            dispatch: Arc::new(Dispatch {
                shared: shared.clone(),
                order: Arc::clone(&order),
                runs: Arc::clone(&runs),
                backlog,
                settle: Arc::clone(&settle),
                workers,
                caught_up,
                missed: Arc::clone(&missed),
            }),
            missed,
            shared,
            order,
            runs,
            settle,
        }
    }

    /// What holds at the moment.
    ///
    /// # Errors
    /// When no configuration has come yet.
    pub(crate) fn policy(&self) -> Result<Arc<Policy>, Error> {
        self.shared.policy().ok_or(Error::NotReady)
    }

    pub(crate) fn stores(&self) -> &Stores {
        &self.shared.stores
    }

    /// The time of day.
    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// Takes a message. When this answers, the message and its turn are stored. Waits for [`Engine::run`] to have looked
    /// at what the last process left behind.
    ///
    /// # Errors
    /// Those of [`Turns::admit`](super::Turns::admit), and that the process is still starting or about to end.
    ///
    /// # Cancel safety
    /// Goes on to its end when dropped: a message that is stored is also announced.
    pub(crate) async fn submit(&self, admission: Admission) -> Result<Submitted, Error> {
        let intake = Arc::clone(&self.intake);
        detached(async move { intake.submit(admission).await }).await
    }

    /// A client is about to say something: it is told more of the run that it begins, and of the one under way in the session. Answers
    /// whether nobody followed the run before.
    pub(crate) fn follow(&self, key: &SessionKey, run: &RunId, caller: &Caller) -> bool {
        let followers = &self.shared.events.followers;
        if let Some(under_way) = self.runs.of_session(key) {
            followers.join(&under_way, caller);
        }
        followers.begin(run, caller)
    }

    /// Reads what a run writes, from now on. `takes_back`: the reader can forget what was said.
    pub(crate) fn tap(&self, run: &RunId, takes_back: bool) -> Tap {
        self.shared.events.taps.open(run, takes_back)
    }

    /// How many programs read a run.
    pub(crate) fn readers(&self, run: &RunId) -> usize {
        self.shared.events.taps.readers(run)
    }

    /// Whether nothing new is taken because the process is about to end.
    pub(crate) fn is_stopping(&self) -> bool {
        self.shared.drain.is_requested()
    }

    /// An answer that a client hears behind what was said so far: who stopped a run has seen its end by then.
    pub(crate) async fn behind_events<T>(&self, message: T) -> Response<T> {
        let mut answer = Response::new(message);
        publish::say_after(&mut answer, self.shared.events.reached().await);
        answer
    }

    /// A client is about to be told that its message was taken. `is_over`: the run has ended already, or there is none.
    pub(crate) fn answered(&self, run: &RunId, is_over: bool) {
        let followers = &self.shared.events.followers;
        if is_over {
            followers.forget(run);
        } else {
            followers.screen(run, |screen| screen.answered = Some(Instant::now()));
        }
    }

    /// Takes a message together with the gateway's answer to it. When this answers, both are stored and said.
    ///
    /// # Errors
    /// Those of [`Turns::answer`](super::Turns::answer), and that the process is still starting or about to end.
    ///
    /// # Cancel safety
    /// Goes on to its end when dropped.
    pub(crate) async fn answer(
        &self,
        admission: Admission,
        answer: GatewayAnswer,
    ) -> Result<Submitted, Error> {
        let intake = Arc::clone(&self.intake);
        detached(async move { intake.answer(admission, answer).await }).await
    }

    /// The files of agents.
    pub(crate) fn workspaces(&self) -> &Workspaces {
        &self.shared.workspaces
    }

    /// Whether heartbeats are switched on: until the next start.
    pub(crate) fn heartbeats(&self) -> &AtomicBool {
        &self.shared.heartbeats
    }

    /// The media of conversations.
    pub(crate) fn media(&self) -> &Media {
        &self.shared.media
    }

    /// Stops what waits and runs in a session, or one run. Answers the runs that were stopped.
    ///
    /// # Errors
    /// When the store fails.
    ///
    /// # Cancel safety
    /// Goes on to its end when dropped.
    pub(crate) async fn abort(&self, key: SessionKey, run: Option<RunId>) -> Result<Vec<RunId>, Error> {
        let intake = Arc::clone(&self.intake);
        detached(async move { intake.abort(&key, run.as_ref(), Origin::Rpc).await }).await
    }

    /// Stops what waits and runs in a session and is to be answered in this chat.
    ///
    /// # Errors
    /// When the store fails.
    ///
    /// # Cancel safety
    /// Goes on to its end when dropped.
    pub(crate) async fn abort_in_chat(&self, key: SessionKey, chat: Target) -> Result<Vec<RunId>, Error> {
        let intake = Arc::clone(&self.intake);
        detached(async move { intake.abort_in_chat(&key, &chat, Origin::Rpc).await }).await
    }

    /// The run that this process is running in a session.
    pub(crate) fn in_flight(&self, key: &SessionKey) -> Option<InFlight> {
        self.runs.in_flight(key)
    }

    /// Reads along while a run writes. `lasting`: what is read stays somewhere, so the run is never begun anew afterwards.
    pub(crate) fn read_along(&self, run: RunId, lasting: bool) -> Reader {
        Reader::new(self.shared.clone(), Arc::clone(&self.runs), run, lasting)
    }

    /// Waits until a run has ended, for at most `patience`. Answers the turn as it is then.
    ///
    /// # Errors
    /// When there is no such run, or the store fails.
    pub(crate) async fn wait(&self, run: &RunId, patience: Duration) -> Result<Turn, Error> {
        self.settle.wait(run, patience).await
    }

    /// Adds a row to a transcript that belongs to no turn.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn append(&self, key: SessionKey, entry: NewEntry) -> Result<String, Error> {
        let engine = self.clone();
        detached(async move {
            let _order = engine.order.of(&key).await;
            let (session, entry) = engine.stores().transcripts.append(&key, entry).await?;
            engine.announce_row(&entry, &session);
            Ok(entry.row.id.to_string())
        })
        .await
    }

    /// Whether something can be added to a session: an agent's main session is always there.
    ///
    /// # Errors
    /// When there is no such session, and when the store fails.
    pub(crate) async fn check_there(&self, key: &SessionKey) -> Result<(), Error> {
        if key.is_main() || self.stores().sessions.find(key).await?.is_some() {
            return Ok(());
        }
        Err(Error::NoSession(key.clone()))
    }

    /// Changes a session and says so. The change is begun when it is this one's turn in the session's order.
    ///
    /// # Errors
    /// Those of the change.
    pub(crate) async fn change<T>(
        &self,
        key: SessionKey,
        reason: &'static str,
        change: impl Future<Output = Result<(T, Option<SessionRecord>), Error>>,
    ) -> Result<T, Error> {
        let _order = self.order.of(&key).await;
        let (value, session) = change.await?;
        let agents = self.shared.agents();
        self.shared
            .events
            .changed(&key, session.as_ref(), agents.as_deref(), reason, None);
        Ok(value)
    }

    /// Deletes a session and says so to those who heard of it while it was there.
    ///
    /// # Errors
    /// When the session is no longer the one that was looked at, or the store fails.
    pub(crate) async fn delete(
        &self,
        session: &SessionRecord,
        looked_at: Option<SessionId>,
    ) -> Result<bool, Error> {
        let key = &session.key;
        let _order = self.order.of(key).await;
        let deleted = self.stores().sessions.delete(key, looked_at).await?;
        self.shared.events.gone(session);
        Ok(deleted)
    }

    /// Forgets the sessions that are not kept any longer. One that is busy is looked at again the next time.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) async fn forget_expired(&self) -> Result<usize, Error> {
        let expired = self.stores().sessions.expired(self.now()).await?;
        for session in &expired {
            match self.delete(session, Some(session.session_id.clone())).await {
                Ok(_) | Err(Error::StillStopping(_) | Error::SessionMoved(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(expired.len())
    }

    /// Forgets sessions as the configuration says: how many.
    pub(crate) async fn forget_surplus(&self) -> Result<usize, Error> {
        let policy = self.policy()?;
        let kept = Kept {
            since: policy.prune_after_ms.map(|ms| self.now().plus_ms(-ms)),
            sessions_max: policy.sessions_max,
            bytes_max: policy.disk_bytes_max,
        };
        let mut forgotten = 0;
        if kept == Kept::default() {
            return Ok(0);
        }
        for _ in 0..SURPLUS_ROUNDS {
            let before = forgotten;
            for session in self.stores().sessions.surplus(kept.clone()).await? {
                match self.delete(&session, Some(session.session_id.clone())).await {
                    Ok(gone) => forgotten += usize::from(gone),
                    Err(Error::StillStopping(_) | Error::SessionMoved(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            if forgotten == before {
                break;
            }
        }
        Ok(forgotten)
    }

    /// Says that a row was added, with the session after it.
    pub(crate) fn announce_row(&self, entry: &Entry, session: &SessionRecord) {
        let agents = self.shared.agents();
        self.shared.events.row(entry, session, agents.as_deref());
    }

    /// Tells a client that came back the ends of runs that it missed, because its connection died with the process that ran them.
    pub(crate) fn tell_missed(&self, key: &SessionKey, listener: &Listener) {
        for ended in self.missed.take(key, listener, self.now()) {
            let seq = seq_before(ended.turn.attempt) + 2; // the number under which it was said
            announce_to(&self.shared.events, &ended, seq, &listener.connection);
        }
    }

    /// How many runs are under way.
    pub(crate) fn running(&self) -> usize {
        self.runs.count()
    }

    /// How long runs may go on after the process was asked to end.
    pub(crate) fn drain_limit(&self) -> Duration {
        self.shared.drain_limit()
    }

    /// Runs turns until the drain, and then waits until those that run have ended; the drain's limit makes them.
    pub(crate) async fn run(self) {
        self.dispatch.run().await;
        let limit = self.shared.drain_limit() + plan::CUT_SHORT;
        if !self.runs.finish(limit).await {
            tracing::error!("turns are left to the next process: their ends could not be stored");
        }
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
