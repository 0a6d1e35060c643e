//! What an operator writes under `channels.discord`, read and checked.

use gatehouse_core::Secret;
use gatehouse_document::{
    discord::{API_ROOT, DiscordAccount, Settings},
    telegram::ReplyToMode,
    wrong::told,
};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::{adapter::Rate, config::shape, platform::value::secret};

/// Discord bears fifty calls in a second from one bot; half of it is left for what is only shown.
const RATE: Rate = Rate {
    burst: 25,
    per_second: 20.0,
};
/// Messages of one answer, unless the operator says otherwise: 19,000 characters, at one in a second.
const MESSAGES_MAX: usize = 10;

#[derive(Clone, Debug)]
pub(crate) struct DiscordConfig {
    pub(super) token: Secret,
    /// Where the methods are.
    pub(super) api_root: Url,
    /// Whether that is Discord itself.
    pub(super) is_discord: bool,
    /// Which parts of an answer are replies.
    pub(super) reply_to: ReplyToMode,
    /// Whether a preview of a link is shown.
    pub(super) link_preview: bool,
    /// How fast to speak, all channels together.
    pub(super) rate: Rate,
    /// Whether the gateway's commands are offered behind Discord's own slash.
    pub(super) offers_commands: bool,
    /// The largest file that is fetched, in bytes.
    pub(super) media_bytes_max: u64,
    /// Parts of one answer.
    pub(super) max_messages: usize,
}

impl DiscordConfig {
    /// Reads an account.
    ///
    /// # Errors
    /// What is wrong, with the key. Never with the value of a secret.
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        let written = DiscordAccount::deserialize(value).map_err(|error| shape(&error))?;
        let Settings {
            token,
            api_root,
            reply_to_mode,
            link_preview,
            rate_limit,
        } = written.read().map_err(|wrong| told(&wrong))?;
        Ok(Self {
            token: secret("token", &token)?,
            is_discord: api_root.as_str() == API_ROOT,
            api_root,
            reply_to: reply_to_mode,
            link_preview,
            rate: rate_limit.map_or(RATE, Rate::from),
            offers_commands: written.commands.native.unwrap_or(true),
            media_bytes_max: written.files.bytes_max(),
            max_messages: written.answers.parts_max(MESSAGES_MAX),
        })
    }
}
