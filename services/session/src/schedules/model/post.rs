//! Runs that a program is told of.

use gatehouse_core::Timestamp;

use super::Slot;

/// A run that a program is to be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewPost {
    pub(crate) url: String,
    pub(crate) body: String,
}

/// One that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Post {
    pub(crate) id: i64,
    pub(crate) slot: Slot,
    pub(crate) url: String,
    pub(crate) body: String,
    /// How often it was tried.
    pub(crate) attempts: u32,
}

/// What became of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PostEnd {
    Told,
    /// Not yet.
    Again {
        at: Timestamp,
        problem: String,
    },
    GaveUp(String),
}
