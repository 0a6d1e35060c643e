//! `cron`: work that begins by the clock. The jobs themselves are no part of the document.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Work that begins by the clock.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Cron {
    /// Whether jobs run by themselves. Jobs can be added and changed all the same.
    pub enabled: bool,
    /// Whether a time that was missed, because the gateway was away, is left out for jobs that say nothing about it. False: the
    /// last one runs late, if it is no more than an hour late, or a day for a job that runs once.
    pub skip_missed_jobs: bool,
}

impl Default for Cron {
    fn default() -> Self {
        Self {
            enabled: true,
            skip_missed_jobs: false,
        }
    }
}
