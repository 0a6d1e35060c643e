//! Scenarios across the whole gateway, on real processes.

mod backup;
mod bad_input;
mod channel_to_screens;
mod chat;
mod clock;
mod conversations;
mod crash;
mod devices;
mod discord;
mod discovery;
mod drain;
mod embeddings;
mod faults;
mod frozen;
mod hooks;
mod identity;
mod isolated;
mod lifecycle;
mod media;
mod metrics;
mod nodes;
mod outbox;
mod pages;
mod plugin_login;
mod plugins;
mod programs;
mod routing;
mod rpc;
mod screens;
mod service_manager;
mod setup;
mod signal;
mod silence;
mod slack;
mod soak;
mod start;
mod systemd;
mod telegram;
mod token;
mod tools;
mod trace;
mod whatsapp;

use serde_json::{Value, json};

/// A configuration with these channels and nothing else: the embedded echo agent answers.
fn with_channels(channels: &Value) -> Value {
    json!({"channels": channels})
}

/// The same, where each message gets an answer of its own and none is taken into the turn that runs. Those who write answer each reply
/// with the next message, as programs do that talk to each other, and go on for longer than is let pass.
fn with_an_answer_each(channels: &Value) -> Value {
    let mut channels = channels.clone();
    for channel in channels
        .as_object_mut()
        .expect("channels by their names")
        .values_mut()
    {
        channel["loopGuard"] = json!({"maxTurns": 0});
    }
    json!({"channels": channels, "messages": {"queue": {"mode": "followup", "drop": "new"}}})
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
