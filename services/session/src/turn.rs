//! The life of a turn: queued, leased, running, and then exactly one of done, failed, aborted or interrupted. The store
//! decides who may run a turn and which transition wins; this module runs what it was given, tells the screens, and says
//! the end of a run only when its own transition won.

mod announce;
mod context;
mod engine;
mod events;
mod inner;
mod live;
mod pacing;
mod run;
#[cfg(test)]
mod tests;

pub use self::engine::{Engine, Parts, Submitted, Timing};
