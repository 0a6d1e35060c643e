//! Runs that a program is told of by HTTP: kept with the end of the run, sent until they are taken or given up.
//!
//! Whoever adds a job names the address. It may be one of the Internet alone, unless the configuration lists its host: `guard` looks a name
//! up once, judges every address, and pins the connection to them. No redirect is followed and no proxy asked.

mod guard;
mod sender;
mod told;

use gatehouse_core::Timestamp;

use super::Slot;

pub(crate) use self::guard::Guard;
pub(crate) use self::sender::Sender;
pub(super) use self::told::posted;

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
