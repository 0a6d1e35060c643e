//! What every account may say, whatever its platform: the same keys with the same bounds in every channel. A platform's own file
//! has what is its own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policies::{Policies, SendRate};

/// The largest file that is taken, in MB, unless the document says otherwise: what Telegram's own server gives a bot.
const MEDIA_MAX_MB: u32 = 20;

/// The keys of every account.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Common {
    /// Its name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// False: the account stays off. Unset: on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// How fast to send, all chats together. Unset: what the platform bears; beyond that Gatehouse keeps to what it allows in one chat.
    /// At once and then in a second: Discord 25 and 20, IRC 5 and 0.5, Signal 10 and 2, Slack 20 and 5, Telegram 30 and 25, a webhook
    /// 50 and 20, WhatsApp 20 and 15.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<SendRate>,
    /// Whether the account runs in a process of its own, so that nothing that goes wrong there holds up another account: it costs some
    /// 10 MiB, and may take 256. Unset: no. A channel of a plugin is the plugin's process in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub isolate: Option<bool>,
    /// Who may talk.
    #[serde(flatten)]
    pub policies: Policies,
}

/// The keys of an account that says long answers in several messages.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct LongAnswers {
    /// The most messages in which one answer is sent, each as long as the platform takes it; the last of them says how many more
    /// there are, and "more" sends the next ones. Unset: 10, of WhatsApp 5, and 130 requests of a webhook, which is the longest answer there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2, max = 1_000))]
    pub max_messages: Option<u32>,
}

impl LongAnswers {
    /// Messages of one answer, this many unless the document says otherwise.
    pub fn parts_max(&self, unset: usize) -> usize {
        self.max_messages
            .map_or(unset, |messages| messages.max(2) as usize)
    }
}

/// The keys of an account in which people send files.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Files {
    /// The largest picture, recording or file that is taken, in MB. Unset: 20, and Telegram's own server gives a bot none above.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_000))]
    pub media_max_mb: Option<u32>,
}

impl Files {
    /// The largest file, in bytes.
    pub fn bytes_max(&self) -> u64 {
        u64::from(self.media_max_mb.unwrap_or(MEDIA_MAX_MB).max(1)) * 1_000_000
    }
}

/// The keys of an account that shows an answer while it is being written.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct WhileWriting {
    /// Whether an answer is shown while it is being written: `off`, `preview`, or `block` for finished paragraphs only. Unset:
    /// `preview`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub streaming: Option<Streaming>,
}

/// The keys of an account on a platform where messages can be reacted to.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct Acknowledging {
    /// How a message that is going to be answered is reacted to, for example `"👀"`. Telegram has a list of emoji for reactions and
    /// takes no other; Slack takes names as well (`"eyes"`), also those of a workspace's own. Unset: not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ack_reaction: Option<String>,
}

/// Whether an answer is shown in its chat while it is being written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Streaming {
    /// Only whole answers.
    Off,
    /// What is written so far, as fast as the platform bears.
    #[default]
    Preview,
    /// The same, in OpenClaw's word.
    Partial,
    /// Finished paragraphs, lists and pieces of code.
    Block,
}
