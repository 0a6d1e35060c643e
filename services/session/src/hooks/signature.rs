//! What a request is signed with: HMAC with SHA-256 over the body, and over the time of signing where there is one. How the ways of
//! signing differ is where the parts stand.

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use gatehouse_core::{Secret, Timestamp};
use gatehouse_document::hooks::{Encoding, Profile, Signature as Written, TOLERANCE_SECONDS};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::head::Head;

/// Signatures of one request at most: Stripe sends one for each key while keys are changed.
const SHOWN_MAX: usize = 8;

const STRIPE: &str = "stripe-signature";
const SLACK_TIME: &str = "x-slack-request-timestamp";
const GENERIC: &str = "x-signature";

/// How the requests of a mapping are signed.
#[derive(Clone, Debug)]
pub(super) struct Signature {
    profile: Profile,
    secret: Secret,
    header: String,
    prefix: String,
    encoding: Encoding,
    time_header: Option<String>,
    tolerance_ms: i64,
}

/// What a head shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    signatures: Vec<Vec<u8>>,
    /// The time of signing, as it is written.
    time: Option<String>,
}

impl Signature {
    pub(super) fn read(written: &Written) -> Option<Self> {
        let secret = written.secret.as_ref()?.text()?;
        let (header, prefix, time_header) = match written.profile {
            Profile::Github => ("x-hub-signature-256", "sha256=", None),
            Profile::Stripe => (STRIPE, "", None),
            Profile::Slack => ("x-slack-signature", "v0=", Some(SLACK_TIME)),
            Profile::Hmac => (
                written.header.as_deref().unwrap_or(GENERIC),
                written.prefix.as_deref().unwrap_or(""),
                written.timestamp_header.as_deref(),
            ),
        };
        let tolerance = written.tolerance_seconds.unwrap_or(TOLERANCE_SECONDS);
        (!secret.trim().is_empty()).then(|| Self {
            profile: written.profile,
            secret: Secret::new(secret),
            header: header.to_lowercase(),
            prefix: prefix.to_owned(),
            encoding: if written.profile == Profile::Hmac {
                written.encoding
            } else {
                Encoding::Hex
            },
            time_header: time_header.map(str::to_lowercase),
            tolerance_ms: i64::from(tolerance) * 1_000,
        })
    }

    pub(super) fn is_slacks(&self) -> bool {
        self.profile == Profile::Slack
    }

    /// What the head shows, if it can be right: in the right form, and not too old.
    pub(super) fn shown(&self, head: &Head, now: Timestamp) -> Option<Shown> {
        let value = head.only(&self.header)?;
        let shown = if self.profile == Profile::Stripe {
            stripe(value)?
        } else {
            let time = match &self.time_header {
                Some(name) => Some(head.only(name)?.trim().to_owned()),
                None => None,
            };
            Shown {
                signatures: vec![self.bytes(value.trim().strip_prefix(&self.prefix)?)?],
                time,
            }
        };
        if let Some(time) = &shown.time {
            let signed = time.parse::<i64>().ok()?.checked_mul(1_000)?;
            if signed.abs_diff(now.as_ms()) > self.tolerance_ms.unsigned_abs() {
                return None;
            }
        }
        Some(shown)
    }

    fn bytes(&self, text: &str) -> Option<Vec<u8>> {
        let text = text.as_bytes();
        match self.encoding {
            Encoding::Hex => hex(text),
            Encoding::Base64 => BASE64.decode(text).or_else(|_| BASE64URL_NOPAD.decode(text)).ok(),
        }
    }

    /// Whether one of the signatures is right. The answer is the right one, which is the same however it was written. Takes as long
    /// for a wrong one as for a right one.
    pub(super) fn verify(&self, shown: &Shown, body: &[u8]) -> Option<Vec<u8>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.expose().as_bytes()).ok()?;
        if let Some(time) = &shown.time {
            let (before, behind) = match self.profile {
                Profile::Slack => ("v0:", ":"),
                Profile::Github | Profile::Stripe | Profile::Hmac => ("", "."),
            };
            for part in [before, time, behind] {
                mac.update(part.as_bytes());
            }
        }
        mac.update(body);
        let mut is_right = false;
        for signature in &shown.signatures {
            is_right |= mac.clone().verify_slice(signature).is_ok();
        }
        is_right.then(|| mac.finalize().into_bytes().to_vec())
    }
}

fn hex(text: &[u8]) -> Option<Vec<u8>> {
    HEXLOWER_PERMISSIVE
        .decode(text)
        .ok()
        .filter(|bytes| bytes.len() == 32)
}

/// `t=<seconds>,v1=<hex>,v1=<hex>,v0=...`: other versions are passed over.
fn stripe(value: &str) -> Option<Shown> {
    let mut shown = Shown {
        signatures: Vec::new(),
        time: None,
    };
    for part in value.split(',') {
        match part.trim().split_once('=')? {
            ("t", time) if shown.time.is_none() => shown.time = Some(time.to_owned()),
            ("t", _) => return None,
            ("v1", signature) if shown.signatures.len() < SHOWN_MAX => {
                shown.signatures.push(hex(signature.as_bytes())?);
            }
            _ => {}
        }
    }
    (shown.time.is_some() && !shown.signatures.is_empty()).then_some(shown)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_a_header_says_shows_a_few_whole_signatures_of_one_time_or_nothing(
            pieces in prop::collection::vec(prop_oneof![
                prop::sample::select(&["t=", "v1=", "v0=", ",", "=", "1700000000", " ", "t=1,", "\u{fc}"][..]).prop_map(str::to_owned),
                "[0-9a-fA-F]{64}", "v1=[0-9a-f]{64},", "[0-9a-g]{0,70}",
            ], 0..20),
        ) {
            let value = pieces.concat();
            if let Some(Shown { signatures, time }) = stripe(&value) {
                prop_assert!((1..=SHOWN_MAX).contains(&signatures.len()));
                prop_assert!(signatures.iter().all(|signature| signature.len() == 32));
                prop_assert_eq!(value.split(',').filter(|part| part.trim().starts_with("t=")).count(), 1);
                prop_assert!(time.is_some());
            }
        }
    }
}
