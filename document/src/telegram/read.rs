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
        wrong.extend(self.common.rate_limit.as_ref().and_then(SendRate::wrong));
        match (&self.bot_token, api_root) {
            (Some(bot_token), Some(api_root)) if wrong.is_empty() => Ok(Settings {
                bot_token: bot_token.clone(),
                api_root,
                reply_to_mode: self.reply_to_mode.unwrap_or_default(),
                link_preview: self.link_preview.unwrap_or(false),
                rate_limit: self.common.rate_limit.clone(),
            }),
            _ => Err(wrong),
        }
    }
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
