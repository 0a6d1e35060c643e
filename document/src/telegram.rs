//! `channels.telegram`.

mod read;

pub use read::{API_ROOT, Settings};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    PathInput, SecretInput,
    account::{Acknowledging, Common, Files, LongAnswers, WhileWriting},
    section::channel,
};

channel!(
    /// Telegram, through a bot of yours. Without `accounts` the keys beside it describe one account, `default`; with it they hold for
    /// every account that does not say otherwise.
    Telegram, TelegramAccount, "channels.telegram"
);

/// One account: a bot.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct TelegramAccount {
    /// What every account says.
    #[serde(flatten)]
    pub common: Common,
    /// The token that @BotFather gave you, for example `123456:ABC-DEF`. Each account needs a bot of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bot_token: Option<SecretInput>,
    /// A file that holds `botToken` and nothing else; looked at where `botToken` is not set. A relative path starts at the folder of the
    /// configuration file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-file-of" = "botToken"))]
    pub token_file: Option<PathInput>,
    /// The address of a Bot API server of your own. The token is sent there. Unset: `https://api.telegram.org`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-address" = true))]
    pub api_root: Option<String>,
    /// The address under which Telegram reaches this gateway from outside: `https://<your domain>/webhooks/telegram/<account>`, on
    /// port 443, 80, 88 or 8443. Telegram brings messages there; `webhookSecret` is needed with it. Unset: Telegram is asked for
    /// messages, and nobody has to reach the gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-address" = true))]
    pub webhook_url: Option<String>,
    /// By which Telegram shows that it is Telegram: 16 to 256 letters, digits, `_` and `-`, of your own making.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_secret: Option<SecretInput>,
    /// A file that holds `webhookSecret` and nothing else; looked at where `webhookSecret` is not set. A relative path starts at the folder of the
    /// configuration file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-file-of" = "webhookSecret"))]
    pub webhook_secret_file: Option<PathInput>,
    /// Which parts of an answer quote the message that they answer. Unset: `off`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to_mode: Option<ReplyToMode>,
    /// Whether Telegram shows a preview of a link in an answer. Unset: not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_preview: Option<bool>,
    /// What is seen of an answer that is being written.
    #[serde(flatten)]
    pub while_writing: WhileWriting,
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

/// Which parts of an answer quote what they answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReplyToMode {
    /// None.
    #[default]
    Off,
    /// The first.
    First,
    /// Every one.
    All,
}
