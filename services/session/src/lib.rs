//! Conversations: agents, session keys, routing, transcripts, turns. Owns them and nobody else does; never talks to a chat
//! platform or a model provider.
//!
//! A noun is a folder: its model, what its store must do, and what is done with it. Read in this order: `key` and
//! `routing` say where a message belongs, `agents` who answers there; `sessions`, `transcripts`, `turns` and
//! `deliveries` are what is remembered and done, `nodes` are the devices that do it elsewhere, `store` keeps it, `app` hangs the parts together.

mod agents;
mod answer;
mod app;
pub mod backup;
mod book;
mod catalog;
mod commands;
mod config;
mod conversations;
mod deliveries;
mod error;
mod grpc;
mod hooks;
mod id;
mod key;
mod media;
mod metrics;
mod nodes;
mod pending;
mod policy;
mod routing;
mod rows;
mod schedules;
mod sessions;
mod stop;
mod store;
mod tasks;
#[cfg(test)]
mod testing;
mod thinking;
mod transcripts;
mod turns;
mod usage;
mod viewer;
mod workspace;

pub use app::App;
pub use store::SCHEMA;
pub use turns::{RunLimits, Timing};
