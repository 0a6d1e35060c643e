//! `logging`: kept for people who come from OpenClaw.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Kept, without effect.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Logging(pub Map<String, Value>);

impl fmt::Debug for Logging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Free-form, so a secret may be anywhere in it.
        f.debug_tuple("Logging").field(&self.0.len()).finish()
    }
}
