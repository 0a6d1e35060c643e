//! Conversations: agents, session keys, routing, transcripts, turns. Owns them and nobody else does; never talks to a chat
//! platform or a model provider.
//!
//! Read in this order: [`key`] and [`routing`] say where a message belongs, [`store`] what is remembered, [`turn`] how it
//! is answered, [`delivery`] how the answer gets to the chat, [`app`] how the parts hang together.

pub mod agents;
mod answer;
pub mod app;
pub mod config;
pub mod delivery;
pub mod error;
mod grpc;
pub mod id;
pub mod key;
pub mod metrics;
pub mod policy;
pub mod queue;
pub mod routing;
mod rows;
pub mod store;
#[cfg(test)]
mod testing;
pub mod turn;

pub use app::App;
pub use error::Error;
pub use store::sqlite::SCHEMA;
