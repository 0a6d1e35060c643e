//! Whether a request is genuine, by its head and its body, and by what its repeats are told.

use gatehouse_core::{Timestamp, hex};
use gatehouse_proto::session::v1::HookAnswer;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::answer::{not_found, text, unauthorized, wrong};
use super::form;
use super::head::Head;
use super::proof::Proof;
use super::rules::{Mapping, Rules};

/// The longest key against repeats, in bytes.
const KEY_BYTES_MAX: usize = 256;

/// A request that is genuine, and what shows it.
pub(super) struct Genuine<'a> {
    /// Unset: it is no mapping's.
    pub(super) mapping: Option<&'a Mapping>,
    pub(super) body: Value,
    /// What counts it, and what its repeats are told by.
    pub(super) by: String,
    /// The right signature.
    signature: Option<Vec<u8>>,
}

/// Whether a request is genuine, by its head and its body.
pub(super) fn genuine<'a>(
    rules: &'a Rules,
    head: &Head,
    body: &[u8],
    now: Timestamp,
) -> Result<Genuine<'a>, HookAnswer> {
    let proof = head.judged(rules, now)?;
    if body.len() > usize::try_from(rules.body_bytes_max).unwrap_or(0) {
        return Err(wrong(413, "payload too large"));
    }
    let parse = || {
        let json = serde_json::from_slice::<Value>(body)
            .ok()
            .filter(Value::is_object);
        // Programs that send JSON often say that it is a form, because their library does.
        json.or_else(|| form::read(head, body))
            .ok_or_else(|| wrong(400, "the body is neither a JSON object nor a form"))
    };
    match proof {
        Proof::Token if matches!(head.name.as_str(), "wake" | "agent") => Ok(Genuine {
            mapping: None,
            body: parse()?,
            by: "token".to_owned(),
            signature: None,
        }),
        Proof::Token => {
            let mut open = rules
                .mappings
                .iter()
                .filter(|mapping| mapping.signature.is_none());
            if !open.clone().any(|mapping| mapping.is_at(&head.name)) {
                return Err(not_found());
            }
            let body = parse()?;
            let mapping = open.find(|mapping| mapping.fits(&head.name, &body));
            Ok(Genuine {
                mapping: Some(mapping.ok_or_else(not_found)?),
                body,
                by: "token".to_owned(),
                signature: None,
            })
        }
        Proof::Signed(shown) => {
            let right: Vec<(&Mapping, Vec<u8>)> = shown
                .iter()
                .filter_map(|(place, shown)| {
                    let mapping = rules.mappings.get(*place)?;
                    Some((mapping, mapping.signature.as_ref()?.verify(shown, body)?))
                })
                .collect();
            if right.is_empty() {
                return Err(unauthorized());
            }
            let body = parse()?;
            let fits = right
                .into_iter()
                .find(|(mapping, _)| mapping.fits(&head.name, &body));
            let (mapping, signature) = fits.ok_or_else(not_found)?;
            Ok(Genuine {
                by: format!("mapping {}", mapping.id),
                mapping: Some(mapping),
                body,
                signature: Some(signature),
            })
        }
    }
}

/// Slack asks once whether the address is ours: who answers with its word has the key.
pub(super) fn challenge(genuine: &Genuine<'_>) -> Option<HookAnswer> {
    let signature = genuine.mapping?.signature.as_ref()?;
    let says = |key: &str| genuine.body.get(key).and_then(Value::as_str);
    let asks = signature.is_slacks() && says("type") == Some("url_verification");
    asks.then(|| text(200, says("challenge").unwrap_or_default()))
}

/// What a repeat has in common with a request: the key that it brings, or what it is signed with. What is not signed of a signed request
/// says nothing: whoever sends it again may change it.
pub(super) fn repeat_key(
    head: &Head,
    genuine: &Genuine<'_>,
    key: Option<&str>,
) -> Result<Option<String>, HookAnswer> {
    let word: &[u8] = match (&genuine.signature, key.or_else(|| head.only("idempotency-key"))) {
        (Some(signature), _) => signature,
        (None, Some(key)) if key.len() > KEY_BYTES_MAX => {
            return Err(wrong(400, "idempotencyKey is longer than 256 bytes"));
        }
        (None, Some(key)) if !key.trim().is_empty() => key.as_bytes(),
        (None, Some(_) | None) => return Ok(None),
    };
    Ok(Some(hex::encode(&digest(&[genuine.by.as_bytes(), word]))))
}

/// Of parts, so that no two lists of parts have the same.
pub(super) fn digest(parts: &[&[u8]]) -> Vec<u8> {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    digest.finalize().to_vec()
}
