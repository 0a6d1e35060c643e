//! The signature on both directions of the webhook channel: HMAC-SHA256 over `<timestamp>.<body>`, where the timestamp is
//! in whole seconds since 1970. It is checked over the bytes as they came, before anybody reads them.

use gatehouse_core::Secret;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// The header that carries the time.
pub const TIMESTAMP: &str = "x-gatehouse-timestamp";
/// The header that carries `sha256=<lower-case hex>`.
pub const SIGNATURE: &str = "x-gatehouse-signature";
/// How far the sender's clock may be off, seconds. Decision of 2026-11-22, after what Stripe and Slack allow. A replay
/// within it is harmless: the message's id, which is signed as well, makes it a duplicate for seven days.
pub const WINDOW_SECONDS: i64 = 300;

/// Why a request is not believed. The sender is told no more than that it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A header is missing, doubled or not of its form.
    #[error("the signature headers are missing or malformed")]
    Malformed,
    /// The time is too far from ours.
    #[error("the timestamp is more than 300 seconds off")]
    Stale,
    /// Signed with another key, or another body.
    #[error("the signature does not match")]
    Mismatch,
}

/// The value of the signature header.
pub fn sign(secret: &Secret, timestamp: i64, body: &[u8]) -> String {
    let bytes = mac(secret, timestamp, body).finalize().into_bytes();
    let mut value = String::with_capacity(7 + 64);
    value.push_str("sha256=");
    for byte in bytes {
        value.push(char::from_digit(u32::from(byte >> 4), 16).expect("a nibble"));
        value.push(char::from_digit(u32::from(byte & 15), 16).expect("a nibble"));
    }
    value
}

/// Checks what came, in constant time.
///
/// # Errors
/// When it is not signed with this secret for about this time.
pub fn verify(
    secret: &Secret,
    now: i64,
    timestamp: Option<&str>,
    signature: Option<&str>,
    body: &[u8],
) -> Result<(), SignatureError> {
    let timestamp =
        timestamp.filter(|text| text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit()));
    let timestamp: i64 = timestamp
        .and_then(|text| text.parse().ok())
        .ok_or(SignatureError::Malformed)?;
    let hex = signature
        .and_then(|value| value.strip_prefix("sha256="))
        .ok_or(SignatureError::Malformed)?;
    let given = decode(hex).ok_or(SignatureError::Malformed)?;
    if now.abs_diff(timestamp) > WINDOW_SECONDS.unsigned_abs() {
        return Err(SignatureError::Stale);
    }
    mac(secret, timestamp, body)
        .verify_slice(&given)
        .map_err(|_| SignatureError::Mismatch)
}

fn mac(secret: &Secret, timestamp: i64, body: &[u8]) -> Hmac<Sha256> {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes a key of any length");
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

fn decode(hex: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = hex
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let mut bytes = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = pair.iter().fold(0, |sum, digit| sum << 4 | digit);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use gatehouse_core::Secret;
    use proptest::prelude::*;

    use super::{SignatureError, sign, verify};

    const NOW: i64 = 1_790_000_000;

    fn check(timestamp: &str, signature: &str, body: &[u8]) -> Result<(), SignatureError> {
        verify(
            &Secret::new("a secret of some length"),
            NOW,
            Some(timestamp),
            Some(signature),
            body,
        )
    }

    fn signed(timestamp: i64) -> String {
        sign(&Secret::new("a secret of some length"), timestamp, b"{}")
    }

    #[test]
    fn what_was_signed_is_believed_within_five_minutes() {
        for off in [-300, 0, 300] {
            assert_eq!(check(&(NOW + off).to_string(), &signed(NOW + off), b"{}"), Ok(()));
        }
        for off in [-301, 301] {
            let result = check(&(NOW + off).to_string(), &signed(NOW + off), b"{}");
            assert_eq!(result, Err(SignatureError::Stale));
        }
    }

    #[test]
    fn another_body_time_or_key_is_not_believed() {
        let now = NOW.to_string();
        assert_eq!(check(&now, &signed(NOW), b"{ }"), Err(SignatureError::Mismatch));
        assert_eq!(
            check(&(NOW + 1).to_string(), &signed(NOW), b"{}"),
            Err(SignatureError::Mismatch)
        );
        let other = sign(&Secret::new("another"), NOW, b"{}");
        assert_eq!(check(&now, &other, b"{}"), Err(SignatureError::Mismatch));
    }

    #[test]
    fn missing_and_malformed_headers_are_refused() {
        let secret = Secret::new("s");
        let good = signed(NOW);
        assert_eq!(
            verify(&secret, NOW, None, Some(&good), b"{}"),
            Err(SignatureError::Malformed)
        );
        assert_eq!(
            verify(&secret, NOW, Some("1790000000"), None, b"{}"),
            Err(SignatureError::Malformed)
        );
        for timestamp in ["", "-1", "+1790000000", " 1790000000", "99999999999999", "1e9"] {
            assert_eq!(
                check(timestamp, &good, b"{}"),
                Err(SignatureError::Malformed),
                "{timestamp}"
            );
        }
        for signature in [
            "",
            "sha256=",
            "sha256=00",
            "sha1=00",
            "SHA256=",
            &good.replace("sha256=", ""),
        ] {
            assert_eq!(
                check("1790000000", signature, b"{}"),
                Err(SignatureError::Malformed),
                "{signature}"
            );
        }
    }

    #[test]
    fn it_agrees_with_the_published_test_vector_of_hmac() {
        // RFC 4231, test case 2, has no dot; this value was made with `printf '1.x' | openssl dgst -sha256 -hmac key`.
        assert_eq!(
            sign(&Secret::new("key"), 1, b"x"),
            "sha256=fc4913c41a7bf793267e2a384f3261c9436ec2cd097bd745e7b0d99113f510ec"
        );
    }

    proptest! {
        #[test]
        fn no_header_can_make_it_panic(timestamp in ".{0,20}", signature in "(sha256=)?.{0,80}") {
            let refused = check(&timestamp, &signature, b"{}").is_err();
            prop_assert!(refused);
        }
    }
}
