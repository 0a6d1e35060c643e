//! Tokens of devices: derived, never kept.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatehouse_contract::Grants;
use gatehouse_core::{Secret, Timestamp, hex};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::rows::{RoleRow, TokenRow};

/// What tells these tokens from anything else that is ever derived from the same key.
const PURPOSE: &str = "gatehouse device token v1";

/// The token that belongs to a salt.
fn derive(key: &Secret, row: &RoleRow, salt: &str) -> Secret {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()).expect("HMAC takes keys of any length");
    for part in [PURPOSE, &row.device_id, row.role().as_str(), salt] {
        mac.update(part.as_bytes());
        mac.update(b"\0");
    }
    Secret::new(URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn digest(token: &Secret) -> String {
    hex::encode(&token.digest())
}

/// The token of a role: the one that it has, or a new one where it has none that can be told. True: the row changed.
pub(super) fn ensure(key: &Secret, row: &mut RoleRow, now: Timestamp) -> (Secret, bool) {
    if let Some(token) = &row.token {
        let same = derive(key, row, &token.salt);
        // Not so where the key was lost, for example with a copy of the database that was put back alone.
        if digest(&same) == token.digest {
            return (same, false);
        }
    }
    let approved = row.approved;
    (renew(key, row, approved, now), true)
}

/// A new token in the place of any other.
pub(super) fn renew(key: &Secret, row: &mut RoleRow, scopes: Grants, now: Timestamp) -> Secret {
    let (salt, token) = loop {
        let salt = Secret::generate().expose().to_owned();
        let token = derive(key, row, &salt);
        if !token.looks_like_option() {
            break (salt, token);
        }
    };
    row.token = Some(TokenRow {
        digest: digest(&token),
        salt,
        scopes,
    });
    match row.token_created_at {
        None => row.token_created_at = Some(now),
        Some(_) => row.token_rotated_at = Some(now),
    }
    row.token_revoked_at = None;
    token
}
