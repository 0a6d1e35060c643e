//! Devices that are known, that are not, and what ends with them.

mod over;

use serde_json::{Value, json};

use crate::{
    client::{Client, v4},
    device::Device,
    gateway::{CODE, Deciding, Gateway, ISSUED_MS, token_of, until},
};

/// Parameters that show something else than the gateway token.
fn showing(auth: Value, scopes: &[&str]) -> Value {
    let mut params = v4(scopes);
    params["auth"] = auth;
    params
}

async fn refused(device: &Device, gateway: &Gateway, params: Value) -> (Value, (u16, String)) {
    let (mut client, answer) = device.attempt(gateway, params).await;
    assert_eq!(answer["ok"], false, "{answer}");
    (answer["error"].clone(), client.closed().await)
}

#[tokio::test]
async fn a_new_device_of_this_machine_is_paired_and_comes_back_with_its_own_token() {
    let gateway = Gateway::start().await;
    let device = Device::new(1);
    let token = token_of(&device.id(), "operator");

    let client = device
        .connect(&gateway, v4(&["operator.read", "operator.write"]))
        .await;

    assert_eq!(client.hello["auth"]["deviceToken"], json!(token));
    assert_eq!(client.hello["auth"]["issuedAtMs"], json!(ISSUED_MS));
    let asked = gateway.decisions().pop().unwrap();
    assert!(asked.local, "the test is a process of this machine");
    assert_eq!(
        (asked.device_id, asked.public_key),
        (device.id(), device.public_key())
    );
    assert_eq!(asked.scopes, ["operator.read", "operator.write"]);
    for auth in [
        json!({"token": token}),
        json!({"deviceToken": token}),
        json!({"token": token, "deviceToken": token}),
        json!({"token": "a wrong one", "deviceToken": token}),
    ] {
        let again = device.connect(&gateway, showing(auth, &["operator.read"])).await;
        assert_eq!(again.hello["auth"]["scopes"], json!(["operator.read"]));
        assert_eq!(
            again.hello["auth"]["deviceToken"],
            json!(token),
            "it is told again what it has"
        );
        assert_eq!(again.hello["auth"]["issuedAtMs"], json!(ISSUED_MS));
    }
    assert_eq!(
        gateway.decisions().len(),
        1,
        "about a known device nobody is asked"
    );
}

#[tokio::test]
async fn a_known_device_comes_in_while_the_config_service_does_not_answer() {
    let gateway = Gateway::start().await;
    let (device, stranger) = (Device::new(1), Device::new(2));
    let token = token_of(&device.id(), "operator");
    drop(device.connect(&gateway, v4(&["operator.read"])).await);
    gateway.decides(Deciding::Hangs);

    let by_token = device
        .connect(&gateway, showing(json!({"token": token}), &["operator.read"]))
        .await;
    assert_eq!(by_token.hello["auth"]["deviceToken"], json!(token));
    let by_shared = device.connect(&gateway, v4(&["operator.read"])).await;
    assert!(
        by_shared.hello["auth"].get("deviceToken").is_none(),
        "nobody is there to tell it"
    );

    let (error, (code, _)) = refused(&stranger, &gateway, v4(&["operator.read"])).await;
    assert_eq!(
        (&error["code"], &error["details"]["code"], &error["retryable"]),
        (&json!("UNAVAILABLE"), &json!("PAIRING_UNAVAILABLE"), &json!(true))
    );
    assert_eq!(code, 1013);
}

#[tokio::test]
async fn a_device_that_has_to_wait_is_told_so_with_its_request() {
    let gateway = Gateway::start().await;
    let device = Device::new(1);
    for (reason, requirement) in [
        ("not-paired", "device is not approved yet"),
        (
            "role-upgrade",
            "device is asking for a higher role than currently approved",
        ),
        (
            "scope-upgrade",
            "device is asking for more scopes than currently approved",
        ),
        (
            "metadata-upgrade",
            "device identity changed and must be re-approved",
        ),
    ] {
        gateway.decides(Deciding::Waits(reason));

        let (error, closed) = refused(&device, &gateway, v4(&["operator.read"])).await;

        assert_eq!(error["code"], "NOT_PAIRED");
        assert_eq!(error["message"], format!("pairing required: {requirement}"));
        let details = &error["details"];
        assert_eq!(
            (
                &details["code"],
                &details["reason"],
                &details["requestId"],
                &details["deviceId"]
            ),
            (
                &json!("PAIRING_REQUIRED"),
                &json!(reason),
                &json!("request-1"),
                &json!(device.id())
            )
        );
        assert_eq!(details["requestedScopes"], json!(["operator.read"]));
        assert!(details["remediationHint"].is_string());
        assert_eq!(
            (&details["recommendedNextStep"], &details["pauseReconnect"]),
            (&json!("wait_then_retry"), &json!(false)),
            "it comes in by itself once somebody has approved"
        );
        let told = format!("pairing required: {requirement} (requestId: request-1)");
        assert_eq!(closed, (1008, told));
    }
}

#[tokio::test]
async fn a_device_token_opens_nothing_without_its_key_and_no_more_than_was_approved() {
    let gateway = Gateway::start().await;
    let (device, other) = (Device::new(1), Device::new(2));
    let token = token_of(&device.id(), "operator");
    drop(device.connect(&gateway, v4(&["operator.read"])).await);
    let shown = |scopes: &[&str]| showing(json!({"token": token, "deviceToken": token}), scopes);

    let (error, (code, _)) = refused(&other, &gateway, shown(&["operator.read"])).await;
    assert_eq!(
        (&error["details"]["code"], code),
        (&json!("AUTH_DEVICE_TOKEN_MISMATCH"), 1008)
    );
    let mut without = Client::open(&gateway).await;
    let error = without.call("connect", shown(&["operator.read"])).await["error"].clone();
    assert_eq!(error["details"]["code"], "AUTH_DEVICE_TOKEN_MISMATCH");

    let (error, (code, _)) = refused(&device, &gateway, shown(&["operator.read", "operator.write"])).await;
    assert_eq!((&error["code"], code), (&json!("INVALID_REQUEST"), 1008));
    assert_eq!(error["details"]["code"], "AUTH_SCOPE_MISMATCH");
    assert_eq!(error["details"]["approvedScopes"], json!(["operator.read"]));
    let mut as_node = shown(&[]);
    as_node["role"] = json!("node");
    let (error, _) = refused(&device, &gateway, as_node).await;
    assert_eq!(
        error["details"]["code"], "AUTH_DEVICE_TOKEN_MISMATCH",
        "the code at which clients throw away what is not a token of this role"
    );
    let (error, _) = refused(&device, &gateway, showing(json!({"deviceToken": "made up"}), &[])).await;
    assert_eq!(error["details"]["code"], "AUTH_DEVICE_TOKEN_MISMATCH");

    assert_eq!(gateway.decisions().len(), 1, "no token asks for more by itself");
}

#[tokio::test]
async fn a_device_that_says_something_else_of_itself_is_looked_at_again() {
    let gateway = Gateway::start().await;
    let device = Device::new(1);
    let token = token_of(&device.id(), "operator");
    drop(device.connect(&gateway, v4(&["operator.read"])).await);
    gateway.decides(Deciding::Waits("metadata-upgrade"));
    let mut moved = showing(json!({"token": token}), &["operator.read"]);
    moved["client"]["platform"] = json!("windows");

    let (error, _) = refused(&device, &gateway, moved).await;

    assert_eq!(error["details"]["reason"], "metadata-upgrade");
    let asked = gateway.decisions().pop().unwrap();
    assert!(!asked.local, "a token alone approves nothing");
}

#[tokio::test]
async fn the_gateway_token_gives_a_device_no_more_than_it_is_good_for() {
    let gateway = Gateway::configured(r#"{"gateway":{"auth":{"tokenScopes":["operator.read"]}}}"#).await;
    let device = Device::new(1);

    let client = device
        .connect(&gateway, v4(&["operator.read", "operator.admin"]))
        .await;

    assert_eq!(client.hello["auth"]["scopes"], json!(["operator.read"]));
    assert_eq!(gateway.decisions().pop().unwrap().scopes, ["operator.read"]);
}

#[tokio::test]
async fn a_node_of_this_machine_is_let_in_by_who_could_approve_it_and_waits_otherwise() {
    for (scopes, may) in [
        (r#"["operator.read","operator.write"]"#, false),
        (r#"["operator.read","operator.pairing"]"#, true),
        (r#"["operator.admin"]"#, true),
    ] {
        let gateway =
            Gateway::configured(&format!(r#"{{"gateway":{{"auth":{{"tokenScopes":{scopes}}}}}}}"#)).await;
        let mut node = v4(&[]);
        node["role"] = json!("node");

        drop(Device::new(1).attempt(&gateway, node).await);

        let asked = gateway.decisions().pop().unwrap();
        assert_eq!((asked.role.as_str(), asked.local), ("node", may), "{scopes}");
    }
}
