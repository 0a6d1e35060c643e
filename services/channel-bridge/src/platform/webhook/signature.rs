//! The signature on both directions of the webhook channel: HMAC-SHA256 over a label, the direction, the method, the target,
//! the account, the time in whole seconds since 1970, and the body, each on a line of its own and the body last. So a
//! signature is good for one request to one account and in one direction only. It is checked over the bytes as they came,
//! before anybody reads them.
//!
//! The first version covered the time and the body alone. It is still read, and still sent beside the second, until the
//! operator turns it off or the next release does.

use gatehouse_core::{Secret, hex};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::adapter::{AccountKey, HttpHead};

/// The header that carries the time.
pub(crate) const TIMESTAMP: &str = "x-gatehouse-timestamp";
/// The header that carries `sha256=<lower-case hex>`.
pub(crate) const SIGNATURE: &str = "x-gatehouse-signature-v2";
/// The header of the first version.
pub(crate) const SIGNATURE_V1: &str = "x-gatehouse-signature";
/// How far the sender's clock may be off, seconds. Decision of 2026-11-22, after what Stripe and Slack allow. A replay
/// within it is harmless: the message's id, which is signed as well, makes it a duplicate for seven days.
pub(crate) const WINDOW_SECONDS: i64 = 300;
/// What is signed begins with this. No text of the first version does: that begins with a digit.
const LABEL: &[u8] = b"gatehouse-webhook-v2";

/// Why a request is not believed. The sender is told no more than that it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignatureError {
    /// A header is missing, doubled or not of its form.
    #[error("the signature headers are missing or malformed")]
    Malformed,
    /// Only the first version is there, and it is turned off.
    #[error("the request bears no {SIGNATURE}, and older signatures are not taken")]
    Old,
    /// The time is too far from ours.
    #[error("the timestamp is more than 300 seconds off")]
    Stale,
    /// Signed with another key, or for another request.
    #[error("the signature does not match")]
    Mismatch,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// The platform, to Gatehouse.
    Inbound,
    /// Gatehouse, to the platform.
    Outbound,
}

/// What a signature is for, beside its time and its body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) direction: Direction,
    /// `POST`, ...
    pub(crate) method: &'a str,
    /// The path and the query.
    pub(crate) target: &'a str,
    /// For whom, or from whom.
    pub(crate) account: &'a AccountKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// Time and body.
    First,
    /// Everything.
    Second,
}

/// A signature as it was shown: well-formed and of about this time, and not checked yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub(crate) version: Version,
    timestamp: i64,
    mac: [u8; 32],
}

/// The value of the signature header.
pub(crate) fn sign(secret: &Secret, scope: Scope<'_>, timestamp: i64, body: &[u8]) -> String {
    value(mac(secret, scope, timestamp, body))
}

/// The value of the header of the first version.
pub(crate) fn sign_v1(secret: &Secret, timestamp: i64, body: &[u8]) -> String {
    value(mac_v1(secret, timestamp, body))
}

impl Shown {
    /// Reads the headers. Where there is a signature of the second version, an older one beside it counts for nothing.
    ///
    /// # Errors
    /// When they cannot be right, whatever the body.
    pub(crate) fn read(head: &HttpHead, now: i64, takes_v1: bool) -> Result<Self, SignatureError> {
        let version = match (head.has(SIGNATURE), head.has(SIGNATURE_V1)) {
            (true, _) => Version::Second,
            (false, true) if takes_v1 => Version::First,
            (false, true) => return Err(SignatureError::Old),
            (false, false) => return Err(SignatureError::Malformed),
        };
        let name = match version {
            Version::First => SIGNATURE_V1,
            Version::Second => SIGNATURE,
        };
        let timestamp = head
            .header(TIMESTAMP)
            .filter(|text| text.len() <= 12 && text.bytes().all(|byte| byte.is_ascii_digit()));
        let timestamp: i64 = timestamp
            .and_then(|text| text.parse().ok())
            .ok_or(SignatureError::Malformed)?;
        let mac = head
            .header(name)
            .and_then(|value| value.strip_prefix("sha256="))
            .and_then(hex::digest)
            .ok_or(SignatureError::Malformed)?;
        if now.abs_diff(timestamp) > WINDOW_SECONDS.unsigned_abs() {
            return Err(SignatureError::Stale);
        }
        Ok(Self {
            version,
            timestamp,
            mac,
        })
    }

    /// Checks it, in constant time.
    ///
    /// # Errors
    /// When it was not made with this secret for this.
    pub(crate) fn verify(
        &self,
        secret: &Secret,
        scope: Scope<'_>,
        body: &[u8],
    ) -> Result<(), SignatureError> {
        let expected = match self.version {
            Version::First => mac_v1(secret, self.timestamp, body),
            Version::Second => mac(secret, scope, self.timestamp, body),
        };
        expected
            .verify_slice(&self.mac)
            .map_err(|_| SignatureError::Mismatch)
    }
}

impl Direction {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

fn mac(secret: &Secret, scope: Scope<'_>, timestamp: i64, body: &[u8]) -> Hmac<Sha256> {
    let Scope {
        direction,
        method,
        target,
        account,
    } = scope;
    let (account, timestamp) = (account.to_string(), timestamp.to_string());
    let mut mac = keyed(secret);
    for line in [
        LABEL,
        direction.as_str().as_bytes(),
        method.as_bytes(),
        target.as_bytes(),
        account.as_bytes(),
        timestamp.as_bytes(),
    ] {
        mac.update(line);
        mac.update(b"\n");
    }
    mac.update(body);
    mac
}

fn mac_v1(secret: &Secret, timestamp: i64, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = keyed(secret);
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

fn keyed(secret: &Secret) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).expect("HMAC takes a key of any length")
}

fn value(mac: Hmac<Sha256>) -> String {
    format!("sha256={}", hex::encode(&mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests;
