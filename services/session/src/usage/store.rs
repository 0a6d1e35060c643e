//! What a store of transcripts counts.

use async_trait::async_trait;

use super::{SessionCells, UsageQuery};
use crate::error::Error;

/// Counting.
#[async_trait]
pub(crate) trait Usage: Send + Sync + std::fmt::Debug {
    /// The sessions that were changed since the first of these days, the one that was changed last first.
    async fn usage(&self, query: UsageQuery) -> Result<Vec<SessionCells>, Error>;
}
