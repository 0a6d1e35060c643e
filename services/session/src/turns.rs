//! The life of a turn: queued, running under a lease, and then exactly one of done, failed, aborted or interrupted. The store
//! decides who may run a turn and which transition wins; this module runs what it was given, tells the screens, and says
//! the end of a run only when its own transition won.
//!
//! The rooms, from the ground up: `order` keeps what is said about a session in order; `runs` knows what this process runs;
//! `settle` says an end, once, to everybody; `run` is one run, and `workers` go from one to the next; `admission` takes
//! messages; `dispatch` finds what waits. `engine` is their one door.

mod admission;
mod announce;
mod asked;
mod backlog;
mod bring;
mod context;
pub(crate) mod destination;
mod dispatch;
mod engine;
mod events;
pub(crate) mod fingerprint;
mod followers;
pub(crate) mod grpc;
mod live;
mod message;
mod missed;
pub(crate) mod model;
mod order;
mod outcome;
mod pacing;
pub(crate) mod program;
mod progress;
pub(crate) mod queue;
mod readable;
mod results;
mod run;
mod runs;
mod settle;
mod shared;
mod signals;
mod store;
mod tally;
mod taps;
#[cfg(test)]
mod tests;
mod timing;
mod workers;

pub(crate) use self::admission::Submitted;
pub(crate) use self::engine::{Engine, Parts};
pub(crate) use self::missed::Listener;
pub use self::model::RunLimits;
pub(crate) use self::model::*;
pub(crate) use self::progress::Progress;
pub(crate) use self::store::Turns;
pub use self::timing::Timing;
