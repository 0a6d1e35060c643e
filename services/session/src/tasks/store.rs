//! What a store of turns tells lists.

use async_trait::async_trait;

use super::{TaskFilter, TaskPage};
use crate::error::Error;

/// Lists of turns.
#[async_trait]
pub(crate) trait Tasks: Send + Sync + std::fmt::Debug {
    async fn tasks(&self, filter: TaskFilter) -> Result<TaskPage, Error>;
}
