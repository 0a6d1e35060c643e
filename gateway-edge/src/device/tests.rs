use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::json;

use super::*;

const NONCE: &str = "the-nonce-of-this-connection";
const NOW_MS: i64 = 1_700_000_000_000;

fn client() -> Client {
    Client {
        id: "test".into(),
        mode: Some("ui".into()),
        platform: Some(" Linux ".into()),
        device_family: Some("Phone".into()),
        ..Client::default()
    }
}

fn key() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

/// Signs as a client does, except for what the test changes in the text.
fn signed_with(change: impl Fn(String) -> String, version: &str) -> Block {
    let key = key();
    let id = hex::encode(&Sha256::digest(key.public_key()));
    let mut text =
        format!("{version}|{id}|test|ui|operator|operator.read,operator.write|{NOW_MS}|tok|{NONCE}");
    if version == "v3" {
        text.push_str("|linux|phone");
    }
    Block {
        id,
        public_key: URL_SAFE_NO_PAD.encode(key.public_key()),
        signature: URL_SAFE_NO_PAD.encode(key.sign(change(text).as_bytes())),
        signed_at: Timestamp::from_ms(NOW_MS),
        nonce: NONCE.to_owned(),
    }
}

/// What a handshake asks for.
struct Asked {
    client: Client,
    role: Role,
    scopes: Vec<String>,
    shown: Option<Secret>,
    nonce: &'static str,
}

fn verified(block: &Block, change: impl FnOnce(&mut Asked)) -> Result<Device, Unproven> {
    let mut asked = Asked {
        client: client(),
        role: Role::Operator,
        scopes: vec!["operator.read".to_owned(), "operator.write".to_owned()],
        shown: Some(Secret::new("tok")),
        nonce: NONCE,
    };
    change(&mut asked);
    block.verify(&Signed {
        client: &asked.client,
        role: asked.role,
        scopes: &asked.scopes,
        shown: asked.shown.as_ref(),
        nonce: asked.nonce,
        now: Timestamp::from_ms(NOW_MS),
    })
}

#[test]
fn a_client_that_holds_the_key_is_believed_in_both_forms() {
    for version in ["v2", "v3"] {
        let block = signed_with(|text| text, version);
        let device = verified(&block, |_| ()).unwrap();
        assert_eq!(
            (&*device.id, &*device.public_key),
            (&*block.id, &*block.public_key)
        );
    }
    let mut padded = signed_with(|text| text, "v3");
    padded.public_key.push('=');
    let device = verified(&padded, |_| ()).unwrap();
    assert!(!device.public_key.ends_with('='), "kept in one form");
}

#[test]
fn each_word_of_the_handshake_is_covered_by_the_signature() {
    let block = signed_with(|text| text, "v3");
    let changes: [fn(&mut Asked); 9] = [
        |asked| asked.role = Role::Node,
        |asked| asked.shown = None,
        |asked| asked.shown = Some(Secret::new("other")),
        |asked| asked.client.id = "cli".into(),
        |asked| asked.client.mode = Some("cli".into()),
        |asked| asked.client.platform = Some("windows".into()),
        |asked| asked.client.device_family = None,
        |asked| asked.scopes = vec!["operator.admin".to_owned()],
        |asked| asked.scopes.clear(),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        assert_eq!(
            verified(&block, change),
            Err(Unproven::Signature),
            "change {index}"
        );
    }
    let truncated = signed_with(|text| text.replace("|phone", ""), "v3");
    assert_eq!(verified(&truncated, |_| ()), Err(Unproven::Signature));
}

#[test]
fn a_nonce_is_good_on_its_own_connection_alone() {
    // Two edges, or two connections of one, never make the same challenge, and each compares with its own: so what was signed for
    // one of them is refused by every other, and nobody keeps a list of nonces that all edges would have to share.
    let block = signed_with(|text| text, "v3");

    let elsewhere = verified(&block, |asked| asked.nonce = "the-nonce-of-another-edge");

    assert_eq!(elsewhere, Err(Unproven::NonceMismatch));
    verified(&block, |_| ()).unwrap();
}

#[test]
fn mistakes_are_told_in_the_order_of_their_checks() {
    let with = |change: fn(&mut Block)| {
        let mut block = signed_with(|text| text, "v3");
        change(&mut block);
        verified(&block, |_| ()).unwrap_err()
    };

    assert_eq!(
        with(|block| block.public_key = "AAAA".into()),
        Unproven::PublicKey
    );
    assert_eq!(with(|block| block.public_key = "!!".into()), Unproven::PublicKey);
    assert_eq!(with(|block| block.id = "0".repeat(64)), Unproven::Id);
    assert_eq!(with(|block| block.id.make_ascii_uppercase()), Unproven::Id);
    assert_eq!(
        with(|block| (block.id, block.signed_at) = ("0".repeat(64), Timestamp::EPOCH)),
        Unproven::Id,
        "the id comes before the time"
    );
    assert_eq!(
        with(|block| block.signed_at = block.signed_at.plus_ms(-SKEW_MS - 1)),
        Unproven::Stale
    );
    assert_eq!(
        with(|block| block.signed_at = block.signed_at.plus_ms(SKEW_MS + 1)),
        Unproven::Stale
    );
    assert_eq!(with(|block| block.signed_at = Timestamp::MAX), Unproven::Stale);
    assert_eq!(with(|block| block.nonce = " ".into()), Unproven::NonceMissing);
    assert_eq!(
        with(|block| block.nonce = "another".into()),
        Unproven::NonceMismatch
    );
    assert_eq!(with(|block| block.signature = "AAAA".into()), Unproven::Signature);
    assert_eq!(
        with(|block| block.signed_at = block.signed_at.plus_ms(1)),
        Unproven::Signature,
        "within the window, but not what was signed"
    );
}

#[test]
fn a_key_that_anybody_can_sign_for_is_no_key() {
    let identity = {
        let mut point = [0; 32];
        point[0] = 1;
        point
    };
    for key in [identity, [0; 32]] {
        let block = Block {
            id: hex::encode(&Sha256::digest(key)),
            public_key: URL_SAFE_NO_PAD.encode(key),
            signature: URL_SAFE_NO_PAD.encode([identity, [0; 32]].concat()),
            signed_at: Timestamp::from_ms(NOW_MS),
            nonce: NONCE.to_owned(),
        };

        let unproven = verified(&block, |_| ()).unwrap_err();

        assert_eq!(unproven, Unproven::PublicKey);
        assert_eq!(unproven.reason(), "device-public-key");
    }
}

#[test]
fn a_block_that_cannot_be_read_is_told_with_its_path() {
    let whole = || json!({"id": "a", "publicKey": "b", "signature": "c", "signedAt": 1, "nonce": "d"});
    let told = |device: Value| Block::read(&json!({"device": device})).unwrap_err();

    assert_eq!(Block::read(&json!({})), Ok(None));
    assert_eq!(Block::read(&json!({"device": null})), Ok(None));
    assert!(Block::read(&json!({"device": whole()})).unwrap().is_some());
    assert_eq!(told(json!("x")), "at /device: expected an object");
    for key in ["id", "publicKey", "signature", "nonce"] {
        let mut device = whole();
        device[key] = json!(7);
        assert_eq!(told(device), format!("at /device/{key}: expected a string"));
    }
    for bad in [json!(-1), json!("1"), json!(1.5)] {
        let mut device = whole();
        device["signedAt"] = bad;
        assert_eq!(
            told(device),
            "at /device/signedAt: expected milliseconds since 1970"
        );
    }
    let mut long = whole();
    long["id"] = json!("x".repeat(TEXT_MAX + 1));
    assert_eq!(told(long), "at /device/id: expected at most 512 bytes");
    let mut silent = whole();
    silent.as_object_mut().unwrap().remove("nonce");
    assert!(
        Block::read(&json!({"device": silent}))
            .unwrap()
            .unwrap()
            .nonce
            .is_empty()
    );
}
