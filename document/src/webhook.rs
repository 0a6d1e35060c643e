//! `channels.webhook`.

mod read;

pub use read::Settings;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    SecretInput,
    account::{Common, LongAnswers},
    section::channel,
};

/// The shortest key, in bytes: a shorter one can be guessed from one signed request.
pub const SECRET_BYTES_MIN: usize = 16;

/// The longest body of a request, in bytes: the least and the most that an operator may allow. The contract declares the most.
pub const BODY_BYTES: (u32, u32) = (1_024, 1_048_576);

channel!(
    /// Signed HTTP requests in both directions. Messages come in at `POST /webhooks/webhook/<account>`. Without `accounts` the
    /// keys beside it describe one account, `default`; with it they hold for every account that does not say otherwise.
    Webhook, WebhookAccount, "channels.webhook"
);

/// One account: a program of yours.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct WebhookAccount {
    /// What every account says.
    #[serde(flatten)]
    pub common: Common,
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
    /// How long its answers may be.
    #[serde(flatten)]
    pub answers: LongAnswers,
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
}
