//! A Discord account, read: what stands in the document as what a bot is run by, or every mistake in it.

use url::Url;

use super::DiscordAccount;
use crate::{
    SecretInput,
    policies::SendRate,
    telegram::ReplyToMode,
    wrong::{Wrong, root},
};

/// Where Discord itself answers.
pub const API_ROOT: &str = "https://discord.com/api/v10";

/// The longest token, in bytes. Discord's have about 72.
const TOKEN_BYTES_MAX: usize = 256;

/// An account that can run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the bot shows Discord.
    pub token: SecretInput,
    /// Where the methods are, without a slash at its end.
    pub api_root: Url,
    /// Which parts of an answer are replies.
    pub reply_to_mode: ReplyToMode,
    /// Whether a preview of a link is shown.
    pub link_preview: bool,
    /// Above zero.
    pub rate_limit: Option<SendRate>,
}

impl DiscordAccount {
    /// Reads the account.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn read(&self) -> Result<Settings, Vec<Wrong>> {
        let mut wrong = Vec::new();
        match &self.token {
            None => wrong.push(Wrong::new(
                &["token"],
                "is required: the bot's token (discord.com/developers/applications, Bot, Reset Token)",
            )),
            Some(token) if token.text().is_some_and(|text| !is_token(text)) => wrong.push(Wrong::new(
                &["token"],
                "must be the bot's token alone, without \"Bot\" in front (Bot, Reset Token)",
            )),
            Some(_) => {}
        }
        let api_root = root(
            &["apiRoot"],
            self.api_root.as_deref().unwrap_or(API_ROOT),
            &mut wrong,
        );
        wrong.extend(self.common.rate_limit.as_ref().and_then(SendRate::wrong));
        match (&self.token, api_root) {
            (Some(token), Some(api_root)) if wrong.is_empty() => Ok(Settings {
                token: token.clone(),
                api_root,
                reply_to_mode: self.reply_to_mode.unwrap_or_default(),
                link_preview: self.link_preview.unwrap_or(false),
                rate_limit: self.common.rate_limit.clone(),
            }),
            _ => Err(wrong),
        }
    }
}

/// It becomes a part of a header.
fn is_token(text: &str) -> bool {
    // `${ENV_NAME}` is followed before the account runs.
    let one = !text.is_empty() && text.len() <= TOKEN_BYTES_MAX && text.chars().all(|c| c.is_ascii_graphic());
    text.contains("${") || one
}
