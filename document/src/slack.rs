//! `channels.slack`.

mod read;

pub use read::{API_ROOT, Door, Settings};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    PathInput, SecretInput,
    account::{Acknowledging, Common, Files, LongAnswers, WhileWriting},
    section::channel,
    telegram::ReplyToMode,
};

channel!(
    /// Slack, through an app of yours. Without `accounts` the keys beside it describe one account, `default`; with it they hold for
    /// every account that does not say otherwise.
    Slack, SlackAccount, "channels.slack"
);

/// One account: an app in a workspace.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct SlackAccount {
    /// What every account says.
    #[serde(flatten)]
    pub common: Common,
    /// How messages come in. Unset: `socket`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<SlackMode>,
    /// The bot's token, which begins with `xoxb-` (*OAuth & Permissions*). Each account needs an app of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bot_token: Option<SecretInput>,
    /// A file that holds `botToken` and nothing else; looked at where `botToken` is not set. A relative path starts at the folder of the
    /// configuration file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-file-of" = "botToken"))]
    pub bot_token_file: Option<PathInput>,
    /// The app's token, which begins with `xapp-` and has the scope `connections:write` (*Basic Information*, *App-Level Tokens*).
    /// Needed with `mode: "socket"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_token: Option<SecretInput>,
    /// A file that holds `appToken` and nothing else; looked at where `appToken` is not set. A relative path starts at the folder of the
    /// configuration file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-file-of" = "appToken"))]
    pub app_token_file: Option<PathInput>,
    /// What Slack signs its requests with (*Basic Information*, *Signing Secret*). Needed with `mode: "http"`, where they come in at
    /// `POST /webhooks/slack/<account>`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_secret: Option<SecretInput>,
    /// A file that holds `signingSecret` and nothing else; looked at where `signingSecret` is not set. A relative path starts at the folder of the
    /// configuration file.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-file-of" = "signingSecret"))]
    pub signing_secret_file: Option<PathInput>,
    /// Where Slack's methods are, for a server of your own. The tokens are sent there. Unset: `https://slack.com/api`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-address" = true))]
    pub api_root: Option<String>,
    /// Which parts of an answer go into a thread below the message that they answer. What was asked in a thread is always answered
    /// there. With `all` each question begins a conversation of its own. Unset: `off`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to_mode: Option<ReplyToMode>,
    /// Whether Slack shows a preview of a link in an answer. Unset: not.
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

/// How messages come in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SlackMode {
    /// Over a socket that Gatehouse opens (Socket Mode). Needs no public address.
    #[default]
    Socket,
    /// As requests that Slack makes (Events API). Needs an address that Slack can reach.
    Http,
}
