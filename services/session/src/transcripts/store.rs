//! What must be remembered of transcripts.
//!
//! S3: the rows of a transcript are never changed, and count from 1 without a hole.

use async_trait::async_trait;

use super::{ContextRow, Entry, HistoryPage, HistoryQuery, NewEntry};
use crate::error::Error;
use crate::id::EntryId;
use crate::key::SessionKey;
use crate::sessions::SessionRecord;

/// The store of transcripts.
#[async_trait]
pub(crate) trait Transcripts: Send + Sync + std::fmt::Debug {
    /// A page of the current transcript.
    async fn history(&self, key: &SessionKey, query: HistoryQuery) -> Result<HistoryPage, Error>;

    async fn entry(&self, key: &SessionKey, seq: i64) -> Result<Option<Entry>, Error>;

    /// A row of the current transcript by its own id.
    async fn message(&self, key: &SessionKey, id: &EntryId) -> Result<Option<Entry>, Error>;

    /// Adds a row that belongs to no turn.
    async fn append(&self, key: &SessionKey, entry: NewEntry) -> Result<(SessionRecord, Entry), Error>;

    /// The newest rows that a model should read, oldest first, within the bounds.
    async fn context(&self, key: &SessionKey, rows_max: u32) -> Result<Vec<ContextRow>, Error>;
}
