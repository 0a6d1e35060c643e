//! Signatures of platforms that call us.

use std::fmt::Write;

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// HMAC-SHA256 in hexadecimal digits.
#[must_use]
pub fn hex_hmac(secret: &str, parts: &[&[u8]]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize()
        .into_bytes()
        .iter()
        .fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
}
