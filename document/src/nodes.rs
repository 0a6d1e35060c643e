//! `gateway.nodes`: devices that come to the gateway, and what nodes among them may be asked to do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Devices that come to the gateway, and what nodes among them may be asked to do.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Nodes {
    /// Which devices are paired without asking anybody.
    pub pairing: Pairing,
    /// Which commands may be invoked.
    pub commands: NodeCommands,
}

/// Which commands may be invoked on nodes. Whatever stands here, a node is asked only for what it offers and somebody approved.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NodeCommands {
    /// Commands beside those that the platform of a node is allowed anyway, for example `camera.snap`.
    pub allow: Vec<String>,
    /// Commands that no node is asked for. Comes before `allow`.
    pub deny: Vec<String>,
}

/// Which devices are paired without asking anybody. All others wait for `gatehouse devices approve`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Pairing {
    /// Whether a device is paired at once that truly comes from this machine and shows the gateway token. Inside of a container its
    /// process has to be one of the same container.
    pub auto_approve_local: bool,
    /// IP addresses or CIDR ranges from which new nodes are paired at once that show the gateway token and ask for no scopes.
    pub auto_approve_cidrs: Vec<String>,
}

impl Default for Pairing {
    fn default() -> Self {
        Self {
            auto_approve_local: true,
            auto_approve_cidrs: Vec::new(),
        }
    }
}
