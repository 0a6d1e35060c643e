//! Digests as text.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

/// Bytes as lower-case text.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// A SHA-256 that is written as 64 digits, in either case.
#[must_use]
pub fn digest(text: &str) -> Option<[u8; 32]> {
    HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_as_it_was_written_and_nothing_else_is_one() {
        let digest: [u8; 32] = std::array::from_fn(|n| u8::try_from(n * 8).unwrap());
        let text = encode(&digest);

        assert_eq!(super::digest(&text), Some(digest));
        assert_eq!(super::digest(&text.to_uppercase()), Some(digest));
        for bad in [
            "",
            "00",
            text.trim_start_matches("00"),
            &format!("{text}00"),
            &text.replace('0', "g"),
            &text.replace("00", "é"),
        ] {
            assert_eq!(super::digest(bad), None, "{bad}");
        }
    }
}
