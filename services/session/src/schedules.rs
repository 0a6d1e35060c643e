//! Work that begins by the clock.
//!
//! A job has slots: the times at which it is due, by its schedule. I8: each slot gets one row, which is claimed and then fired, skipped or
//! missed, once. `calendar` knows the slots of a schedule, `planner` decides what becomes of those that are due (a function of the job
//! and the time), the store does it in one transaction, and `runner` makes turns of what was claimed, under ids that follow from
//! the slot: whatever dies in between, no slot makes two.

mod calendar;
mod events;
pub(crate) mod grpc;
pub(crate) mod heartbeat;
mod input;
mod model;
mod planner;
pub(crate) mod posts;
mod reply;
mod runner;
mod store;
#[cfg(test)]
mod tests;
pub(crate) mod view;

pub(crate) use self::calendar::Calendar;
pub(crate) use self::model::*;
pub(crate) use self::planner::{CatchUp, Fate, host_zone, plan};
pub(crate) use self::reply::says_nothing;
pub(crate) use self::runner::Runner;
pub(crate) use self::store::{JobChange, NewJob, Replaced, Schedules};
