//! A Slack account, read: what stands in the document as what an app is run by, or every mistake in it.

use url::Url;

use super::{SlackAccount, SlackMode};
use crate::{
    SecretInput,
    policies::SendRate,
    telegram::ReplyToMode,
    wrong::{Wrong, root},
};

/// Where Slack itself answers.
pub const API_ROOT: &str = "https://slack.com/api";

/// Where messages come in.
#[derive(Clone, Debug)]
pub enum Door {
    /// Over a socket that is opened with this token.
    Socket(SecretInput),
    /// As requests that are signed with this secret.
    Http(SecretInput),
}

/// An account that can run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the bot shows Slack.
    pub bot_token: SecretInput,
    /// Where messages come in.
    pub door: Door,
    /// Where the methods are, without a slash at its end.
    pub api_root: Url,
    /// Which parts of an answer go into a thread below what they answer.
    pub reply_to_mode: ReplyToMode,
    /// Whether a preview of a link is shown.
    pub link_preview: bool,
    /// Above zero.
    pub rate_limit: Option<SendRate>,
}

impl SlackAccount {
    /// Reads the account.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn read(&self) -> Result<Settings, Vec<Wrong>> {
        let mut wrong = Vec::new();
        let bot_token = token(
            self.bot_token.as_ref(),
            &["botToken"],
            "xoxb-",
            "OAuth & Permissions",
            &mut wrong,
        );
        let door = match self.mode.unwrap_or_default() {
            SlackMode::Socket => token(
                self.app_token.as_ref(),
                &["appToken"],
                "xapp-",
                "Basic Information, App-Level Tokens, scope connections:write",
                &mut wrong,
            )
            .map(Door::Socket),
            SlackMode::Http => {
                let shown = self.signing_secret.clone();
                let secret = shown.filter(|secret| secret.text().is_none_or(|text| !text.trim().is_empty()));
                if secret.is_none() {
                    wrong.push(Wrong::new(
                        &["signingSecret"],
                        "is required with mode \"http\": the app's Basic Information, Signing Secret",
                    ));
                }
                secret.map(Door::Http)
            }
        };
        let api_root = root(
            &["apiRoot"],
            self.api_root.as_deref().unwrap_or(API_ROOT),
            &mut wrong,
        );
        wrong.extend(self.common.rate_limit.as_ref().and_then(SendRate::wrong));
        match (bot_token, door, api_root) {
            (Some(bot_token), Some(door), Some(api_root)) if wrong.is_empty() => Ok(Settings {
                bot_token,
                door,
                api_root,
                reply_to_mode: self.reply_to_mode.unwrap_or_default(),
                link_preview: self.link_preview.unwrap_or(false),
                rate_limit: self.common.rate_limit.clone(),
            }),
            _ => Err(wrong),
        }
    }
}

/// A token of this kind. The two are easily taken for each other.
fn token(
    given: Option<&SecretInput>,
    key: &'static [&'static str],
    begins: &str,
    place: &str,
    wrong: &mut Vec<Wrong>,
) -> Option<SecretInput> {
    let Some(token) = given else {
        wrong.push(Wrong::new(
            key,
            format!("is required: the token that begins with {begins} (the app's {place})"),
        ));
        return None;
    };
    // `${ENV_NAME}` is followed before the account runs.
    let is_one = |text: &str| {
        text.contains("${") || text.starts_with(begins) && text.chars().all(|c| c.is_ascii_graphic())
    };
    if token.text().is_some_and(|text| !is_one(text)) {
        wrong.push(Wrong::new(
            key,
            format!("must begin with {begins} (the app's {place})"),
        ));
    }
    Some(token.clone())
}
