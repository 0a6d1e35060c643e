//! Scenarios across the whole gateway, on real processes.

mod backup;
mod bad_input;
mod channel_to_screens;
mod chat;
mod crash;
mod drain;
mod faults;
mod identity;
mod lifecycle;
mod media;
mod metrics;
mod nodes;
mod outbox;
mod pages;
mod routing;
mod rpc;
mod screens;
mod setup;
mod soak;
mod token;
mod trace;

use serde_json::{Value, json};

/// A configuration with these channels and nothing else: the embedded echo agent answers.
fn with_channels(channels: &Value) -> Value {
    json!({"channels": channels})
}

/// Everything an operator may be granted here.
const ALL: &[&str] = &[
    "operator.admin",
    "operator.read",
    "operator.write",
    "operator.pairing",
];

/// What a screen needs.
const SCREEN: &[&str] = &["operator.read", "operator.write"];
