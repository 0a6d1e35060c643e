//! What must be remembered of jobs.
//!
//! I8: a slot has one row. It is claimed by whoever adds the row, and leaves that state once.

use async_trait::async_trait;
use gatehouse_core::Timestamp;
use jiff::tz::TimeZone;

use super::{
    Claim, EndedRun, Job, JobId, NewHook, Planned, Post, PostEnd, RunEnd, RunFilter, RunNow, Settle, Slot,
    SlotRow, Spec, TakenHook,
};
use crate::deliveries::Target;
use crate::error::Error;
use crate::key::SessionKey;

/// A job to add.
#[derive(Clone, Debug)]
pub(crate) struct NewJob {
    pub(crate) id: JobId,
    pub(crate) spec: Spec,
    pub(crate) enabled: bool,
    pub(crate) now: Timestamp,
}

/// A change of a job.
#[derive(Clone, Debug)]
pub(crate) struct JobChange {
    pub(crate) id: JobId,
    /// The version that was changed.
    pub(crate) version: i64,
    pub(crate) spec: Spec,
    pub(crate) enabled: bool,
    /// Of slots that were missed, for jobs that say nothing.
    pub(crate) skips_missed: bool,
    pub(crate) now: Timestamp,
}

/// What became of a change.
#[derive(Clone, Debug)]
pub(crate) enum Replaced {
    /// The job after it, and what its older schedule left to decide.
    Done(Box<Job>, Planned),
    /// Somebody else changed it meanwhile.
    Stale,
    Gone,
}

/// The store of jobs and of their slots.
#[async_trait]
pub(crate) trait Schedules: Send + Sync + std::fmt::Debug {
    /// Adds a job. A job that was declared under the same key is answered instead, as it is.
    async fn add_job(&self, new: NewJob) -> Result<(Job, bool), Error>;

    async fn job(&self, id: &JobId) -> Result<Option<Job>, Error>;

    /// All of them, in no order.
    async fn jobs(&self) -> Result<Vec<Job>, Error>;

    /// Changes a job. What was due under the schedule before is decided first, in the same transaction.
    async fn replace_job(&self, change: JobChange) -> Result<Replaced, Error>;

    /// Removes a job. What was claimed and has not begun is skipped.
    async fn remove_job(&self, id: &JobId, now: Timestamp) -> Result<Option<(Job, Planned)>, Error>;

    /// Decides about the slots that are due. At most some dozen jobs in one call.
    /// `zone` is the host's, for jobs that name none.
    async fn plan_slots(&self, skips_missed: bool, zone: TimeZone, now: Timestamp) -> Result<Planned, Error>;

    /// Looks at each job anew after the clock was set back, or the host's zone: one that waits for a slot far ahead, or for one that is
    /// none in this zone, waits for the first that nothing was decided about.
    async fn replan(&self, zone: TimeZone, now: Timestamp) -> Result<(), Error>;

    /// Adds a slot by hand, claimed and due at once.
    async fn claim_by_hand(&self, id: &JobId, now: Timestamp) -> Result<Option<RunNow>, Error>;

    /// Takes what came by a hook: its jobs, claimed, and what tells a repeat, in one transaction. A job that is declared as one that
    /// still waits is that one.
    async fn take_hook(&self, new: NewHook) -> Result<TakenHook, Error>;

    /// The claims that are to be fired by now, those first that were due first: some in one call.
    async fn claims(&self, now: Timestamp) -> Result<Vec<Claim>, Error>;

    /// The same of those that somebody asked for, by hand or by a hook, and not the clock.
    async fn asked_for(&self, now: Timestamp) -> Result<Vec<Claim>, Error>;

    /// A claim is not to be fired before a time.
    async fn put_off(&self, slot: &Slot, until: Timestamp) -> Result<(), Error>;

    /// Where a claim's turn runs and where its answer goes. What was decided before stays, and is answered.
    async fn decide(
        &self,
        slot: &Slot,
        key: SessionKey,
        target: Option<Target>,
    ) -> Result<Option<(SessionKey, Option<Target>)>, Error>;

    /// Ends a claim. `None`: it had ended before.
    async fn settle_slot(
        &self,
        slot: &Slot,
        settle: Settle,
        now: Timestamp,
    ) -> Result<Option<(SlotRow, Option<Job>)>, Error>;

    /// The runs that are under way.
    async fn open_runs(&self) -> Result<Vec<SlotRow>, Error>;

    /// The end of a run, with what is said about it. `None`: it had ended before.
    async fn end_run(&self, end: RunEnd) -> Result<Option<EndedRun>, Error>;

    /// What programs are to be told by now. Some in one call.
    async fn posts(&self, now: Timestamp) -> Result<Vec<Post>, Error>;

    /// When the next program is to be told something. `None`: none is.
    async fn next_post(&self) -> Result<Option<Timestamp>, Error>;

    /// What became of telling a program; the ledger says it too.
    async fn settle_post(&self, id: i64, end: PostEnd) -> Result<(), Error>;

    /// The ledger's rows that have ended, and how many there are in all.
    async fn runs(&self, filter: RunFilter) -> Result<(Vec<SlotRow>, u32), Error>;

    /// When the next slot is due, or the next claim. `None`: nothing will be.
    async fn next_slot(&self) -> Result<Option<Timestamp>, Error>;
}
