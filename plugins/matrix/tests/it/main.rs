//! The plugin as a process, between a stand-in of the gateway and a real homeserver: Synapse, where it is installed (`make prerequisites`).

#![expect(clippy::panic, reason = "helpers of tests: a panic is the failure")]

mod bridge;
mod deaths;
mod files;
mod gateway;
mod keys;
mod person;
mod refusals;
mod rooms;
mod shown;
mod synapse;
