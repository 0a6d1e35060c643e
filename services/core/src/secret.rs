//! A string that cannot be printed.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Bytes of a generated secret: 256 bits cannot be guessed, however fast the guesser.
const GENERATED_BYTES: usize = 32;

/// A secret. It has no `Display` and no `Serialize`; reading it takes an explicit [`Secret::expose`].
///
/// ```
/// use gatehouse_core::Secret;
///
/// let token = Secret::new("correct horse");
/// assert!(!format!("{token:?}").contains("horse"));
/// assert!(token == Secret::new("correct horse"), "compared in constant time");
/// ```
///
/// ```compile_fail
/// println!("{}", gatehouse_core::Secret::new("correct horse"));
/// ```
#[derive(Clone, Deserialize)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret in.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// A new random secret, URL-safe text of 43 characters.
    ///
    /// # Panics
    /// When the kernel has no randomness to give: nothing safe can be done then.
    #[must_use]
    pub fn generate() -> Self {
        loop {
            let mut bytes = [0; GENERATED_BYTES];
            getrandom::fill(&mut bytes).expect("the kernel gives randomness");
            let secret = Self(URL_SAFE_NO_PAD.encode(bytes));
            if !secret.looks_like_option() {
                return secret;
            }
        }
    }

    /// Whether a command line would take it for an option: nothing that people hand to one may.
    #[must_use]
    pub fn looks_like_option(&self) -> bool {
        self.0.starts_with('-')
    }

    /// The secret itself. Every call is a place to look at in a review.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it. An empty secret must never open anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its SHA-256.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        digest(&self.0)
    }

    /// Whether this is the secret. Takes the same time wherever the two differ. An empty secret matches nothing.
    #[must_use]
    pub fn matches(&self, offered: &str) -> bool {
        !self.is_empty() && bool::from(self.digest().ct_eq(&digest(offered)))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("[secret]")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        bool::from(self.digest().ct_eq(&other.digest()))
    }
}

impl Eq for Secret {}

pub(crate) fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "[secret]");
    }

    #[test]
    fn a_generated_secret_is_no_option_of_a_command_line() {
        assert!(Secret::new("-abc").looks_like_option());
        // One of 64 would be: that none of these is by chance has the odds of one to seven million.
        assert!((0..1_000).all(|_| !Secret::generate().looks_like_option()));
    }

    #[test]
    fn only_the_secret_matches_and_an_empty_one_matches_nothing() {
        let secret = Secret::generate();

        assert!(secret.matches(secret.expose()));
        assert!(!secret.matches("another"));
        assert!(!Secret::new("").matches(""));
    }
}
