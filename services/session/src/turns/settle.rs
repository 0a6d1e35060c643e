//! The end of a turn, said once to everybody: screens, whoever waits for it, the deliveries, and the dispatcher.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{self, Instant};

use super::announce::announce;
use super::backlog::Backlog;
use super::order::Order;
use super::runs::Runs;
use super::shared::Shared;
use super::{Ended, Turn, tally};
use crate::error::Error;
use crate::id::RunId;

#[derive(Debug)]
pub(super) struct Settle {
    shared: Shared,
    order: Arc<Order>,
    runs: Arc<Runs>,
    backlog: Arc<Backlog>,
    replies: Arc<Notify>,
    waiters: Mutex<HashMap<RunId, Vec<oneshot::Sender<Turn>>>>,
}

impl Settle {
    pub(super) fn new(
        shared: Shared,
        order: Arc<Order>,
        runs: Arc<Runs>,
        backlog: Arc<Backlog>,
        replies: Arc<Notify>,
    ) -> Self {
        Self {
            shared,
            order,
            runs,
            backlog,
            replies,
            waiters: Mutex::default(),
        }
    }

    /// Says the end of a turn and tells everybody who waits for it. Called under the session's place in the order.
    pub(super) fn settle(&self, ended: &Ended, error_kind: Option<&str>, seq: i64) {
        let turn = &ended.turn;
        debug_assert!(turn.state.is_terminal(), "S2: only an end is said");
        let live = self.runs.remove(&turn.run);
        if let Some(live) = &live {
            live.ended.set(turn.state, error_kind);
        }
        let agents = self.shared.agents();
        let said = live.as_ref().map(|live| live.said()).unwrap_or_default();
        announce(
            &self.shared.events,
            ended,
            agents.as_deref(),
            error_kind,
            seq,
            &said,
        );
        tally::ended(&self.shared.metrics, ended, live.as_deref());
        self.shared.signals.run_changed(&turn.run);
        for waiter in self.waiters().remove(&turn.run).unwrap_or_default() {
            let _gone = waiter.send(turn.clone());
        }
        if turn.target.is_some() {
            self.replies.notify_one();
        }
        self.backlog.freed();
        if self.shared.drain.is_requested() {
            self.shared.signals.turn_waits(); // if one does, it is not begun here any more
        }
    }

    /// Waits until a run has ended and that is said, for at most `patience`. Answers the turn as it is then. Never called under a session's place
    /// in the order.
    pub(super) async fn wait(&self, run: &RunId, patience: Duration) -> Result<Turn, Error> {
        let deadline = Instant::now() + patience;
        let mut changes = self.shared.signals.changes_of(run);
        loop {
            let waiting = self.waiting(run); // before the look, as the changes are, so that no end falls between
            let found = self.shared.stores.turns.find(run).await?;
            let turn = found.ok_or_else(|| Error::NoRun(run.to_string()))?;
            if turn.state.is_terminal() {
                // Stored, and perhaps not said yet: whoever stored it keeps the session's place until it is.
                drop(self.order.of(&turn.key).await);
                return Ok(turn);
            }
            if Instant::now() >= deadline {
                return Ok(turn);
            }
            let untold = self.shared.untold_after().map(|after| Instant::now() + after);
            tokio::select! {
                ended = waiting.ended() => return Ok(ended),
                () = changes.heard() => {}
                () = time::sleep_until(untold.map_or(deadline, |untold| deadline.min(untold))) => {}
            }
        }
    }

    fn waiters(&self) -> MutexGuard<'_, HashMap<RunId, Vec<oneshot::Sender<Turn>>>> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self, run: &RunId) -> Waiting<'_> {
        let (sender, ended) = oneshot::channel();
        self.waiters().entry(run.clone()).or_default().push(sender);
        Waiting {
            settle: self,
            run: run.clone(),
            ended,
        }
    }
}

/// Somebody who waits. There are as many as callers may wait: the server's bound.
struct Waiting<'a> {
    settle: &'a Settle,
    run: RunId,
    ended: oneshot::Receiver<Turn>,
}

impl Waiting<'_> {
    async fn ended(mut self) -> Turn {
        match (&mut self.ended).await {
            Ok(turn) => turn,
            Err(_) => std::future::pending().await, // the sender is only dropped with its answer
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.ended.close();
        let mut waiters = self.settle.waiters();
        if let Some(of_run) = waiters.get_mut(&self.run) {
            of_run.retain(|waiter| !waiter.is_closed());
            if of_run.is_empty() {
                waiters.remove(&self.run);
            }
        }
    }
}
