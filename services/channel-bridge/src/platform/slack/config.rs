//! What an operator writes under `channels.slack`, read and checked.

use gatehouse_core::Secret;
use gatehouse_document::{
    slack::{self, Settings, SlackAccount},
    telegram::ReplyToMode,
    wrong::told,
};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::{adapter::Rate, config::shape, platform::value::secret};

/// Slack names no figure for all channels together ("several hundred a minute"); this is well below.
const RATE: Rate = Rate {
    burst: 20,
    per_second: 5.0,
};
/// Messages of one answer, unless the operator says otherwise: 40,000 characters, at one in a second.
const MESSAGES_MAX: usize = 10;

/// Where messages come in.
#[derive(Clone, Debug)]
pub(super) enum Door {
    /// Over a socket, opened with the app's token.
    Socket,
    /// As requests that are signed with this.
    Http(Secret),
}

#[derive(Clone, Debug)]
pub(crate) struct SlackConfig {
    pub(super) bot_token: Secret,
    /// Only there where a socket is opened with it.
    pub(super) app_token: Option<Secret>,
    pub(super) door: Door,
    /// Where the methods are.
    pub(super) api_root: Url,
    /// Whether that is Slack itself.
    pub(super) is_slack: bool,
    /// Which parts of an answer go into a thread below what they answer.
    pub(super) reply_to: ReplyToMode,
    /// Whether a preview of a link is shown.
    pub(super) link_preview: bool,
    /// How fast to speak, all channels together.
    pub(super) rate: Rate,
    /// The largest file that is fetched, in bytes.
    pub(super) media_bytes_max: u64,
    /// Parts of one answer.
    pub(super) max_messages: usize,
}

impl SlackConfig {
    /// Reads an account.
    ///
    /// # Errors
    /// What is wrong, with the key. Never with the value of a secret.
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        let written = SlackAccount::deserialize(value).map_err(|error| shape(&error))?;
        let Settings {
            bot_token,
            door,
            api_root,
            reply_to_mode,
            link_preview,
            rate_limit,
        } = written.read().map_err(|wrong| told(&wrong))?;
        let (door, app_token) = match door {
            slack::Door::Socket(token) => (Door::Socket, Some(secret("appToken", &token)?)),
            slack::Door::Http(signing) => (Door::Http(secret("signingSecret", &signing)?), None),
        };
        Ok(Self {
            bot_token: secret("botToken", &bot_token)?,
            app_token,
            door,
            is_slack: api_root.as_str() == slack::API_ROOT,
            api_root,
            reply_to: reply_to_mode,
            link_preview,
            rate: rate_limit.map_or(RATE, Rate::from),
            media_bytes_max: written.files.bytes_max(),
            max_messages: written.answers.parts_max(MESSAGES_MAX),
        })
    }
}
