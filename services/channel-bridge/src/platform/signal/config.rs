//! What an operator writes under `channels.signal`, read and checked.

use gatehouse_document::{
    signal::{Settings, SignalAccount},
    wrong::told,
};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::{adapter::Rate, config::shape};

/// Signal names no figure and asks those for a proof who are too fast; this is how fast a person is.
const RATE: Rate = Rate {
    burst: 10,
    per_second: 2.0,
};
/// Messages of one answer, unless the operator says otherwise.
const MESSAGES_MAX: usize = 10;

#[derive(Clone, Debug)]
pub(crate) struct SignalConfig {
    /// The phone number, with a plus.
    pub(super) account: String,
    /// Where the daemon is.
    pub(super) http_url: Url,
    /// Whether people see that a message was read.
    pub(super) read_receipts: bool,
    /// How fast to speak, all chats together.
    pub(super) rate: Rate,
    /// The largest file that is fetched, in bytes.
    pub(super) media_bytes_max: u64,
    /// Parts of one answer.
    pub(super) max_messages: usize,
}

impl SignalConfig {
    /// Reads an account.
    ///
    /// # Errors
    /// What is wrong, with the key.
    pub(super) fn read(value: &Value) -> Result<Self, String> {
        let written = SignalAccount::deserialize(value).map_err(|error| shape(&error))?;
        let Settings {
            account,
            http_url,
            send_read_receipts,
            rate_limit,
        } = written.read().map_err(|wrong| told(&wrong))?;
        Ok(Self {
            account,
            http_url,
            read_receipts: send_read_receipts,
            rate: rate_limit.map_or(RATE, Rate::from),
            media_bytes_max: written.files.bytes_max(),
            max_messages: written.answers.parts_max(MESSAGES_MAX),
        })
    }
}
