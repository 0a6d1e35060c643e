//! A device that signs its handshakes.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatehouse_core::{Clock, hex};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{client::Client, gateway::Gateway};

/// A key pair, and what its client says of itself.
pub(crate) struct Device {
    key: Ed25519KeyPair,
}

impl Device {
    /// The same for the same seed.
    pub(crate) fn new(seed: u8) -> Self {
        let key = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        Self { key }
    }

    pub(crate) fn id(&self) -> String {
        hex::encode(&Sha256::digest(self.key.public_key()))
    }

    pub(crate) fn public_key(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.key.public_key())
    }

    /// The block for these parameters, signed now for a nonce.
    pub(crate) fn block(&self, params: &Value, nonce: &str) -> Value {
        self.block_at(params, nonce, Clock::system().now_ms())
    }

    pub(crate) fn block_at(&self, params: &Value, nonce: &str, at_ms: i64) -> Value {
        let text = |pointer: &str| {
            params
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let label = |pointer: &str| text(pointer).trim().to_ascii_lowercase();
        let scopes: Vec<&str> = params["scopes"]
            .as_array()
            .map(|scopes| scopes.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        let shown = ["token", "deviceToken", "bootstrapToken"]
            .into_iter()
            .find_map(|key| params["auth"][key].as_str())
            .unwrap_or_default();
        let role = params["role"].as_str().unwrap_or("operator");
        let signed = format!(
            "v3|{}|{}|{}|{role}|{}|{at_ms}|{shown}|{nonce}|{}|{}",
            self.id(),
            text("/client/id"),
            text("/client/mode"),
            scopes.join(","),
            label("/client/platform"),
            label("/client/deviceFamily"),
        );
        json!({"id": self.id(), "publicKey": self.public_key(), "signedAt": at_ms, "nonce": nonce,
            "signature": URL_SAFE_NO_PAD.encode(self.key.sign(signed.as_bytes()))})
    }

    pub(crate) fn sign(&self, text: &str) -> Vec<u8> {
        self.key.sign(text.as_bytes()).as_ref().to_vec()
    }

    pub(crate) fn raw_key(&self) -> &[u8] {
        self.key.public_key().as_ref()
    }

    /// Connects with these parameters, signed.
    pub(crate) async fn connect(&self, gateway: &Gateway, params: Value) -> Client {
        let (client, answer) = self.attempt(gateway, params).await;
        assert_eq!(answer["ok"], true, "{answer}");
        client
    }

    /// The same, and the answer whatever it is.
    pub(crate) async fn attempt(&self, gateway: &Gateway, mut params: Value) -> (Client, Value) {
        let mut client = Client::open(gateway).await;
        params["device"] = self.block(&params, &client.nonce);
        let answer = client.call("connect", params).await;
        client.hello = answer["payload"].clone();
        (client, answer)
    }
}
