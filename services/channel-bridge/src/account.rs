//! Accounts: each in a task tree of its own, so that what befalls one is not felt by the others.

pub(crate) mod manager;
pub(crate) mod progress;
pub(crate) mod supervisor;

pub use manager::{Entry, Manager, View};
pub use progress::{Progress, Snapshot, State};
