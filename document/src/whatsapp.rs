//! `channels.whatsapp`.

mod read;

pub use read::{API_ROOT, Settings};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    PathInput, SecretInput,
    account::{Acknowledging, Common, Files, LongAnswers},
    section::channel,
};

channel!(
    /// WhatsApp, through the Cloud API of a business. Without `accounts` the keys beside it describe one account, `default`; with it they
    /// hold for every account that does not say otherwise.
    Whatsapp, WhatsappAccount, "channels.whatsapp"
);

/// One account: a phone number of a business.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct WhatsappAccount {
    /// What every account says.
    #[serde(flatten)]
    pub common: Common,
    /// The id of the phone number (*WhatsApp*, *API Setup*), which is not the number itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number_id: Option<String>,
    /// The access token of a system user with the permission `whatsapp_business_messaging`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token: Option<SecretInput>,
    /// A file that holds `accessToken` and nothing else; looked at where `accessToken` is not set. A relative path starts at the folder of the
    /// configuration file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-file-of" = "accessToken"))]
    pub access_token_file: Option<PathInput>,
    /// What Meta signs its requests with (*App settings*, *Basic*, *App secret*). They come in at
    /// `POST /webhooks/whatsapp/<account>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_secret: Option<SecretInput>,
    /// A file that holds `appSecret` and nothing else; looked at where `appSecret` is not set. A relative path starts at the folder of the
    /// configuration file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-file-of" = "appSecret"))]
    pub app_secret_file: Option<PathInput>,
    /// A word of your own that Meta says when it looks whether the address is yours (*Configuration*, *Verify token*): 8 characters or
    /// more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify_token: Option<SecretInput>,
    /// A file that holds `verifyToken` and nothing else; looked at where `verifyToken` is not set. A relative path starts at the folder of the
    /// configuration file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-file-of" = "verifyToken"))]
    pub verify_token_file: Option<PathInput>,
    /// Where Meta's methods are, for a server of your own. The access token is sent there. Unset: `https://graph.facebook.com/v26.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-address" = true))]
    pub api_root: Option<String>,
    /// Whether WhatsApp shows a preview of a link in an answer. Unset: not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_preview: Option<bool>,
    /// How it says that it took a message.
    #[serde(flatten)]
    pub acknowledging: Acknowledging,
    /// How long its answers may be.
    #[serde(flatten)]
    pub answers: LongAnswers,
    /// What people send.
    #[serde(flatten)]
    pub files: Files,
}
