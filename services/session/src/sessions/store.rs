//! What must be remembered of sessions.

use async_trait::async_trait;

use super::{
    ForkFrom, Forked, Kept, Lookup, Made, Once, SessionFilter, SessionPage, SessionPatch, SessionRecord,
};
use crate::error::Error;
use crate::id::SessionId;
use crate::key::{AgentId, SessionKey};
use crate::transcripts::{Entry, NewEntry};
use gatehouse_core::Timestamp;

/// The store of sessions.
#[async_trait]
pub(crate) trait Sessions: Send + Sync + std::fmt::Debug {
    async fn find(&self, key: &SessionKey) -> Result<Option<SessionRecord>, Error>;

    /// Whether this is or was the id of a transcript of the session. An earlier one counts: whoever looked at it when the session was reset
    /// goes on in the one that there is.
    async fn had(&self, session: &SessionRecord, id: &SessionId) -> Result<bool, Error>;

    /// A page of sessions, the newest change first.
    async fn list(&self, filter: SessionFilter) -> Result<SessionPage, Error>;

    /// The sessions that something else than a key may mean, the newest first: at most some hundred.
    async fn look_up(&self, lookup: Lookup) -> Result<Vec<SessionRecord>, Error>;

    /// How many sessions each agent has, archived ones included.
    async fn counts(&self) -> Result<Vec<(AgentId, i64)>, Error>;

    /// Makes a session, or answers the one that is there, as it is. The idempotency key of another request is a conflict.
    async fn create(
        &self,
        key: &SessionKey,
        patch: SessionPatch,
        once: Option<Once>,
        now: Timestamp,
    ) -> Result<(SessionRecord, Made), Error>;

    /// Changes what a session is set to. A label that another session has is refused, and so is what was meant for another
    /// transcript. An agent's main session is made when it is not there yet.
    async fn patch(
        &self,
        key: &SessionKey,
        patch: SessionPatch,
        now: Timestamp,
    ) -> Result<SessionRecord, Error>;

    /// Makes a session under a new key that begins with what was said in another one. Refused when that takes over what still runs
    /// or waits.
    async fn fork(
        &self,
        source: &SessionKey,
        key: &SessionKey,
        from: ForkFrom,
        patch: SessionPatch,
        once: Option<Once>,
        now: Timestamp,
    ) -> Result<Forked, Error>;

    /// Begins a new transcript with a boundary row. Refused when the one that is expected is not the current one.
    async fn reset(
        &self,
        key: &SessionKey,
        boundary: NewEntry,
        expected: Option<SessionId>,
        now: Timestamp,
    ) -> Result<(SessionRecord, Entry), Error>;

    /// Sessions that are not kept any longer: at most a hundred of those over first, none that somebody keeps at the top.
    async fn expired(&self, now: Timestamp) -> Result<Vec<SessionRecord>, Error>;

    /// The oldest sessions that may be forgotten, some in one call. Main ones, pinned ones, and those in which something runs or waits are
    /// never among them.
    async fn surplus(&self, kept: Kept) -> Result<Vec<SessionRecord>, Error>;

    /// Forgets a session with its transcript and turns. Refused while a turn is leased or running.
    async fn delete(&self, key: &SessionKey, expected: Option<SessionId>) -> Result<bool, Error>;
}
