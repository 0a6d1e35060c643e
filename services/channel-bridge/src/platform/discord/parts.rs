//! The messages that a part of an answer becomes, and their names.

use std::fmt::Write;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::markdown::markdown;
use crate::{
    adapter::TextUnit,
    markup::{Document, pieces, split},
};

/// What Discord takes in one message, in characters, its markup counted.
pub(super) const CONTENT_CHARS_MAX: usize = 2000;
/// A text of fewer characters is not cut any more for what its markup adds: it is said as it is.
const ROOM_MIN: usize = 400;
/// The longest nonce, in characters.
const NONCE_CHARS: usize = 25;

/// A message or a channel.
#[derive(Deserialize)]
pub(super) struct Named {
    pub(super) id: String,
}

/// A part as messages that Discord takes: one, unless its markup adds more than there is room for.
pub(super) fn messages(text: &str, room: usize) -> Vec<String> {
    let written = markdown(&pieces(&Document::parse(text)));
    if written.chars().count() <= CONTENT_CHARS_MAX {
        return vec![if written.trim().is_empty() {
            text.to_owned()
        } else {
            written
        }];
    }
    let half = room / 2;
    if half < ROOM_MIN {
        return text
            .chars()
            .collect::<Vec<char>>()
            .chunks(CONTENT_CHARS_MAX)
            .map(|chars| chars.iter().collect())
            .collect();
    }
    let parts = split(TextUnit::Chars, text, half);
    parts.iter().flat_map(|part| messages(part, half)).collect()
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
