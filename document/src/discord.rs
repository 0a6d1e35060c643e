//! `channels.discord`.

mod read;

pub use read::{API_ROOT, Settings};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    PathInput, SecretInput,
    account::{Acknowledging, Common, Files, LongAnswers, WhileWriting},
    section::channel,
    telegram::ReplyToMode,
};

channel!(
    /// Discord, through a bot of yours. Without `accounts` the keys beside it describe one account, `default`; with it they hold for
    /// every account that does not say otherwise.
    Discord, DiscordAccount, "channels.discord"
);

/// One account: a bot.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct DiscordAccount {
    /// What every account says.
    #[serde(flatten)]
    pub common: Common,
    /// The bot's token (*Bot*, *Reset Token*). Each account needs a bot of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretInput>,
    /// A file that holds `token` and nothing else; looked at where `token` is not set. A relative path starts at the folder of the
    /// configuration file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-file-of" = "token"))]
    pub token_file: Option<PathInput>,
    /// Where Discord's methods are, for a server of your own. The token is sent there, and to the gateway that it names. Unset:
    /// `https://discord.com/api/v10`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-address" = true))]
    pub api_root: Option<String>,
    /// Which parts of an answer are replies to the message that they answer. Unset: `off`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to_mode: Option<ReplyToMode>,
    /// Whether Discord shows a preview of a link in an answer. Unset: not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link_preview: Option<bool>,
    /// What is offered behind Discord's own slash.
    pub commands: NativeCommands,
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

/// What is offered behind Discord's own slash.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NativeCommands {
    /// Whether Discord lists the commands of the gateway when somebody types a slash. Other commands of the bot stay. Unset: yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native: Option<bool>,
}
