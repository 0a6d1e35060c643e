//! The phone on which somebody links a device: its code is scanned, or typed.

use base64::{Engine, engine::general_purpose::STANDARD};
use whatsapp_rust::{
    Jid,
    buffa::Message as _,
    prelude::wa,
    wacore::{
        crypto::hkdf_sha256_into,
        libsignal::{
            crypto::{aes_256_gcm_decrypt, hmac_sha256},
            protocol::{KeyPair, PublicKey},
        },
        pair_code::PairCodeUtils,
    },
    wacore_binary::{Node, builder::NodeBuilder},
};

use crate::{
    noise::pair,
    plugin::DEVICE,
    relay::{bytes, text},
    server::{Order, Whatsapp, hidden, now},
};

fn key<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("a key")
}

fn derived(material: &[u8], salt: Option<&[u8]>, what: &[u8]) -> [u8; 32] {
    let mut derived = [0; 32];
    hkdf_sha256_into(material, salt, what, &mut derived).expect("a key");
    derived
}

fn agreed(own: &KeyPair, theirs: &[u8]) -> [u8; 32] {
    let theirs = PublicKey::from_djb_public_key_bytes(theirs).expect("a key");
    own.private_key.calculate_agreement(&theirs).expect("a secret")
}

fn part(name: &'static str, bytes: &[u8]) -> Node {
    NodeBuilder::new(name).bytes(bytes.to_vec()).build()
}

impl Whatsapp {
    /// Somebody scans a code with the phone of this number.
    pub(crate) async fn scan(&self, qr: &str, number: &str) {
        let parts: Vec<&str> = qr.split(',').collect();
        let decode = |text: &str| STANDARD.decode(text).expect("base64");
        self.link(&decode(parts[2]), &decode(parts[3]), number).await;
    }

    /// Somebody types a code into the phone of this number.
    pub(crate) async fn typed(&self, code: &str, number: &str) {
        let code = code.replace('-', "");
        let hello = self.stage("companion_hello").await;
        let wrapped = bytes(&hello, "link_code_pairing_wrapped_companion_ephemeral_pub");
        let theirs = PairCodeUtils::decrypt_primary_ephemeral_pub(&wrapped, &code).expect("a key");
        let (once, own) = (pair(), pair());
        let wrapped = PairCodeUtils::encrypt_ephemeral_pub(&key(once.public_key.public_key_bytes()), &code);
        let said = NodeBuilder::new("link_code_companion_reg")
            .attr("stage", "primary_hello")
            .children([
                part("link_code_pairing_wrapped_primary_ephemeral_pub", &wrapped),
                part("primary_identity_pub", own.public_key.public_key_bytes()),
                part("link_code_pairing_ref", REF),
            ])
            .build();
        let told = NodeBuilder::new("notification")
            .attr("from", "s.whatsapp.net")
            .attr("id", "typed")
            .attr("type", "link_code_companion_reg")
            .children([said])
            .build();
        self.unlinked(told).await;

        let finish = self.stage("companion_finish").await;
        let sealed = bytes(&finish, "link_code_pairing_wrapped_key_bundle");
        let identity = bytes(&finish, "companion_identity_public");
        let shared = agreed(&once, &theirs);
        let what = b"link_code_pairing_key_bundle_encryption_key";
        let opened = derived(&shared, Some(&sealed[..32]), what);
        let mut bundle = Vec::new();
        aes_256_gcm_decrypt(&opened, &key(&sealed[32..44]), b"", &sealed[44..], &mut bundle).expect("opened");
        let material = [&shared[..], &agreed(&own, &identity), &bundle[64..]].concat();
        let secret = derived(&material, None, b"adv_secret");
        self.link(&identity, &secret, number).await;
    }

    /// What a device that asks for a code to type said in this stage.
    async fn stage(&self, stage: &str) -> Node {
        self.until(stage, |state| {
            let said = state.heard.iter().filter(|(from, _)| from.0 == "link");
            let mut asked = said.filter_map(|(_, node)| node.get_optional_child("link_code_companion_reg"));
            asked.find(|asked| text(asked, "stage") == stage).cloned()
        })
        .await
    }

    /// The phone says that the device with this key is one of its own; the secret is what the code told it.
    async fn link(&self, device_key: &[u8], secret: &[u8], number: &str) {
        let identity = self.identity(device_key, u32::from(DEVICE));
        let container = wa::ADVSignedDeviceIdentityHMAC {
            hmac: Some(hmac_sha256(secret, &identity).to_vec()),
            details: Some(identity),
            ..Default::default()
        };
        let success = NodeBuilder::new("pair-success")
            .children([
                part("device-identity", &container.encode_to_vec()),
                NodeBuilder::new("biz").attr("name", "Gate").build(),
                NodeBuilder::new("device")
                    .attr("jid", Jid::pn_device(number.to_owned(), DEVICE))
                    .attr("lid", Jid::lid_device(hidden(number), DEVICE))
                    .build(),
                NodeBuilder::new("platform").attr("name", "android").build(),
            ])
            .build();
        let said = NodeBuilder::new("iq")
            .attr("from", "s.whatsapp.net")
            .attr("id", "linked")
            .attr("type", "set")
            .attr("xmlns", "md")
            .children([success])
            .build();
        self.unlinked(said).await;
    }

    async fn unlinked(&self, said: Node) {
        let line = self
            .until("a device to link", |state| state.unlinked.clone())
            .await;
        line.send(Order::Say(said)).await.expect("it waits");
    }

    /// What says that a device is of our account: `ADVSignedDeviceIdentity`, encoded.
    pub(crate) fn identity(&self, device_key: &[u8], index: u32) -> Vec<u8> {
        let details = wa::ADVDeviceIdentity {
            raw_id: Some(1),
            timestamp: Some(now()),
            key_index: Some(index),
            ..Default::default()
        };
        let details = details.encode_to_vec();
        let said = [&[6, 0][..], &details, device_key].concat();
        let signature = self
            .account
            .private_key
            .calculate_signature(&said, &mut rand::rng());
        let signed = wa::ADVSignedDeviceIdentity {
            details: Some(details),
            account_signature_key: Some(self.account.public_key.public_key_bytes().to_vec()),
            account_signature: Some(signature.expect("a signature").to_vec()),
            ..Default::default()
        };
        signed.encode_to_vec()
    }
}

/// What binds a code to type to the device that asked for it.
pub(crate) const REF: &[u8] = b"3@ref";

/// The answer to a device that asks for a code to type.
pub(crate) fn code(asked: &Node) -> Node {
    let answer = NodeBuilder::new("iq")
        .attr("from", "s.whatsapp.net")
        .attr("id", text(asked, "id"))
        .attr("type", "result");
    let reg = NodeBuilder::new("link_code_companion_reg").children([part("link_code_pairing_ref", REF)]);
    answer.children([reg.build()]).build()
}
