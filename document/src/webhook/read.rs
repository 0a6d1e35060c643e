//! A webhook account, read: what stands in the document as what requests are judged and made by, or every mistake in it.

use url::Url;

use super::{BODY_BYTES, SECRET_BYTES_MIN, WebhookAccount};
use crate::{SecretInput, policies::SendRate, wrong::Wrong};

/// An account that can run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The key that signs what comes in.
    pub secret: SecretInput,
    /// Where replies go.
    pub callback_url: Option<Url>,
    /// The key that signs replies. Unset: `secret`.
    pub callback_secret: Option<SecretInput>,
    /// Above zero.
    pub rate_limit: Option<SendRate>,
    /// Whether the callback is told that somebody is being answered.
    pub typing: bool,
    /// The longest body of a request, in bytes, within [`BODY_BYTES`].
    pub body_bytes_max: Option<u32>,
    /// Whether signatures of the first version are taken.
    pub legacy_signature: bool,
}

impl WebhookAccount {
    /// Reads the account.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn read(&self) -> Result<Settings, Vec<Wrong>> {
        let mut wrong = Vec::new();
        let short = format!("must have {SECRET_BYTES_MIN} characters or more");
        match &self.secret {
            None => wrong.push(Wrong::new(
                &["secret"],
                "is required: the key that signs requests",
            )),
            Some(secret) if is_short(secret) => wrong.push(Wrong::new(&["secret"], short.clone())),
            Some(_) => {}
        }
        if self.callback_secret.as_ref().is_some_and(is_short) {
            wrong.push(Wrong::new(&["callbackSecret"], short));
        }
        let callback_url = match self.callback_url.as_deref().map(address).transpose() {
            Ok(url) => url,
            Err(found) => {
                wrong.push(found);
                None
            }
        };
        let (least, most) = BODY_BYTES;
        if self
            .max_body_bytes
            .is_some_and(|bytes| !(least..=most).contains(&bytes))
        {
            wrong.push(Wrong::new(
                &["maxBodyBytes"],
                format!("must be from {least} to {most}"),
            ));
        }
        wrong.extend(self.common.rate_limit.as_ref().and_then(SendRate::wrong));
        match &self.secret {
            Some(secret) if wrong.is_empty() => Ok(Settings {
                secret: secret.clone(),
                callback_url,
                callback_secret: self.callback_secret.clone(),
                rate_limit: self.common.rate_limit.clone(),
                typing: self.typing.unwrap_or(false),
                body_bytes_max: self.max_body_bytes,
                legacy_signature: self.legacy_signature.unwrap_or(true),
            }),
            _ => Err(wrong),
        }
    }
}

/// None, or a short one, could be guessed. What a reference leads to is judged when it is followed.
fn is_short(secret: &SecretInput) -> bool {
    secret
        .text()
        .is_some_and(|text| text.trim().len() < SECRET_BYTES_MIN)
}

/// The operator wrote it, so it may point into the operator's own network; what people say never becomes part of it.
fn address(text: &str) -> Result<Url, Wrong> {
    let wrong = |message: &str| Wrong::new(&["callbackUrl"], message);
    let url = Url::parse(text).map_err(|_| wrong("must be an address with http or https"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong("must be an address with http or https"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("must not carry credentials; callbacks are signed"));
    }
    Ok(url)
}
