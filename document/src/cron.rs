//! `cron`: work that begins by the clock. The jobs themselves are no part of the document.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretInput;

/// Work that begins by the clock.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Cron {
    /// Whether jobs run by themselves. Jobs can be added and changed all the same.
    pub enabled: bool,
    /// Whether a time that was missed, because the gateway was away, is left out for jobs that say nothing about it. False: the
    /// last one runs late, if it is no more than an hour late, or a day for a job that runs once.
    pub skip_missed_jobs: bool,
    /// What programs are shown that are told of runs (`delivery.mode: "webhook"`), as `Authorization: Bearer`. Unset: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_token: Option<SecretInput>,
    /// Where they may be.
    pub webhook_ssrf_policy: WebhookSsrfPolicy,
}

/// Where programs may be that are told of runs. On the Internet they may be anywhere.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct WebhookSsrfPolicy {
    /// Hosts on this machine or in its network that may be told, each as it stands in the address.
    pub allowed_hostnames: Vec<String>,
}

impl Default for Cron {
    fn default() -> Self {
        Self {
            enabled: true,
            skip_missed_jobs: false,
            webhook_token: None,
            webhook_ssrf_policy: WebhookSsrfPolicy::default(),
        }
    }
}
