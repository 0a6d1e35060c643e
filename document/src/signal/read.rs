//! A Signal account, read: what stands in the document as what a number is run by, or every mistake in it.

use url::Url;

use super::SignalAccount;
use crate::{
    policies::SendRate,
    wrong::{Wrong, root},
};

/// Where signal-cli's daemon listens unless it is told otherwise.
pub const HTTP_URL: &str = "http://127.0.0.1:8080";

/// Digits of a phone number with its country (E.164 has 15 at most).
const DIGITS: (usize, usize) = (5, 15);

/// An account that can run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The phone number, with a plus.
    pub account: String,
    /// Where the daemon is, without a slash at its end.
    pub http_url: Url,
    /// Whether people see that a message was read.
    pub send_read_receipts: bool,
    /// Above zero.
    pub rate_limit: Option<SendRate>,
}

impl SignalAccount {
    /// Reads the account.
    ///
    /// # Errors
    /// Every mistake in it.
    pub fn read(&self) -> Result<Settings, Vec<Wrong>> {
        let mut wrong = Vec::new();
        let (least, most) = DIGITS;
        let is_number = |text: &String| {
            text.strip_prefix('+').is_some_and(|digits| {
                (least..=most).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit())
            })
        };
        let account = self.account.clone().filter(is_number);
        if account.is_none() {
            wrong.push(Wrong::new(
                &["account"],
                "is required: the phone number that signal-cli has, with its country, for example +491701234567",
            ));
        }
        let http_url = root(
            &["httpUrl"],
            self.http_url.as_deref().unwrap_or(HTTP_URL),
            &mut wrong,
        );
        wrong.extend(self.common.rate_limit.as_ref().and_then(SendRate::wrong));
        match (account, http_url) {
            (Some(account), Some(http_url)) if wrong.is_empty() => Ok(Settings {
                account,
                http_url,
                send_read_receipts: self.send_read_receipts.unwrap_or(false),
                rate_limit: self.common.rate_limit.clone(),
            }),
            _ => Err(wrong),
        }
    }
}
