//! A WhatsApp account, read: what stands in the document as what a number is run by, or every mistake in it.

use url::Url;

use super::WhatsappAccount;
use crate::{
    SecretInput,
    policies::SendRate,
    wrong::{Wrong, root},
};

/// Where Meta itself answers.
pub const API_ROOT: &str = "https://graph.facebook.com/v26.0";

/// The shortest verify token, in bytes: a shorter one can be guessed.
const VERIFY_BYTES_MIN: usize = 8;

/// The longest id of a phone number, in digits.
const ID_DIGITS_MAX: usize = 32;

/// An account that can run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which number. Digits.
    pub phone_number_id: String,
    /// What is shown to Meta.
    pub access_token: SecretInput,
    /// Signs what comes in.
    pub app_secret: SecretInput,
    /// What Meta says when it looks whether the address is ours.
    pub verify_token: SecretInput,
    /// Where the methods are, without a slash at its end.
    pub api_root: Url,
    /// Whether a preview of a link is shown.
    pub link_preview: bool,
    /// Above zero.
    pub rate_limit: Option<SendRate>,
}

impl WhatsappAccount {
    /// Reads the account.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn read(&self) -> Result<Settings, Vec<Wrong>> {
        let mut wrong = Vec::new();
        let id = self.phone_number_id.clone();
        let digits = |id: &String| {
            !id.is_empty() && id.len() <= ID_DIGITS_MAX && id.chars().all(|c| c.is_ascii_digit())
        };
        if !id.as_ref().is_some_and(digits) {
            wrong.push(Wrong::new(
                &["phoneNumberId"],
                "is required: the id of the phone number, digits alone (WhatsApp, API Setup)",
            ));
        }
        let shown = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic());
        let access_token = needed(
            self.access_token.as_ref(),
            &["accessToken"],
            "is required: the access token of a system user (Business settings, System users)",
            shown,
            &mut wrong,
        );
        let app_secret = needed(
            self.app_secret.as_ref(),
            &["appSecret"],
            "is required: the app's secret, by which requests of Meta are known (App settings, Basic)",
            |text| !text.trim().is_empty(),
            &mut wrong,
        );
        let verify_token = needed(
            self.verify_token.as_ref(),
            &["verifyToken"],
            "is required: a word of your own of 8 characters or more, the same as in the app's Configuration",
            |text| text.trim().len() >= VERIFY_BYTES_MIN,
            &mut wrong,
        );
        let api_root = root(
            &["apiRoot"],
            self.api_root.as_deref().unwrap_or(API_ROOT),
            &mut wrong,
        );
        wrong.extend(self.common.rate_limit.as_ref().and_then(SendRate::wrong));
        match (id, access_token, app_secret, verify_token, api_root) {
            (
                Some(phone_number_id),
                Some(access_token),
                Some(app_secret),
                Some(verify_token),
                Some(api_root),
            ) if wrong.is_empty() => Ok(Settings {
                phone_number_id,
                access_token,
                app_secret,
                verify_token,
                api_root,
                link_preview: self.link_preview.unwrap_or(false),
                rate_limit: self.common.rate_limit.clone(),
            }),
            _ => Err(wrong),
        }
    }
}

/// A secret that is there. What a reference leads to is judged when it is followed.
fn needed(
    given: Option<&SecretInput>,
    key: &'static [&'static str],
    words: &str,
    right: impl Fn(&str) -> bool,
    wrong: &mut Vec<Wrong>,
) -> Option<SecretInput> {
    let good = given.filter(|secret| {
        secret
            .text()
            .is_none_or(|text| text.contains("${") || right(text))
    });
    if good.is_none() {
        wrong.push(Wrong::new(key, words));
    }
    good.cloned()
}
