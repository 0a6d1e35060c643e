//! `channels.signal`.

mod read;

pub use read::{HTTP_URL, Settings};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    account::{Acknowledging, Common, Files, LongAnswers},
    section::channel,
};

channel!(
    /// Signal, through a signal-cli daemon of yours. Without `accounts` the keys beside it describe one account, `default`; with it they
    /// hold for every account that does not say otherwise.
    Signal, SignalAccount, "channels.signal"
);

/// One account: a phone number that signal-cli has registered or linked.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct SignalAccount {
    /// What every account says.
    #[serde(flatten)]
    pub common: Common,
    /// The phone number that signal-cli has registered or linked, for example `+491701234567`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Where the daemon listens (`signal-cli daemon --http 127.0.0.1:8080`). Whoever reaches it is the account: leave it on the same
    /// machine. Unset: `http://127.0.0.1:8080`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-address" = true))]
    pub http_url: Option<String>,
    /// Whether people see that a message of theirs was read, as soon as it is going to be answered. Unset: not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub send_read_receipts: Option<bool>,
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
