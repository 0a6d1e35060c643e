//! What an operator writes under `channels.webhook`, read and checked.

use gatehouse_core::Secret;
use gatehouse_document::{
    webhook::{Settings, WebhookAccount},
    wrong::told,
};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::{adapter::Rate, config::shape, platform::value::secret};

/// Fifty at once, then twenty a second: far below what a small receiver bears.
const RATE: Rate = Rate {
    burst: 50,
    per_second: 20.0,
};
/// The longest body of a request, in bytes, unless the operator allows more: what comes without a valid signature is read too.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// Parts of one answer, unless the operator says otherwise: 4 MiB in all, the most that an answer may have.
const MESSAGES_MAX: usize = 130;

#[derive(Clone, Debug)]
pub(crate) struct WebhookConfig {
    /// Signs what comes in.
    pub(crate) secret: Secret,
    /// Where replies go. Unset: the account only listens.
    pub(crate) callback_url: Option<Url>,
    /// Signs what goes out; the same as `secret` when unset.
    pub(crate) callback_secret: Secret,
    /// How fast to speak.
    pub(crate) rate: Rate,
    /// Parts of one answer.
    pub(crate) max_messages: usize,
    /// Whether the callback is told that somebody is being answered.
    pub(crate) typing: bool,
    /// The longest body of a request, in bytes.
    pub(crate) body_bytes_max: usize,
    /// Whether signatures of the first version are taken, and sent beside those of the second.
    pub(crate) legacy_signature: bool,
}

impl WebhookConfig {
    /// Reads an account.
    ///
    /// # Errors
    /// What is wrong, with the key. Never with the value of a secret.
    pub(crate) fn read(value: &Value) -> Result<Self, String> {
        let written = WebhookAccount::deserialize(value).map_err(|error| shape(&error))?;
        let Settings {
            secret: signs,
            callback_url,
            callback_secret,
            rate_limit,
            typing,
            body_bytes_max,
            legacy_signature,
        } = written.read().map_err(|wrong| told(&wrong))?;
        let signs = secret("secret", &signs)?;
        let callback_secret = callback_secret.map(|input| secret("callbackSecret", &input));
        Ok(Self {
            callback_secret: callback_secret.transpose()?.unwrap_or_else(|| signs.clone()),
            secret: signs,
            callback_url,
            rate: rate_limit.map_or(RATE, Rate::from),
            typing,
            body_bytes_max: body_bytes_max.map_or(BODY_BYTES_MAX, |bytes| bytes as usize),
            legacy_signature,
            max_messages: written.answers.parts_max(MESSAGES_MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::WebhookConfig;

    const SECRET: &str = "a secret of some length";

    #[test]
    fn a_missing_blank_or_short_secret_is_refused() {
        for value in [
            json!({}),
            json!({"secret": ""}),
            json!({"secret": " ".repeat(40)}),
            json!({"secret": "short"}),
        ] {
            assert!(
                WebhookConfig::read(&value).unwrap_err().contains("secret"),
                "{value}"
            );
        }
    }

    #[test]
    fn the_callback_is_http_without_credentials() {
        for url in [
            "ftp://x/",
            "file:///etc/passwd",
            "http://user:pass@x/",
            "not a url",
            "data:text/plain,x",
        ] {
            let error = WebhookConfig::read(&json!({"secret": SECRET, "callbackUrl": url})).unwrap_err();
            assert!(error.contains("callbackUrl"), "{url}: {error}");
        }
        assert!(
            WebhookConfig::read(&json!({"secret": SECRET, "callbackUrl": "http://127.0.0.1:1/x"})).is_ok()
        );
    }
}
