//! `gateway.controlUi`: pages in a browser.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::PathInput;

/// Pages in a browser.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ControlUi {
    /// Whether a page is served at the gateway's address: the gateway's own, or the Control UI that `root` names.
    pub enabled: bool,
    /// The folder of a built Control UI, which is served at the gateway's own address in place of the gateway's own page; `gatehouse up --control-ui DIR` goes before it. Everybody
    /// who reaches the gateway can read what is in it. Only set by editing the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-by-hand" = true))]
    pub root: Option<PathInput>,
    /// The path below which that page stands, for example `/claw`. Unset: at the root of the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_path: Option<String>,
    /// Origins other than the gateway's own whose pages may connect, for example `https://ui.example.org`.
    pub allowed_origins: Vec<String>,
}

impl Default for ControlUi {
    fn default() -> Self {
        Self {
            enabled: true,
            root: None,
            base_path: None,
            allowed_origins: Vec::new(),
        }
    }
}
