//! `commands`: who may use what is typed behind a slash.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policies::Sender;

/// Who may use what is typed behind a slash.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Commands {
    /// Who owns the gateway, in chats: senders as `<channel>:<id>`, or ids that count on every channel. They may use every command
    /// wherever they may talk. Others may change a conversation only when they are in the list of those who may talk there, or
    /// were approved by a code. `*` is nobody: everybody cannot be the owner.
    pub owner_allow_from: Vec<Sender>,
}
