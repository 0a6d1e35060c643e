//! A room that an account wants to be in, and how it is: in, asked, or kept out by the platform, in the platform's own words.

use gatehouse_core::Timestamp;
use serde::Serialize;
use tokio::time::Instant;

/// How a room is to the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RoomState {
    /// Asked for, or about to be.
    Joining,
    Joined,
    /// The platform does not let us in.
    Refused,
    /// We were in, and are not any more.
    Left,
}

/// A room as the adapter knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) name: String,
    pub(crate) state: RoomState,
    /// The platform's reason.
    pub(crate) reason: Option<String>,
    /// What somebody can do about it.
    pub(crate) next_step: Option<String>,
    /// When it is tried again.
    pub(crate) retry: Option<Instant>,
}

/// The same for `channels.status`, as `RoomStatus` of the contract describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RoomStatus {
    pub(crate) name: String,
    pub(crate) state: RoomState,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_step: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_at: Option<Timestamp>,
}

impl Room {
    #[cfg(test)]
    pub(crate) fn new(name: &str, state: RoomState) -> Self {
        Self {
            name: name.to_owned(),
            state,
            reason: None,
            next_step: None,
            retry: None,
        }
    }

    pub(super) fn status(&self, now: Timestamp) -> RoomStatus {
        let Self {
            name,
            state,
            reason,
            next_step,
            retry,
        } = self.clone();
        // A moment of the process, told as a time of day: right also after somebody sets the clock.
        let wait = |at: Instant| at.saturating_duration_since(Instant::now());
        RoomStatus {
            name,
            state,
            reason,
            next_step,
            retry_at: retry.map(|at| now + wait(at)),
        }
    }
}
