//! What a store of transcripts counts.

use async_trait::async_trait;

use super::{Metered, SessionCells, UsageQuery};
use crate::error::Error;
use crate::id::SessionId;
use crate::key::SessionKey;

/// Counting.
#[async_trait]
pub(crate) trait Usage: Send + Sync + std::fmt::Debug {
    /// The sessions that were changed since the first of these days, the one that was changed last first.
    async fn usage(&self, query: UsageQuery) -> Result<Vec<SessionCells>, Error>;

    /// The answers of a session's current transcript that were counted, the oldest first. `None`: there is no such session.
    async fn answers(&self, key: &SessionKey) -> Result<Option<(SessionId, Vec<Metered>)>, Error>;
}
