//! `channels.webhook`.

mod read;

pub use read::Settings;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    SecretInput,
    policies::{Policies, SendRate},
};

/// The shortest key, in bytes: a shorter one can be guessed from one signed request.
pub const SECRET_BYTES_MIN: usize = 16;

/// The longest body of a request, in bytes: the least and the most that an operator may allow. The contract declares the most.
pub const BODY_BYTES: (u32, u32) = (1_024, 1_048_576);

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
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub accounts: IndexMap<String, WebhookAccount>,
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
    /// The most requests in which one answer is sent, each with at most 32 KiB of text; the last of them says how many more there
    /// are, and "more" sends the next ones. Unset: 130, which is the longest answer there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 1_000))]
    pub max_messages: Option<u32>,
    /// True: `callbackUrl` is also told when somebody is being answered. Unset: not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typing: Option<bool>,
    /// The longest body of a request, in bytes. Unset: 65536.
    #[schemars(range(min = BODY_BYTES.0, max = BODY_BYTES.1))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_body_bytes: Option<u32>,
    /// Whether requests with the old signature (`x-gatehouse-signature` alone) are taken, and replies bear it too. It is good for
    /// every account with the same secret. Unset: yes, with a warning; the next release takes none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub legacy_signature: Option<bool>,
    /// Who may talk.
    #[serde(flatten)]
    pub policies: Policies,
}
