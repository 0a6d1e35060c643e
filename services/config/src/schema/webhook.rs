//! `channels.webhook`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    SecretInput,
    channels::{Policies, SendRate},
};

/// Signed HTTP requests in both directions. Messages come in at `POST /webhooks/webhook/<account>`. Without `accounts` the
/// keys beside it describe one account, `default`; with it they hold for every account that does not say otherwise.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Webhook {
    /// The one account, or what holds for all.
    #[serde(flatten)]
    pub account: WebhookAccount,
    /// The accounts by id.
    #[schemars(extend("x-same-as" = "channels.webhook"))]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub accounts: BTreeMap<String, WebhookAccount>,
    /// The account that is meant when none is named. Unset: `default`, else the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_account: Option<String>,
}

/// One account: a program of yours.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct WebhookAccount {
    /// Its name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// False: the account stays off. Unset: on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The key that signs requests to Gatehouse: 16 characters or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretInput>,
    /// Where replies are sent. Unset: replies of this account cannot be delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-address" = true))]
    pub callback_url: Option<String>,
    /// The key that signs replies: 16 characters or more. Unset: `secret`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callback_secret: Option<SecretInput>,
    /// How fast to send. Unset: fifty at once, then twenty in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<SendRate>,
    /// True: `callbackUrl` is also told when somebody is being answered. Unset: not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typing: Option<bool>,
    /// Who may talk.
    #[serde(flatten)]
    pub policies: Policies,
}
