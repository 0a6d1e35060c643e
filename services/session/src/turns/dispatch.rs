//! Finding turns that wait: those that no slot was free for, whose session was busy, whose time has not come, or that a dead
//! process left behind. While nothing waits and nobody else has the store open, nothing is done.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use gatehouse_core::Chain;
use tokio::sync::watch;
use tokio::time::{self, Instant};

use super::backlog::Backlog;
use super::live::seq_before;
use super::missed::Missed;
use super::order::Order;
use super::outcome::INTERRUPTED;
use super::runs::Runs;
use super::settle::Settle;
use super::shared::Shared;
use super::workers::Workers;
use super::{Outlook, Reclaim};
use crate::error::Error;
use crate::store::SessionFilter;
use crate::viewer::Viewer;

/// Turns that are leased in one commit at most: as many as run at the same time unless configured otherwise.
const TOGETHER_MAX: usize = 16;
/// How long it waits after the store failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// How far back the last moments of the last process reach, in milliseconds: longer than its events wait for a broadcast
/// that is away.
const LAST_MOMENTS: Duration = Duration::from_secs(60);
/// Sessions whose state is said anew after a restart; the screens read everything anyway.
const CATCH_UP_MAX: u32 = 100;

/// What became of a look for turns that are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    Some,
    NothingDue,
    NoSlot,
}

#[derive(Debug)]
pub(super) struct Dispatch {
    pub(super) shared: Shared,
    pub(super) order: Arc<Order>,
    pub(super) runs: Arc<Runs>,
    pub(super) backlog: Arc<Backlog>,
    pub(super) settle: Arc<Settle>,
    pub(super) workers: Workers,
    pub(super) caught_up: watch::Sender<bool>,
    pub(super) missed: Arc<Missed>,
}

impl Dispatch {
    /// Begins turns until the drain.
    pub(super) async fn run(&self) {
        let mut dead = self.shared.stores.sharing.is_exclusive();
        let mut policies = self.shared.policies.clone();
        let mut waiting_turns = self.shared.signals.waiting_turns();
        let mut look_at = Some(Instant::now());
        // One turn is asked for after a quiet time, and more while there are more.
        let mut together = 1;
        while !self.shared.drain.is_requested() {
            if look_at.is_some_and(|at| at <= Instant::now()) {
                let taken_over = match self.reclaim(dead).await {
                    Ok(()) if dead => self.catch_up().await,
                    taken_over => taken_over,
                };
                if let Err(error) = taken_over {
                    tracing::error!(error = %Chain(&error), "turns of dead processes could not be taken over");
                    self.pause().await;
                    continue;
                }
                dead = false;
                self.caught_up.send_replace(true);
                look_at = Some(Instant::now() + self.shared.timing.look);
            }
            policies.mark_unchanged();
            let freed = self.backlog.count_freed();
            let next = match self.begin_due(together).await {
                Ok(Begun::Some) => {
                    together = (together * 2).min(TOGETHER_MAX);
                    continue;
                }
                Ok(Begun::NothingDue) => self.sleep(freed, &mut look_at).await,
                Ok(Begun::NoSlot) => {
                    // Whoever gives a slot back takes what waits, or wakes the dispatcher.
                    self.backlog.seen_waiting(freed);
                    Ok(look_at)
                }
                Err(error) => Err(error),
            };
            let until = match next {
                Ok(until) => until,
                Err(error) => {
                    tracing::error!(error = %Chain(&error), "the next turn could not be taken");
                    self.pause().await;
                    continue;
                }
            };
            together = 1;
            tokio::select! {
                () = self.shared.drain.requested() => return,
                () = self.backlog.changed() => {}
                () = waiting_turns.heard() => {}
                // More may be allowed to run at the same time.
                Ok(()) = policies.changed() => {}
                () = sleep_until(until) => {}
            }
        }
    }

    /// Until when nothing is to be done unless somebody says so.
    async fn sleep(&self, freed: u64, look_at: &mut Option<Instant>) -> Result<Option<Instant>, Error> {
        self.backlog.looking();
        let now = self.shared.clock.now();
        let outlook = self.shared.stores.turns.outlook(self.runs.held(), now).await?;
        let Outlook {
            waiting,
            next_due,
            leased_elsewhere,
        } = outlook;
        if waiting {
            self.backlog.seen_waiting(freed);
        }
        let look = self.shared.timing.look;
        let next_look = leased_elsewhere.then_some(look).or(self.shared.untold_after());
        *look_at = next_look.map(|wait| look_at.unwrap_or_else(|| Instant::now() + wait));
        // Times of day are looked at again after a while: the clock may be set.
        let due = next_due.map(|due| Instant::now() + due.since(now).min(look));
        Ok(due.into_iter().chain(*look_at).min())
    }

    /// Leases what is due and runs it: at most `together` turns, which share one commit.
    async fn begin_due(&self, together: usize) -> Result<Begun, Error> {
        let Some(policy) = self.shared.policy() else {
            return Ok(Begun::NoSlot); // the first revision wakes the dispatcher
        };
        let slots = self.runs.slots(together, policy.concurrent_max);
        if slots.is_empty() {
            return Ok(Begun::NoSlot);
        }
        let now = self.shared.clock.now();
        let claims = slots.into_iter().map(async |slot| {
            let claimed = self.shared.stores.turns.claim(self.shared.lease(), now).await;
            if let Ok(Some(claimed)) = claimed {
                return Ok(Some((slot, claimed)));
            }
            slot.put_back();
            claimed.map(|_| None)
        });
        let (mut begun, mut failed) = (Begun::NothingDue, None);
        // Each turn that was leased is begun, whatever became of the others.
        for claimed in join_all(claims).await {
            match claimed {
                Ok(Some((slot, claimed))) => {
                    self.workers.begin(slot, claimed);
                    begun = Begun::Some;
                }
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(begun), Err)
    }

    /// What the last process stored in its last moments it may never have said: the end of a run above all. If there was
    /// anything, the screens are told to read their state anew. A second end is never said for it.
    async fn catch_up(&self) -> Result<(), Error> {
        let since = Some(self.shared.clock.now() - LAST_MOMENTS);
        let filter = SessionFilter {
            since,
            viewer: Viewer::Owner,
            limit: CATCH_UP_MAX,
            ..SessionFilter::default()
        };
        let recent = self.shared.stores.sessions.list(filter).await?.sessions;
        let (events, agents) = (&self.shared.events, self.shared.agents());
        for session in recent.iter().filter(|session| session.last_run.is_some()) {
            events.say_lost();
            events.changed(
                &session.key,
                Some(session),
                agents.as_deref(),
                "restart",
                session.last_run.as_ref(),
            );
        }
        Ok(())
    }

    async fn reclaim(&self, others_are_dead: bool) -> Result<(), Error> {
        loop {
            let lease = self.shared.lease();
            let reclaim = Reclaim {
                owner: lease.owner,
                others_are_dead,
                held: self.runs.held(),
                notice: INTERRUPTED,
                limits: self.shared.timing.limits,
                now: self.shared.clock.now(),
                lease_until: lease.until,
            };
            let reclaimed = self.shared.stores.turns.reclaim(reclaim).await?;
            if reclaimed.queued.is_empty() && reclaimed.ended.is_empty() {
                return Ok(());
            }
            for run in &reclaimed.queued {
                tracing::warn!(run.id = %run, "a turn of a dead process is run again");
                self.shared.metrics.run_again.inc();
            }
            for ended in &reclaimed.ended {
                tracing::warn!(run.id = %ended.turn.run, state = ended.turn.state.word(), "a turn of a dead process was closed");
                let _order = self.order.of(&ended.turn.key).await;
                self.settle.settle(ended, None, seq_before(ended.turn.attempt));
                self.missed.remember(ended);
            }
        }
    }

    async fn pause(&self) {
        tokio::select! {
            () = self.shared.drain.requested() => {}
            () = time::sleep(STORE_PAUSE) => {}
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
