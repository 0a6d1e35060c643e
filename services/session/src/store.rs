//! What the session service remembers, as a trait. Every method is one transaction: what it answers is durable, and
//! nothing it did halfway is ever seen. The trait speaks of sessions, rows of transcripts, turns and deliveries, never of
//! SQL; another implementation passes the same `contract` suite.
//!
//! S1: a session has at most one turn that is leased or running.
//! S2: a turn leaves the states queued, leased and running exactly once; only the caller who made it leave is told so.
//! S3: the rows of a transcript are never changed, and count from 1 without a hole.

#[cfg(test)]
pub(crate) mod contract;
mod model;
pub mod sqlite;

use async_trait::async_trait;

pub use self::model::*;

use crate::error::Error;
use crate::id::{Owner, RunId, SessionId};
use crate::key::SessionKey;

/// The store of conversations.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// One session.
    async fn session(&self, key: &SessionKey) -> Result<Option<SessionRecord>, Error>;

    /// A page of sessions, the newest change first.
    async fn sessions(&self, filter: SessionFilter) -> Result<SessionPage, Error>;

    /// Makes a session, or answers the one that is there. The flag says whether it is new. The idempotency key of another
    /// request is a conflict.
    async fn create(
        &self,
        key: &SessionKey,
        patch: SessionPatch,
        once: Option<Once>,
        now: i64,
    ) -> Result<(SessionRecord, bool), Error>;

    /// Changes what a session is set to. A label that another session has is refused.
    async fn patch(&self, key: &SessionKey, patch: SessionPatch, now: i64) -> Result<SessionRecord, Error>;

    /// Begins a new transcript with a boundary row.
    async fn reset(
        &self,
        key: &SessionKey,
        boundary: NewEntry,
        now: i64,
    ) -> Result<(SessionRecord, Entry), Error>;

    /// Forgets a session with its transcript and turns. Refused while a turn is leased or running.
    async fn delete(&self, key: &SessionKey, expected: Option<SessionId>) -> Result<bool, Error>;

    /// A page of the current transcript.
    async fn history(&self, key: &SessionKey, query: HistoryQuery) -> Result<HistoryPage, Error>;

    /// One row.
    async fn entry(&self, key: &SessionKey, seq: i64) -> Result<Option<Entry>, Error>;

    /// Adds a row that belongs to no turn.
    async fn append(&self, key: &SessionKey, entry: NewEntry) -> Result<(SessionRecord, Entry), Error>;

    /// The newest rows that a model should read for this turn, oldest first, within the bounds.
    async fn context(&self, turn: &Turn, rows_max: u32) -> Result<Vec<ContextRow>, Error>;

    /// Takes a message: its row, its turn and, for a channel's message, its key against doubles.
    async fn admit(&self, admission: Admission) -> Result<Admitted, Error>;

    /// One turn.
    async fn turn(&self, run: &RunId) -> Result<Option<Turn>, Error>;

    /// Leases the next turn that is due, of a session in which none runs. In `collect` mode the turns that wait behind it
    /// for the same chat are merged into it and end here.
    async fn claim(&self, owner: &Owner, now: i64, lease_until: i64) -> Result<Option<Claimed>, Error>;

    /// When the next queued turn becomes due, as far as only time is missing.
    async fn next_due(&self, now: i64) -> Result<Option<i64>, Error>;

    /// The turn begins.
    async fn start(&self, run: &RunId, owner: &Owner, now: i64) -> Result<Hold, Error>;

    /// Keeps the lease.
    async fn renew(&self, run: &RunId, owner: &Owner, lease_until: i64) -> Result<Hold, Error>;

    /// Something of this attempt is about to be shown for the first time; `text` is the part of it that belongs to the answer.
    /// It takes the place of what earlier attempts kept.
    async fn show(&self, run: &RunId, owner: &Owner, text: &str) -> Result<Hold, Error>;

    /// Adds to the text that is kept for this attempt until the turn ends.
    async fn keep_text(&self, run: &RunId, owner: &Owner, text: &str) -> Result<Hold, Error>;

    /// The text that the last attempt which showed one had shown, as far as it was kept.
    async fn kept_text(&self, run: &RunId) -> Result<String, Error>;

    /// The turn is about to do something that a second run would do again: from now on it is never run again.
    async fn mark_effects(&self, run: &RunId, owner: &Owner) -> Result<Hold, Error>;

    /// Gives up a turn that its owner cannot go on with: it waits again if the limits allow it.
    async fn give_back(&self, run: &RunId, owner: &Owner, limits: RunLimits) -> Result<GaveBack, Error>;

    /// Ends a turn with its row and its delivery. `None`: somebody else ended it, or holds it now.
    async fn finish(&self, finish: Finish) -> Result<Option<Ended>, Error>;

    /// Ends the queued turns of a session, or one of them, and asks the owner of what runs to stop.
    async fn abort(
        &self,
        key: &SessionKey,
        run: Option<&RunId>,
        origin: Origin,
        now: i64,
    ) -> Result<Aborted, Error>;

    /// Takes turns from owners whose lease has ended, or from everybody else when the caller knows that they are dead. A
    /// turn that may be run again is queued again; the others end as interrupted, with the text that was kept and the notice.
    async fn reclaim(&self, reclaim: Reclaim) -> Result<Reclaimed, Error>;

    /// Deliveries that wait, the oldest first.
    async fn deliveries(&self, now: i64, rows_max: u32) -> Result<Vec<Delivery>, Error>;

    /// What became of a delivery.
    async fn settle(&self, delivery: i64, outcome: DeliveryOutcome) -> Result<(), Error>;

    /// Forgets keys against doubles, of messages and of requests, ended turns and settled deliveries from before a time. At most some thousands in one
    /// call; the answer is how many.
    async fn prune(&self, before: i64) -> Result<u64, Error>;

    /// Writes something, to see whether it can.
    async fn probe(&self) -> Result<(), Error>;

    /// The places of those keys whose messages were never taken over.
    async fn unknown(&self, keys: Vec<InboundKey>) -> Result<Vec<u32>, Error>;
}
