//! The configuration document as types, one file per section, with their defaults and bounds. They are its only description:
//! the JSON Schema, the reference page, the names of unknown keys' neighbours and the places of secrets come from here, and
//! every service reads its sections with these types. So a bound that is documented is the bound that is applied.
//!
//! Types, no decisions: the config service checks documents, each reader makes its own policy from its sections. The crate
//! knows no service. Key names follow OpenClaw wherever the feature exists there, so that a user moves by copying sections.
//!
//! Unknown keys are not an error for these types: the config service warns about them and the file keeps them. A service is
//! sent a document cut to its sections, which is read as a [`Document`] too: what is missing has its default. In it every
//! [`SecretInput`] is the secret itself and every [`PathInput`] a whole path.

pub mod account;
pub mod agents;
pub mod bindings;
pub mod brought;
pub mod channels;
pub mod commands;
pub mod cron;
pub mod discord;
pub mod discovery;
pub mod gateway;
pub mod heartbeat;
pub mod hooks;
pub mod http;
pub mod irc;
pub mod logging;
pub mod messages;
pub mod models;
pub mod nodes;
pub mod plugins;
pub mod policies;
pub mod samples;
pub mod secret;
pub mod section;
pub mod session;
pub mod signal;
pub mod size;
pub mod slack;
pub mod telegram;
pub mod tools;
pub mod webhook;
pub mod whatsapp;
pub mod wrong;

use std::collections::BTreeMap;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use agents::Agents;
pub use bindings::Binding;
pub use channels::{ChannelAccounts, Channels};
pub use commands::Commands;
pub use cron::Cron;
pub use discovery::Discovery;
pub use gateway::Gateway;
pub use hooks::Hooks;
pub use logging::Logging;
pub use messages::Messages;
pub use models::Models;
pub use plugins::Plugins;
pub use secret::{Environment, PathInput, SecretInput, Secrets};
pub use session::Session;
pub use tools::Tools;

/// The configuration of Gatehouse: one JSON5 document, every section optional.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Document {
    /// For editors: where the schema of this document is. Gatehouse does not read it.
    #[serde(rename = "$schema", skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Where clients connect: the address and port, and who may come in.
    pub gateway: Gateway,
    /// Who answers.
    pub agents: Agents,
    /// Which agent answers where, most specific first; within one tier the first in this order wins.
    pub bindings: Vec<Binding>,
    /// How conversations are told apart.
    pub session: Session,
    /// What happens to messages that have to wait.
    pub messages: Messages,
    /// Where models are and how to reach them.
    pub models: Models,
    /// What is done for models that they cannot do themselves.
    pub tools: Tools,
    /// The chat surfaces and who may talk there.
    pub channels: Channels,
    /// In what the session service is sent: the accounts of each channel that is set up. Not a key of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(skip)]
    pub channel_accounts: Option<BTreeMap<String, ChannelAccounts>>,
    /// Work that begins by the clock.
    pub cron: Cron,
    /// What programs outside bring by HTTP.
    pub hooks: Hooks,
    /// Who may use what is typed behind a slash.
    pub commands: Commands,
    /// Where secrets of references with `source: "file"` are kept.
    pub secrets: Secrets,
    /// Which environment variables may be named as secrets.
    pub env: Environment,
    /// Processes that bring methods and events to the gateway.
    pub plugins: Plugins,
    /// Whether the local network is told that the gateway is there.
    pub discovery: Discovery,
    /// Kept; how much is logged is a setting of each process (`GATEHOUSE_LOG`).
    pub logging: Logging,
}

/// The JSON Schema (draft 2020-12) of [`Document`], without references, so that a reader finds every key in its place.
pub fn json_schema() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<Document>()
        .to_value();
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".to_owned(), Value::from("Gatehouse configuration"));
    }
    schema
}
