//! Whether a client holds the key of the device that it says it is: the `device` block of a v4 handshake.
//!
//! A device is an Ed25519 key pair; its id is the SHA-256 of the public half. The signature covers everything that the handshake
//! asks for, and the nonce of this connection's own challenge. So it is good once, here and now: another connection, of this edge or
//! of any other, has a challenge of its own, and a connection takes one handshake.

use base64::{
    Engine,
    alphabet::URL_SAFE,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::URL_SAFE_NO_PAD},
};
use gatehouse_contract::Role;
use gatehouse_core::{Secret, Timestamp, hex};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{client::Client, error::Refusal};

mod small_order;
#[cfg(test)]
mod tests;

/// How far the client's clock may be from ours, in milliseconds, either way (v4).
const SKEW_MS: i64 = 120_000;

/// The longest text in a block: a signature is 86 bytes, an id 64.
const TEXT_MAX: usize = 512;

/// Clients differ in whether they pad base64.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The block as a client sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    id: String,
    public_key: String,
    signature: String,
    signed_at: Timestamp,
    nonce: String,
}

/// A device whose key the client has shown to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    /// Lower-case hex SHA-256 of the key.
    pub(crate) id: Box<str>,
    /// The public key, base64url without padding.
    pub(crate) public_key: Box<str>,
}

/// What a signature covers beside the device itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed<'a> {
    pub(crate) client: &'a Client,
    pub(crate) role: Role,
    /// As they were asked for, in order.
    pub(crate) scopes: &'a [String],
    /// The credential that the handshake shows.
    pub(crate) shown: Option<&'a Secret>,
    /// The nonce of this connection's challenge.
    pub(crate) nonce: &'a str,
    pub(crate) now: Timestamp,
}

/// Why a block proves nothing. In the order in which it is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unproven {
    /// It is no key.
    PublicKey,
    /// The id is not that of the key.
    Id,
    /// It was signed too long ago, or will be.
    Stale,
    NonceMissing,
    /// The nonce is not that of this connection.
    NonceMismatch,
    Signature,
}

impl Block {
    /// Reads the block. `None`: there is none.
    ///
    /// # Errors
    /// The path of what is wrong, and what was expected there.
    pub(crate) fn read(params: &Value) -> Result<Option<Self>, String> {
        let block = match params.get("device") {
            None | Some(Value::Null) => return Ok(None),
            Some(block) if block.is_object() => block,
            Some(_) => return Err("at /device: expected an object".to_owned()),
        };
        let text = |key: &str| match block.get(key).and_then(Value::as_str) {
            Some(text) if text.len() <= TEXT_MAX => Ok(text.to_owned()),
            Some(_) => Err(format!("at /device/{key}: expected at most {TEXT_MAX} bytes")),
            None => Err(format!("at /device/{key}: expected a string")),
        };
        let signed_at = block.get("signedAt").and_then(Value::as_i64);
        Ok(Some(Self {
            id: text("id")?,
            public_key: text("publicKey")?,
            signature: text("signature")?,
            signed_at: signed_at
                .filter(|at| *at >= 0)
                .map(Timestamp::from_ms)
                .ok_or("at /device/signedAt: expected milliseconds since 1970")?,
            // A client that leaves it out is told so by its own code.
            nonce: block.get("nonce").map_or(Ok(String::new()), |_| text("nonce"))?,
        }))
    }

    /// Decides whether the client holds the key.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn verify(&self, signed: &Signed<'_>) -> Result<Device, Unproven> {
        let key = decode(&self.public_key)
            .filter(|key| key.len() == 32 && !small_order::is_one(key))
            .ok_or(Unproven::PublicKey)?;
        let id = hex::encode(&Sha256::digest(&key));
        if id != self.id {
            return Err(Unproven::Id);
        }
        if signed.now.ms_since(self.signed_at).saturating_abs() > SKEW_MS {
            return Err(Unproven::Stale);
        }
        if self.nonce.trim().is_empty() {
            return Err(Unproven::NonceMissing);
        }
        if self.nonce != signed.nonce {
            return Err(Unproven::NonceMismatch);
        }
        let signature = decode(&self.signature).ok_or(Unproven::Signature)?;
        let key_of_it = UnparsedPublicKey::new(&ED25519, &key);
        let v2 = self.text("v2", signed);
        let (platform, family) = (
            signed.client.platform.as_deref(),
            signed.client.device_family.as_deref(),
        );
        let v3 = format!(
            "{}|{}|{}",
            self.text("v3", signed),
            normal(platform),
            normal(family)
        );
        // Newer clients sign v3; v2 is still taken, as by the gateways that they know.
        let good = [v3, v2]
            .iter()
            .any(|text| key_of_it.verify(text.as_bytes(), &signature).is_ok());
        if !good {
            return Err(Unproven::Signature);
        }
        Ok(Device {
            id: id.into(),
            public_key: URL_SAFE_NO_PAD.encode(&key).into(),
        })
    }

    /// What is signed, up to the nonce.
    fn text(&self, version: &str, signed: &Signed<'_>) -> String {
        let Signed {
            client,
            role,
            scopes,
            shown,
            nonce,
            now: _,
        } = signed;
        [
            version,
            &self.id,
            &client.id,
            client.mode.as_deref().unwrap_or_default(),
            role.as_str(),
            &scopes.join(","),
            &self.signed_at.to_string(),
            shown.map_or("", Secret::expose),
            nonce,
        ]
        .join("|")
    }
}

impl Unproven {
    /// The word for the metrics, which clients read as well.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::PublicKey => "device-public-key",
            Self::Id => "device-id-mismatch",
            Self::Stale => "device-signature-stale",
            Self::NonceMissing => "device-nonce-missing",
            Self::NonceMismatch => "device-nonce-mismatch",
            Self::Signature => "device-signature",
        }
    }

    /// What the client is told.
    pub(crate) fn refusal(self) -> Refusal {
        let (code, message, step) = match self {
            Self::PublicKey => (
                "DEVICE_AUTH_PUBLIC_KEY_INVALID",
                "device identity: publicKey must be the 32 raw bytes of an Ed25519 key in base64url, of a key pair that was generated",
                "fix_connect_params",
            ),
            Self::Id => (
                "DEVICE_AUTH_DEVICE_ID_MISMATCH",
                "device identity mismatch: device.id must be the hex SHA-256 of the public key",
                "fix_connect_params",
            ),
            Self::Stale => (
                "DEVICE_AUTH_SIGNATURE_EXPIRED",
                "device signature expired: signedAt is more than two minutes from the gateway's clock; set the clocks of both right",
                "review_auth_configuration",
            ),
            Self::NonceMissing => (
                "DEVICE_AUTH_NONCE_REQUIRED",
                "device nonce required: sign the nonce of connect.challenge",
                "fix_connect_params",
            ),
            Self::NonceMismatch => (
                "DEVICE_AUTH_NONCE_MISMATCH",
                "device nonce mismatch: sign the nonce of this connection's own connect.challenge",
                "fix_connect_params",
            ),
            Self::Signature => (
                "DEVICE_AUTH_SIGNATURE_INVALID",
                "device signature invalid: it must cover this handshake in the form v3 or v2",
                "fix_connect_params",
            ),
        };
        Refusal::invalid(message)
            .detail("code", code)
            .detail("reason", self.reason())
            .detail("recommendedNextStep", step)
    }
}

fn decode(text: &str) -> Option<Vec<u8>> {
    LENIENT.decode(text.replace('+', "-").replace('/', "_")).ok()
}

/// A label as it is signed.
fn normal(label: Option<&str>) -> String {
    label.unwrap_or_default().trim().to_ascii_lowercase()
}
