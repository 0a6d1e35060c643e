//! Conversations: agents, session keys, routing, transcripts, turns. Owns them and nobody else does; never talks to a chat
//! platform or a model provider.
//!
//! A noun is a folder: its model, what its store must do, and what is done with it. Read in this order: [`key`] and
//! [`routing`] say where a message belongs, [`agents`] who answers there; [`sessions`], [`transcripts`], [`turns`] and
//! [`deliveries`] are what is remembered and done, [`store`] keeps it, [`app`] hangs the parts together.

pub mod agents;
mod answer;
pub mod app;
pub mod config;
pub mod deliveries;
pub mod error;
mod grpc;
pub mod id;
pub mod key;
pub mod metrics;
pub mod policy;
pub mod routing;
mod rows;
pub mod sessions;
pub mod store;
#[cfg(test)]
mod testing;
pub mod transcripts;
pub mod turns;

pub use app::App;
pub use error::Error;
pub use store::sqlite::SCHEMA;
