//! What an operator writes under `channels.whatsapp`, read and checked.

use gatehouse_core::Secret;
use gatehouse_document::{
    whatsapp::{API_ROOT, Settings, WhatsappAccount},
    wrong::told,
};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::{adapter::Rate, config::shape, platform::value::secret};

/// Meta bears eighty messages in a second from one number, and twenty from one that is on a phone as well.
const RATE: Rate = Rate {
    burst: 20,
    per_second: 15.0,
};
/// Messages of one answer, unless the operator says otherwise: at one in six seconds a person gets no more in half a minute.
const MESSAGES_MAX: usize = 5;

#[derive(Clone, Debug)]
pub(crate) struct WhatsappConfig {
    pub(super) phone_number_id: String,
    pub(super) access_token: Secret,
    /// Signs what comes in.
    pub(super) app_secret: Secret,
    /// What Meta says when it looks whether the address is ours.
    pub(super) verify_token: Secret,
    /// Where the methods are.
    pub(super) api_root: Url,
    /// Whether that is Meta itself.
    pub(super) is_meta: bool,
    /// Whether a preview of a link is shown.
    pub(super) link_preview: bool,
    /// How fast to speak, all chats together.
    pub(super) rate: Rate,
    /// The largest file that is fetched, in bytes.
    pub(super) media_bytes_max: u64,
    /// Parts of one answer.
    pub(super) max_messages: usize,
}

impl WhatsappConfig {
    /// Reads an account.
    ///
    /// # Errors
    /// What is wrong, with the key. Never with the value of a secret.
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        let written = WhatsappAccount::deserialize(value).map_err(|error| shape(&error))?;
        let Settings {
            phone_number_id,
            access_token,
            app_secret,
            verify_token,
            api_root,
            link_preview,
            rate_limit,
        } = written.read().map_err(|wrong| told(&wrong))?;
        Ok(Self {
            phone_number_id,
            access_token: secret("accessToken", &access_token)?,
            app_secret: secret("appSecret", &app_secret)?,
            verify_token: secret("verifyToken", &verify_token)?,
            is_meta: api_root.as_str() == API_ROOT,
            api_root,
            link_preview,
            rate: rate_limit.map_or(RATE, Rate::from),
            media_bytes_max: written.files.bytes_max(),
            max_messages: written.answers.parts_max(MESSAGES_MAX),
        })
    }
}
