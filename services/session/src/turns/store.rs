//! What must be remembered of turns.
//!
//! S1: a session has at most one turn that is leased or running.
//! S2: a turn leaves the states queued, leased and running exactly once; only the caller who made it leave is told so.

use async_trait::async_trait;

use super::{
    Aborted, Admission, Admitted, Answered, Claimed, Ended, Finish, GatewayAnswer, GaveBack, Hold,
    InboundKey, Lease, Origin, Outlook, Reclaim, Reclaimed, Record, Recorded, RunLimits, TakeIn, TakenIn,
    Turn,
};
use crate::deliveries::Target;
use crate::error::Error;
use crate::id::{Owner, RunId};
use crate::key::SessionKey;
use crate::transcripts::Entry;
use gatehouse_core::Timestamp;

/// The store of turns.
#[async_trait]
pub(crate) trait Turns: Send + Sync + std::fmt::Debug {
    /// Takes a message: its row, its turn and, for a channel's message, its key against doubles. With a lease the turn begins
    /// in the same breath, if it is the next one that [`Turns::claim`] would have begun.
    async fn admit(&self, admission: Admission, lease: Option<Lease>) -> Result<Admitted, Error>;

    /// The turn that a message made when it came before. The key of another message is a conflict.
    async fn known(&self, admission: &Admission) -> Result<Option<Turn>, Error>;

    /// Takes a message that the gateway answers itself: its row, its turn, what it changes, the answer's row and its delivery. The
    /// turn has ended when it is there, and waits behind nobody.
    async fn answer(&self, admission: Admission, answer: GatewayAnswer) -> Result<Answered, Error>;

    async fn find(&self, run: &RunId) -> Result<Option<Turn>, Error>;

    /// Begins the next turn that is due, of a session in which none runs. In `collect` mode the turns that wait behind it
    /// for the same chat are merged into it and end here.
    async fn claim(&self, lease: Lease, now: Timestamp) -> Result<Option<Claimed>, Error>;

    /// What is to be expected when nothing more can be claimed. `held` are the turns that the caller is running.
    async fn outlook(&self, held: Vec<RunId>, now: Timestamp) -> Result<Outlook, Error>;

    async fn renew(&self, run: &RunId, owner: &Owner, lease_until: Timestamp) -> Result<Hold, Error>;

    /// Something of this attempt is about to be shown for the first time; `text` is the part of it that belongs to the answer.
    /// It takes the place of what earlier attempts kept. `asked` is the provider whose model writes it.
    async fn show(&self, run: &RunId, owner: &Owner, text: &str, asked: Option<&str>) -> Result<Hold, Error>;

    /// Adds to the text that is kept for this attempt until the turn ends.
    async fn keep_text(&self, run: &RunId, owner: &Owner, text: &str) -> Result<Hold, Error>;

    /// The text that the last attempt which showed one had shown, as far as it was kept.
    async fn kept_text(&self, run: &RunId) -> Result<String, Error>;

    /// Adds rows in the middle of a turn, before whatever follows them. An assistant's row takes the place of the text in flight.
    async fn record(&self, record: Record) -> Result<Recorded, Error>;

    /// The assistant's rows in the middle of a turn that has not ended, of all its attempts.
    async fn steps(&self, run: &RunId) -> Result<Vec<Entry>, Error>;

    /// Ends the turns that wait directly behind this one and steer it: it answers them from now on, and what it said so far becomes
    /// a row before them. When none waits, nothing is changed.
    async fn take_in(&self, take_in: TakeIn) -> Result<TakenIn, Error>;

    /// Gives up a turn that its owner cannot go on with: it waits again if the limits allow it.
    async fn give_back(&self, run: &RunId, owner: &Owner, limits: RunLimits) -> Result<GaveBack, Error>;

    /// Ends a turn with its row and its delivery. `None`: somebody else ended it, or holds it now.
    async fn finish(&self, finish: Finish) -> Result<Option<Ended>, Error>;

    /// The same, and begins the next turn as [`Turns::claim`] does, in one transaction.
    async fn finish_and_claim(
        &self,
        finish: Finish,
        lease: Lease,
    ) -> Result<(Option<Ended>, Option<Claimed>), Error>;

    /// Ends the queued turns of a session, or one of them, and asks the owner of what runs to stop.
    async fn abort(
        &self,
        key: &SessionKey,
        run: Option<&RunId>,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Aborted, Error>;

    /// The same for the turns whose answers go to one chat.
    async fn abort_in_chat(
        &self,
        key: &SessionKey,
        chat: &Target,
        origin: Origin,
        now: Timestamp,
    ) -> Result<Aborted, Error>;

    /// Takes turns from owners whose lease has ended, or from everybody else when the caller knows that they are dead. A
    /// turn that may be run again is queued again; the others end as interrupted, with the text that was kept and the notice.
    async fn reclaim(&self, reclaim: Reclaim) -> Result<Reclaimed, Error>;

    /// The places of those keys whose messages were never taken over.
    async fn unknown(&self, keys: Vec<InboundKey>) -> Result<Vec<u32>, Error>;
}
