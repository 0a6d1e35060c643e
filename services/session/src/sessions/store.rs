//! What must be remembered of sessions.

use async_trait::async_trait;

use super::{Once, SessionFilter, SessionPage, SessionPatch, SessionRecord};
use crate::error::Error;
use crate::id::SessionId;
use crate::key::SessionKey;
use crate::transcripts::{Entry, NewEntry};

/// The store of sessions.
#[async_trait]
pub(crate) trait Sessions: Send + Sync + std::fmt::Debug {
    async fn find(&self, key: &SessionKey) -> Result<Option<SessionRecord>, Error>;

    /// A page of sessions, the newest change first.
    async fn list(&self, filter: SessionFilter) -> Result<SessionPage, Error>;

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
}
