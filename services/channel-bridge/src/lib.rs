//! The channel bridge: owns channel accounts, what came in from chat platforms, what is to go out to them and its receipts,
//! and who may talk. Never decides which agent answers.
//!
//! In reading order: [`adapter`] is what a platform must be able to do; [`irc`] and [`webhook`] do it. [`config`] says which
//! accounts there are, [`account`] keeps each of them connected. What people say goes through [`inbox`], judged by
//! [`policy`]; what the house says goes through [`outbox`]. Both stand on [`store`]: nothing is acknowledged, towards a
//! platform or towards the house, before it is there.

pub mod account;
pub mod adapter;
mod app;
pub mod config;
mod error;
pub mod grpc;
pub mod inbox;
pub mod irc;
pub mod metrics;
mod notice;
pub mod outbox;
mod pairing;
pub mod policy;
pub mod store;
#[cfg(test)]
mod testing;
pub mod webhook;

pub use app::App;
pub use error::Error;
pub use store::SCHEMA;
