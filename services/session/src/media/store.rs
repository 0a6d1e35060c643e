//! What must be remembered of media.

use async_trait::async_trait;

use super::{MediaId, MediaRow};
use crate::error::Error;
use gatehouse_core::Timestamp;

/// The store of what is known of media. Which transcripts name one is noted where a row is added to a transcript.
#[async_trait]
pub(crate) trait MediaRows: Send + Sync + std::fmt::Debug {
    /// Keeps one, or keeps it longer. Refused when all would weigh more than `total_max` bytes together.
    async fn keep(&self, row: MediaRow, total_max: i64) -> Result<(), Error>;

    async fn find(&self, id: &MediaId) -> Result<Option<MediaRow>, Error>;

    /// Forgets those that no transcript names and that were handed in before a time: some thousands at most.
    async fn forget_unnamed(&self, before: Timestamp) -> Result<Vec<MediaId>, Error>;
}
