//! `plugins`: processes of anybody's that bring methods and events to the gateway.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{channels::Channels, gateway::OperatorScope, secret::SecretInput};

/// Plugins that may be set up: as many as a map of methods takes.
pub const ENTRIES_MAX: usize = 100;

/// Arguments and variables of a command: more than a person writes down.
pub const WORDS_MAX: usize = 64;

/// Longest argument, variable or endpoint, in bytes: a page of memory, as the kernel counts them.
pub const WORD_BYTES_MAX: usize = 4_096;

/// The core's methods that one plugin may take over.
pub const OVERRIDES_MAX: usize = 100;

/// Channels that one plugin may bring: a plugin speaks one platform, or a few that are alike.
pub const CHANNELS_MAX: usize = 16;

/// Longest kind of a channel, in bytes. The contract declares the same bound.
pub const CHANNEL_BYTES_MAX: usize = 64;

/// Longest `config` of a plugin, in bytes of JSON.
pub const CONFIG_BYTES_MAX: usize = 256 * 1_024;

/// Processes that bring methods and events to the gateway: see docs/plugins.md.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Plugins {
    /// Each plugin, under its id: lower-case letters, digits and dashes. At most 100.
    pub entries: BTreeMap<String, PluginEntry>,
}

/// One plugin: a gRPC server, wherever it runs and whatever it is written in.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PluginEntry {
    /// Whether it is there. False: its methods leave the map, its credential opens nothing, its command is stopped.
    pub enabled: bool,
    /// Where it listens: `host:port`, `http://host:port` or `unix:/path/to.sock`. Unset, with a `command`: a socket in the run folder, which
    /// the command is told in `GATEHOUSE_PLUGIN_LISTEN`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// A program that `gatehouse up` starts, watches and stops: an absolute path, or a name that is found in `PATH`. Unset: whoever
    /// runs the plugin starts it. Only set by editing the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-by-hand" = true))]
    pub command: Option<String>,
    /// What the program is given, at most 64 words; each may be a reference to a secret, and none is shown to readers. Everybody on a
    /// machine sees the words of its programs: secrets belong in `env`. Only set by editing the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<SecretInput>", extend("x-by-hand" = true))]
    pub args: Vec<String>,
    /// Variables of the program, at most 64; each value may be a reference to a secret. Beside them it finds `PATH`, `HOME`, the language
    /// and the time zone of `gatehouse up`, and nothing else. Only set by editing the file.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("x-by-hand" = true))]
    pub env: BTreeMap<String, SecretInput>,
    /// Methods of the gateway's own that it takes over, by their names. It declares each with an access that lets in nobody else.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<String>,
    /// Channels that it brings, by their keys under `channels`, at most 16: lower-case letters, digits and dashes. Their accounts, secrets
    /// included, are told to it. Only set by editing the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-by-hand" = true))]
    pub channels: Vec<String>,
    /// What its own credential may. Empty: it may call nothing but what everybody may, and publish its own events.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<OperatorScope>,
    /// That it answers below `/plugins/<id>/` of the gateway's address. Unset: nothing is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<PluginHttp>,
    /// Its own settings, which it is told when it joins and whenever they change. Held against the JSON Schema that the plugin brings.
    /// Secrets belong in `env`: what is named like one here does not reach the plugin.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
}

/// How a plugin is reached over HTTP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct PluginHttp {
    /// Whom the gateway lets through to it.
    pub auth: PluginHttpAuth,
}

/// Whom the gateway lets through to a plugin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PluginHttpAuth {
    /// Who shows a credential of the gateway: with `operator.read` to read (GET, HEAD), with `operator.write` for everything else.
    #[default]
    Token,
    /// Everybody who reaches the gateway's address: the plugin decides by itself, as one does that a platform calls.
    None,
}

impl Default for PluginEntry {
    fn default() -> Self {
        Self {
            enabled: true,
            endpoint: None,
            command: None,
            args: Vec::new(),
            env: BTreeMap::new(),
            overrides: Vec::new(),
            channels: Vec::new(),
            scopes: Vec::new(),
            http: None,
            config: Map::new(),
        }
    }
}

impl PluginEntry {
    /// Whether there is something to reach.
    #[must_use]
    pub fn is_set_up(&self) -> bool {
        self.enabled && (self.endpoint.is_some() || self.command.is_some())
    }
}

impl fmt::Debug for PluginEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Arguments and settings are free-form, so a secret may be anywhere in them.
        f.debug_struct("PluginEntry")
            .field("enabled", &self.enabled)
            .field("endpoint", &self.endpoint)
            .field("command", &self.command)
            .field("overrides", &self.overrides)
            .field("channels", &self.channels)
            .field("scopes", &self.scopes)
            .field("http", &self.http)
            .finish_non_exhaustive()
    }
}

impl Plugins {
    /// Those that are there: enabled, and with a place or a program.
    pub fn set_up(&self) -> impl Iterator<Item = (&str, &PluginEntry)> {
        let all = self.entries.iter().take(ENTRIES_MAX);
        all.filter(|(_, entry)| entry.is_set_up())
            .map(|(id, entry)| (id.as_str(), entry))
    }

    /// The channels that plugins bring, each with the id of its plugin. Of two that list one kind the first brings it.
    pub fn channels(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut seen = BTreeSet::new();
        self.set_up()
            .flat_map(|(id, entry)| {
                let kinds = entry.channels.iter().take(CHANNELS_MAX);
                kinds.map(move |kind| (kind.as_str(), id))
            })
            .filter(move |(kind, _)| may_be_brought(kind) && seen.insert(*kind))
    }
}

/// Whether a channel of this kind may be a plugin's.
#[must_use]
pub fn may_be_brought(kind: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let begins = kind.starts_with(|c: char| c.is_ascii_lowercase());
    let taken = Channels::KNOWN.contains(&kind) || kind == "defaults";
    begins && kind.len() <= CHANNEL_BYTES_MAX && kind.bytes().all(plain) && !taken
}
