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

/// The fewest letters and digits of a token: what has less can be guessed.
const TOKEN_CHARS_MIN: usize = 20;

/// Whether a part of a path is a token rather than a name: platforms give out addresses that open something to whoever knows them, and
/// such a part is what makes them so. Names have words in them; a token changes from letters to digits and from small to capital ones at
/// nearly every place, or has no word apart from another.
///
/// ```
/// use gatehouse_core::secret::looks_like_token;
///
/// assert!(looks_like_token("AAEhBP0av28kX9qmQ2vL7pR4wZ8kX9qmQ2v"));
/// assert!(!looks_like_token("Meta-Llama-3.1-70B-Instruct-Turbo"));
/// ```
#[must_use]
pub fn looks_like_token(part: &str) -> bool {
    let is_mixed = |run: &str| {
        run.len() >= TOKEN_CHARS_MIN
            && run.bytes().any(|byte| byte.is_ascii_digit())
            && run.bytes().any(|byte| byte.is_ascii_alphabetic())
    };
    is_uuid(part)
        || part.split(|c: char| !c.is_ascii_alphanumeric()).any(is_mixed)
        || changes_all_the_time(part)
}

/// Digits, small and capital letters, of which at least two of five are followed by one of another kind.
fn changes_all_the_time(part: &str) -> bool {
    let kind = |byte: u8| match byte {
        b'0'..=b'9' => 1,
        b'a'..=b'z' => 2,
        b'A'..=b'Z' => 4,
        _ => 0,
    };
    let kinds: Vec<u8> = part.bytes().map(kind).collect();
    let pairs = || {
        let pairs = kinds.iter().zip(kinds.iter().skip(1));
        pairs.filter(|(one, next)| **one > 0 && **next > 0)
    };
    let changes = pairs().filter(|(one, next)| one != next).count();
    kinds.iter().filter(|kind| **kind > 0).count() >= TOKEN_CHARS_MIN
        && kinds.iter().fold(0, |all, kind| all | kind) == 7
        && changes * 5 >= pairs().count() * 2
}

fn is_uuid(part: &str) -> bool {
    let groups: Vec<&str> = part.split('-').collect();
    let is_hex = |group: &&str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(is_hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_an_address_that_opens_something_is_told_from_a_name() {
        for token in [
            "bot123456789:AAEhBP0av28kX9qmQ2vL7pR4wZ8kX9qmQ2v",
            "bot123456789:AAE-hBP0_av28-kX9qm_Q2vL7-pR4wZ8",
            "Xk29dkWq0aBz81LmPq73RtYu",
            "0123456789abcdef0123456789abcdef",
            "2f6a1f0e-8f43-4b6e-9c58-0d8b6f6c2a11",
            "W7_q-Zp2kR9-xT4_bN8mQ1vL-c5Y",
        ] {
            assert!(looks_like_token(token), "{token}");
        }
        for name in [
            "v1",
            "openai",
            "chat-completions-of-the-whole-household",
            "gpt-4o-mini-2024-07-18",
            "claude-3-5-sonnet-20241022-v2:0",
            "Meta-Llama-3.1-70B-Instruct-Turbo",
            "Qwen2.5-Coder-32B-Instruct-GGUF",
            "my-project-123456",
            "us-central1",
            "1234567890123456789012",
            "T00000000",
        ] {
            assert!(!looks_like_token(name), "{name}");
        }
    }

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
