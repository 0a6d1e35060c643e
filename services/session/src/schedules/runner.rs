//! The clock's hand: sleeps until the next slot, has it decided about, and makes turns of what was claimed. While no job is due nothing
//! is done but one look at an index in half a minute, because the time of day may be set.

mod beats;
mod clock;
mod fire;
mod taken;
mod target;

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use gatehouse_core::publish::Publisher;
use gatehouse_core::{Chain, Clock, Drain, Timestamp};
use tokio::sync::{Notify, watch};
use tokio::time::{self, Instant};

use self::clock::Seen;
use super::events::{Change, Events};
use super::planner::host_zone;
use super::posts::Sender;
use super::{Claim, EndedRun, Job, JobChange, JobId, NewJob, Planned, Replaced, RunNow, Schedules, SlotRow};
use crate::error::Error;
use crate::policy::Policy;
use crate::turns::Engine;

/// How long it sleeps at most: the clock may be set, or the machine may have slept.
const LOOK: Duration = Duration::from_secs(30);
/// How long it waits after the store failed, or after a turn could not be made for now.
const PAUSE: Duration = Duration::from_secs(1);
/// Turns that are made at the same time: they share the store's commits.
const TOGETHER: usize = 16;

/// The handle of the scheduler. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Runner {
    engine: Engine,
    store: Arc<dyn Schedules>,
    events: Events,
    policies: watch::Receiver<Option<Arc<Policy>>>,
    /// Told when a reply waits for its delivery.
    replies: Arc<Notify>,
    /// Told when something may be due earlier than was known.
    changed: Arc<Notify>,
    /// Told when a program is to be told something.
    posts: Arc<Notify>,
    /// Told when a slot came to its end.
    ends: watch::Sender<()>,
    drain: Drain,
}

/// What came of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Looked {
    /// There may be more to do at once.
    More,
    /// Something could not be done for now.
    Later,
    /// Until then there is nothing to do.
    Until(Option<Timestamp>),
}

impl Runner {
    pub(crate) fn new(
        engine: Engine,
        publisher: Publisher,
        policies: watch::Receiver<Option<Arc<Policy>>>,
        replies: Arc<Notify>,
        drain: Drain,
    ) -> Self {
        Self {
            store: Arc::clone(&engine.stores().schedules),
            engine,
            events: Events::new(publisher),
            policies,
            replies,
            changed: Arc::default(),
            posts: Arc::default(),
            ends: watch::Sender::new(()),
            drain,
        }
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Who tells programs of runs.
    pub(crate) fn sender(&self, clock: Clock) -> Sender {
        Sender {
            store: Arc::clone(&self.store),
            policies: self.policies.clone(),
            clock,
            waits: Arc::clone(&self.posts),
        }
    }

    pub(super) fn store(&self) -> &dyn Schedules {
        &*self.store
    }

    pub(super) async fn add(&self, new: NewJob) -> Result<Job, Error> {
        let (job, _) = self.store.add_job(new).await?;
        self.events.changed(&job, Change::Added);
        self.changed.notify_one();
        Ok(job)
    }

    /// Changes a job. `None`: somebody else did meanwhile.
    pub(super) async fn replace(&self, change: JobChange) -> Result<Option<Job>, Error> {
        let id = change.id.clone();
        match self.store.replace_job(change).await? {
            Replaced::Done(job, planned) => {
                self.say_ended(&planned);
                self.events.changed(&job, Change::Updated);
                self.changed.notify_one();
                Ok(Some(*job))
            }
            Replaced::Stale => Ok(None),
            Replaced::Gone => Err(Error::NoJob(id.to_string())),
        }
    }

    pub(super) async fn remove(&self, id: &JobId) -> Result<(), Error> {
        let removed = self.store.remove_job(id, self.engine.now()).await?;
        let (job, planned) = removed.ok_or_else(|| Error::NoJob(id.to_string()))?;
        self.say_ended(&planned);
        self.events.changed(&job, Change::Removed);
        Ok(())
    }

    pub(super) async fn run_now(&self, id: &JobId) -> Result<RunNow, Error> {
        let claimed = self.store.claim_by_hand(id, self.engine.now()).await?;
        self.changed.notify_one();
        claimed.ok_or_else(|| Error::NoJob(id.to_string()))
    }

    /// Fires what is due until the drain.
    pub(crate) async fn run(self) {
        let mut policies = self.policies.clone();
        let mut clock = Seen::now(self.engine.now());
        self.take_over().await;
        let mut kept: Option<Arc<Policy>> = None;
        while !self.drain.is_requested() {
            let now = self.engine.now();
            self.look_at_the_clock(&mut clock, now).await;
            policies.mark_unchanged();
            let looked = match self.engine.policy() {
                Ok(policy) => {
                    if !kept.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, &policy)) {
                        match self.keep_beats(&policy).await {
                            Ok(()) => kept = Some(Arc::clone(&policy)),
                            Err(error) => {
                                tracing::error!(error = %Chain(&error), "the jobs of heartbeats could not be brought in line with the configuration");
                            }
                        }
                    }
                    self.look(&policy, now).await
                }
                Err(_) => Ok(Looked::Until(None)), // the first revision wakes it
            };
            let wait = match looked {
                Ok(Looked::More) => continue,
                Ok(Looked::Later) => Some(PAUSE),
                Ok(Looked::Until(due)) => due.map(|due| due.since(self.engine.now()).min(LOOK)),
                Err(error) => {
                    tracing::error!(error = %Chain(&error), "what is due could not be looked at");
                    Some(PAUSE)
                }
            };
            tokio::select! {
                () = self.drain.requested() => return,
                () = self.changed.notified() => {}
                Ok(()) = policies.changed() => {}
                () = sleep(wait) => {}
            }
        }
    }

    /// What the last process left behind: its runs end in this one, and slots that wait for a time that the clock no longer shows
    /// are looked at.
    async fn take_over(&self) {
        loop {
            let taken_over = async {
                self.store.replan(host_zone(), self.engine.now()).await?;
                self.store.open_runs().await
            };
            match taken_over.await {
                Ok(rows) => {
                    for row in rows {
                        self.watch(row);
                    }
                    return;
                }
                Err(error) => {
                    tracing::error!(error = %Chain(&error), "the runs of jobs could not be taken over");
                }
            }
            tokio::select! {
                () = self.drain.requested() => return,
                () = time::sleep(PAUSE) => {}
            }
        }
    }

    /// Decides about what is due, and fires what was claimed. While jobs are switched off only what somebody asks for is.
    async fn look(&self, policy: &Policy, now: Timestamp) -> Result<Looked, Error> {
        let is_on = policy.cron.enabled;
        let mut planned = Planned::default();
        if is_on {
            let skips_missed = policy.cron.skip_missed_jobs;
            planned = self.store.plan_slots(skips_missed, host_zone(), now).await?;
            self.say_ended(&planned);
        }
        let claims = if is_on {
            self.store.claims(now).await?
        } else {
            self.store.asked_for(now).await?
        };
        let count = claims.len();
        let fired: Vec<bool> = stream::iter(claims)
            .map(|claim| self.fire_or_wait(claim, policy))
            .buffer_unordered(TOGETHER)
            .collect()
            .await;
        if fired.contains(&false) {
            return Ok(Looked::Later);
        }
        if planned.more || count > 0 {
            return Ok(Looked::More);
        }
        if !is_on {
            // Switched on again, another revision wakes it. What came by hooks may be tried again meanwhile.
            return Ok(Looked::Until(Some(now + LOOK)));
        }
        Ok(Looked::Until(self.store.next_slot().await?))
    }

    /// Fires a claim. False: it stays one for now.
    async fn fire_or_wait(&self, claim: Claim, policy: &Policy) -> bool {
        let id = claim.row.slot.job.clone();
        match self.fire(claim, policy).await {
            Ok(fired) => fired,
            Err(error) => {
                tracing::warn!(job.id = %id, error = %Chain(&error), "a job that is due could not be begun; it is tried again");
                false
            }
        }
    }

    /// Follows a run to its end, here or in the next process.
    fn watch(&self, row: SlotRow) {
        let runner = self.clone();
        self.drain.spawn_work("job", async move {
            tokio::select! {
                () = runner.drain.requested() => {}
                () = runner.follow(row) => {}
            }
        });
    }

    fn say_ended(&self, planned: &Planned) {
        for (row, job) in &planned.ended {
            self.say_over(row, Some(job));
        }
    }

    fn say_over(&self, row: &SlotRow, job: Option<&Job>) {
        self.events.finished(row, job);
        self.ends.send_replace(());
    }

    fn say_run_ended(&self, ended: &EndedRun) {
        self.say_over(&ended.row, ended.job.as_ref());
        if ended.says_something {
            self.replies.notify_one();
        }
        self.posts.notify_one();
        self.changed.notify_one();
    }
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => time::sleep_until(Instant::now() + wait).await,
        None => std::future::pending().await,
    }
}
