//! A Telegram account, read: what stands in the document as what a bot is run by, or every mistake in it.

use url::Url;

use super::{ReplyToMode, TelegramAccount};
use crate::{
    SecretInput,
    policies::SendRate,
    wrong::{Wrong, root},
};

/// Where Telegram itself answers.
pub const API_ROOT: &str = "https://api.telegram.org";

/// The longest token, in bytes. Telegram's have about 46.
const TOKEN_BYTES_MAX: usize = 256;

/// An account that can run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the bot shows Telegram.
    pub bot_token: SecretInput,
    /// Where the methods are, without a slash at its end.
    pub api_root: Url,
    /// Which parts of an answer quote what they answer.
    pub reply_to_mode: ReplyToMode,
    /// Whether a preview of a link is shown.
    pub link_preview: bool,
    /// Above zero.
    pub rate_limit: Option<SendRate>,
    /// Where Telegram brings messages, and the secret that it shows there.
    pub webhook: Option<(Url, SecretInput)>,
}

impl TelegramAccount {
    /// Reads the account.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn read(&self) -> Result<Settings, Vec<Wrong>> {
        let mut wrong = Vec::new();
        match &self.bot_token {
            None => wrong.push(Wrong::new(
                &["botToken"],
                "is required: the token that @BotFather gives for a bot (/newbot)",
            )),
            Some(token) if token.text().is_some_and(|text| !is_token(text)) => wrong.push(Wrong::new(
                &["botToken"],
                "must look like 123456:ABC-DEF, as @BotFather gives it",
            )),
            Some(_) => {}
        }
        let api_root = root(
            &["apiRoot"],
            self.api_root.as_deref().unwrap_or(API_ROOT),
            &mut wrong,
        );
        let webhook = match self.webhook() {
            Ok(webhook) => webhook,
            Err(found) => {
                wrong.push(found);
                None
            }
        };
        wrong.extend(self.common.rate_limit.as_ref().and_then(SendRate::wrong));
        match (&self.bot_token, api_root) {
            (Some(bot_token), Some(api_root)) if wrong.is_empty() => Ok(Settings {
                bot_token: bot_token.clone(),
                api_root,
                reply_to_mode: self.reply_to_mode.unwrap_or_default(),
                link_preview: self.link_preview.unwrap_or(false),
                rate_limit: self.common.rate_limit.clone(),
                webhook,
            }),
            _ => Err(wrong),
        }
    }
}

impl TelegramAccount {
    fn webhook(&self) -> Result<Option<(Url, SecretInput)>, Wrong> {
        let at = |message: &str| Wrong::new(&["webhookUrl"], message);
        let Some(text) = &self.webhook_url else {
            return match self.webhook_secret {
                Some(_) => Err(Wrong::new(
                    &["webhookSecret"],
                    "means nothing without webhookUrl: set both, or none",
                )),
                None => Ok(None),
            };
        };
        let url = Url::parse(text).map_err(|_| {
            at("must be an address, for example https://home.example.org/webhooks/telegram/default")
        })?;
        let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        if url.scheme() != "https" || url.host().is_none() || !is_plain {
            return Err(at(
                "must be an address with https and without credentials: Telegram comes to no other",
            ));
        }
        if !matches!(url.port_or_known_default(), Some(443 | 80 | 88 | 8443)) {
            return Err(at(
                "must be on port 443, 80, 88 or 8443: Telegram comes to no other",
            ));
        }
        match &self.webhook_secret {
            None => Err(Wrong::new(
                &["webhookSecret"],
                "is required with webhookUrl: without it anybody could say anything in anybody's name",
            )),
            Some(secret) if secret.text().is_some_and(|text| !is_shown(text)) => Err(Wrong::new(
                &["webhookSecret"],
                "must be 16 to 256 letters, digits, _ and -",
            )),
            Some(secret) => Ok(Some((url, secret.clone()))),
        }
    }
}

/// Whether Telegram shows such a secret, and nobody guesses it.
fn is_shown(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    text.contains("${") || ((16..=256).contains(&text.len()) && text.chars().all(plain))
}

/// It becomes a part of an address, so it may hold nothing that means something there.
fn is_token(text: &str) -> bool {
    // `${ENV_NAME}` is followed before the account runs.
    let waits = text.contains("${");
    let whole = text.split_once(':').is_some_and(|(bot, key)| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        !bot.is_empty()
            && bot.chars().all(|c| c.is_ascii_digit())
            && !key.is_empty()
            && key.chars().all(plain)
    });
    waits || (whole && text.len() <= TOKEN_BYTES_MAX)
}
