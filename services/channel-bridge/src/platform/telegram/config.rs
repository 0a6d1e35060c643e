//! What an operator writes under `channels.telegram`, read and checked.

use gatehouse_core::Secret;
use gatehouse_document::{
    telegram::{ReplyToMode, Settings, TelegramAccount},
    wrong::told,
};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::{adapter::Rate, config::shape, platform::value::secret};

/// Telegram bears about thirty a second from one bot (Bot API FAQ); a little less leaves room for what is only shown.
const RATE: Rate = Rate {
    burst: 30,
    per_second: 25.0,
};
/// Messages of one answer, unless the operator says otherwise: 40,000 characters, at one in a second.
const MESSAGES_MAX: usize = 10;

#[derive(Clone, Debug)]
pub(crate) struct TelegramConfig {
    pub(super) token: Secret,
    /// Where the methods are.
    pub(super) api_root: Url,
    /// Which parts of an answer quote what they answer.
    pub(super) reply_to: ReplyToMode,
    /// Whether a preview of a link is shown.
    pub(super) link_preview: bool,
    /// How fast to speak, all chats together.
    pub(super) rate: Rate,
    /// The largest file that is fetched, in bytes.
    pub(super) media_bytes_max: u64,
    /// Parts of one answer.
    pub(super) max_messages: usize,
    /// Where Telegram brings messages. Unset: it is asked for them.
    pub(super) hook: Option<Hook>,
}

/// Where Telegram brings messages, and how it shows that it is Telegram.
#[derive(Clone, Debug)]
pub(crate) struct Hook {
    pub(super) url: Url,
    pub(super) secret: Secret,
}

impl TelegramConfig {
    /// Reads an account.
    ///
    /// # Errors
    /// What is wrong, with the key. Never with the value of a secret.
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        let written = TelegramAccount::deserialize(value).map_err(|error| shape(&error))?;
        let Settings {
            bot_token,
            api_root,
            reply_to_mode,
            link_preview,
            rate_limit,
            webhook,
        } = written.read().map_err(|wrong| told(&wrong))?;
        let hook = webhook.map(|(url, shown)| {
            Ok::<_, String>(Hook {
                url,
                secret: secret("webhookSecret", &shown)?,
            })
        });
        Ok(Self {
            hook: hook.transpose()?,
            token: secret("botToken", &bot_token)?,
            api_root,
            reply_to: reply_to_mode,
            link_preview,
            rate: rate_limit.map_or(RATE, Rate::from),
            media_bytes_max: written.files.bytes_max(),
            max_messages: written.answers.parts_max(MESSAGES_MAX),
        })
    }
}
