//! The channel bridge: owns channel accounts, what came in from chat platforms, what is to go out to them and its receipts,
//! and who may talk. Never decides which agent answers.
//!
//! In reading order: `adapter` is what a platform must be able to do; those in `platform` do it. `plugins` asks what others bring. `config` says which
//! accounts there are, `account` keeps each of them connected. What people say goes through `inbox`, decided on by
//! `policy`, `pairing` and `pace`; what the assistant says goes through `outbox`. All of them stand on `store`: nothing is
//! acknowledged, towards a platform or towards another service, before it is there.

mod account;
mod adapter;
mod app;
mod config;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod grpc;
pub mod guide;
mod id;
mod inbox;
mod markup;
mod media;
mod metrics;
mod notice;
mod outbox;
mod pace;
mod pairing;
mod platform;
mod plugins;
mod policy;
mod preview;
mod step;
mod store;
#[cfg(test)]
mod testing;

pub use app::App;
pub use platform::isolated::run as run_account;
pub use store::SCHEMA;
