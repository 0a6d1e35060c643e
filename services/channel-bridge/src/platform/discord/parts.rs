//! The messages that a part of an answer becomes, and their names.

use std::fmt::Write;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::markdown::markdown;
use crate::platform::web::fitting;

/// What Discord takes in one message, in characters, its markup counted.
pub(super) const CONTENT_CHARS_MAX: usize = 2000;
/// The longest nonce, in characters.
const NONCE_CHARS: usize = 25;

/// A message or a channel.
#[derive(Deserialize)]
pub(super) struct Named {
    pub(super) id: String,
}

/// A part as messages that Discord takes.
pub(super) fn messages(text: &str) -> Vec<String> {
    fitting::messages(text, CONTENT_CHARS_MAX, markdown)
}

/// The same for every attempt at this message.
pub(super) fn nonce(key: &str, at: usize) -> String {
    let digest = Sha256::digest(format!("{key}/{at}").as_bytes());
    let mut hex = String::new();
    for byte in digest {
        let _ = write!(hex, "{byte:02x}");
    }
    hex.truncate(NONCE_CHARS);
    hex
}

/// The number of a message in this channel: `<channel>/<message>` as we name them, or the number alone.
pub(super) fn message_id(id: &str, channel: &str) -> Option<String> {
    let mut parts = id.split('/');
    let (first, second) = (parts.next()?, parts.next());
    let message = match second {
        None => first,
        Some(message) => Some(message).filter(|_| first == channel)?,
    };
    let number = !message.is_empty() && message.chars().all(|c| c.is_ascii_digit());
    number.then(|| message.to_owned())
}

#[cfg(test)]
mod tests;
