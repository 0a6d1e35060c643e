//! The plugin as a process, driven as the bridge drives it, between a stand-in of WhatsApp's servers and somebody else's phone.

#![expect(clippy::panic, reason = "helpers of tests: a panic is the failure")]

mod bridge;
mod deaths;
mod directory;
mod ends;
mod files;
mod linking;
mod messages;
mod noise;
mod person;
mod phone;
mod plugin;
mod receipts;
mod relay;
mod reports;
mod server;
