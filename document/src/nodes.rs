//! `gateway.nodes`: what nodes may be asked to do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Devices that do something for the assistant when they are asked.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Nodes {
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
