//! `plugins`: kept until Gatehouse loads plugins.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Kept, without effect yet.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Plugins(pub Map<String, Value>);

impl fmt::Debug for Plugins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Free-form, so a secret may be anywhere in it.
        f.debug_tuple("Plugins").field(&self.0.len()).finish()
    }
}
