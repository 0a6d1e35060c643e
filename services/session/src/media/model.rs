//! Media, as types.

use gatehouse_core::Timestamp;
use std::fmt;

use sha2::digest::Output;
use sha2::{Digest, Sha256};

/// The SHA-256 of a medium's bytes, in lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MediaId(String);

impl MediaId {
    /// Reads what somebody wrote. `None`: it is no such digest.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 2 * Sha256::output_size() && text.bytes().all(hex)).then(|| Self(text.to_owned()))
    }

    pub(super) fn of(digest: &Output<Sha256>) -> Self {
        Self(data_encoding::HEXLOWER.encode(digest))
    }

    /// One that the store kept.
    pub(crate) fn stored(text: String) -> Self {
        Self(text)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MediaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is remembered of a medium beside its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MediaRow {
    pub(crate) id: MediaId,
    /// As its bytes say.
    pub(crate) mime_type: String,
    pub(crate) bytes: i64,
    /// When it was handed in last.
    pub(crate) kept_at: Timestamp,
}
