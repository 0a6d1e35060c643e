//! `discovery`: whether the local network is told that the gateway is there. `gatehouse up` reads it when it starts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether others find the gateway without being told where it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Discovery {
    /// By multicast DNS, in the local network.
    pub mdns: Mdns,
}

/// Multicast DNS.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Mdns {
    /// Whether it is told. Unset: `minimal` where other machines can connect (`gateway.bind`), and `off` in a container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<MdnsMode>,
}

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MdnsMode {
    /// Nothing.
    Off,
    /// The port, and by what the certificate is known.
    Minimal,
    /// The same as `minimal`: paths and names of machines, which OpenClaw tells with this word, are told to nobody.
    Full,
}
