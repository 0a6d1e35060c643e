//! `channels.telegram`.

mod read;

pub use read::{API_ROOT, Settings};

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    SecretInput,
    channels::Streaming,
    policies::{Policies, SendRate},
};

/// Telegram, through a bot of yours. Without `accounts` the keys beside it describe one account, `default`; with it they hold for
/// every account that does not say otherwise.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Telegram {
    /// The one account, or what holds for all.
    #[serde(flatten)]
    pub account: TelegramAccount,
    /// The accounts by id.
    #[schemars(extend("x-same-as" = "channels.telegram"))]
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub accounts: IndexMap<String, TelegramAccount>,
    /// The account that is meant when none is named. Unset: `default`, else the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_account: Option<String>,
}

/// One account: a bot.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct TelegramAccount {
    /// Its name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// False: the account stays off. Unset: on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The token that @BotFather gave you, for example `123456:ABC-DEF`. Each account needs a bot of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bot_token: Option<SecretInput>,
    /// The address of a Bot API server of your own. The token is sent there. Unset: `https://api.telegram.org`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-address" = true))]
    pub api_root: Option<String>,
    /// Which parts of an answer quote the message that they answer. Unset: `off`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to_mode: Option<ReplyToMode>,
    /// Whether Telegram shows a preview of a link in an answer. Unset: not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_preview: Option<bool>,
    /// Whether an answer is shown while it is being written: `off`, `preview`, or `block` for finished paragraphs only. Unset:
    /// `preview`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub streaming: Option<Streaming>,
    /// How fast to send, all chats together. Unset: thirty at once, then twenty-five in a second. Into one chat Telegram allows
    /// one in a second, and Gatehouse keeps to that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<SendRate>,
    /// The most messages in which one answer is sent, each with at most 4096 characters; the last of them says how many more there
    /// are, and "more" sends the next ones. Unset: 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 1_000))]
    pub max_messages: Option<u32>,
    /// The largest picture, recording or file that is taken, in MB. Telegram's own server gives a bot none above 20. Unset: 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_000))]
    pub media_max_mb: Option<u32>,
    /// Who may talk.
    #[serde(flatten)]
    pub policies: Policies,
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
