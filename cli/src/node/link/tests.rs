use super::*;

#[test]
fn the_handshake_is_signed_as_the_protocol_says() {
    use ring::signature::{ED25519, UnparsedPublicKey};
    let home = tempfile::tempdir().unwrap();
    let me = Me {
        name: "pi".to_owned(),
        identity: Identity::open(home.path()).unwrap(),
        commands: vec!["system.which"],
        caps: vec!["system"],
    };
    let token = Secret::new("t".to_owned());

    let params = params(&me, Some(&token), &json!({"nonce": "n", "ts": 5}));

    let os = std::env::consts::OS;
    let text = format!("v3|{}|node-host|node|node||5|t|n|{os}|{os}", me.identity.id);
    let decode = |name: &str| {
        let text = params["device"][name].as_str().unwrap();
        data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).unwrap()
    };
    UnparsedPublicKey::new(&ED25519, decode("publicKey"))
        .verify(text.as_bytes(), &decode("signature"))
        .unwrap();
    assert_eq!(params["auth"]["token"], "t");
}

#[test]
fn a_result_that_does_not_fit_is_said_and_not_sent() {
    let large = result("i", "me", Ok(json!("\"".repeat(RESULT_BYTES_MAX / 2))));
    assert_eq!(large["error"]["code"], "RESULT_TOO_LARGE");
    let good = result("i", "me", Ok(json!({"a": 1})));
    assert_eq!(
        (&good["ok"], &good["payloadJSON"]),
        (&json!(true), &json!(r#"{"a":1}"#))
    );
}

#[test]
fn a_node_that_is_not_paired_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let me = Me {
        name: "pi".to_owned(),
        identity: Identity::open(home.path()).unwrap(),
        commands: vec![],
        caps: vec![],
    };
    let error =
        json!({"message": "pairing required", "details": {"code": "PAIRING_REQUIRED", "requestId": "r1"}});

    let Ended::Refused { why, next } = refused(&error, &me) else {
        panic!("it is a refusal");
    };

    assert_eq!(why, "pairing required");
    assert!(next.unwrap().contains("gatehouse devices approve r1"));
}
