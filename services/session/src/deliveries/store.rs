//! What must be remembered of deliveries. They are made where a turn ends: [`Turns::finish`](crate::turns::Turns::finish).

use async_trait::async_trait;

use super::{Delivery, DeliveryOutcome, Recalled};
use crate::error::Error;
use crate::id::RunId;
use crate::key::SessionKey;
use gatehouse_core::Timestamp;

/// The store of deliveries.
#[async_trait]
pub(crate) trait Deliveries: Send + Sync + std::fmt::Debug {
    /// Deliveries that are due, the oldest first. One waits for the older ones of its chat.
    async fn waiting(&self, now: Timestamp, rows_max: u32) -> Result<Vec<Delivery>, Error>;

    /// When the next delivery becomes due that was put off. `None`: nothing was.
    async fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>, Error>;

    /// Whether a reply of a run was ever made, whatever became of it.
    async fn is_made(&self, run: &RunId) -> Result<bool, Error>;

    /// What became of a delivery. False: it was taken back meanwhile.
    async fn settle(&self, delivery: i64, outcome: DeliveryOutcome) -> Result<bool, Error>;

    /// Takes back what waits of a session. How many there were.
    async fn recall(&self, session: SessionKey, recalled: Recalled, now: Timestamp) -> Result<i64, Error>;
}
