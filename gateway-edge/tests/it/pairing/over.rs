//! What a device was let in with, and how that ends.

use super::*;

#[tokio::test]
async fn what_is_taken_from_a_device_closes_its_sockets_and_no_others() {
    let gateway = Gateway::start().await;
    let (device, other) = (Device::new(1), Device::new(2));
    let token = token_of(&device.id(), "operator");
    let by_token = || showing(json!({"token": token}), &["operator.read"]);

    // Its token is revoked: the generation changes and the row of the token goes.
    let mut shared = device.connect(&gateway, v4(&["operator.read"])).await;
    let mut own = device.connect(&gateway, by_token()).await;
    let mut others = other.connect(&gateway, v4(&["operator.read"])).await;
    gateway.change_devices(|devices, credentials| {
        let row = devices
            .iter_mut()
            .find(|row| row.device_id == device.id())
            .unwrap();
        row.generation += 1;
        credentials.retain(|row| row.device_id.as_deref() != Some(&device.id()));
    });
    assert_eq!(
        shared.closed().await.0,
        4001,
        "a connection by the gateway token is the device's as well"
    );
    assert_eq!(own.closed().await.0, 4001);

    // It comes back with the gateway token, and is removed.
    let mut back = device.connect(&gateway, v4(&["operator.read"])).await;
    let begun = tokio::time::Instant::now();
    gateway.change_devices(|devices, _| devices.retain(|row| row.device_id != device.id()));
    assert_eq!(back.closed().await.0, 4001);
    // A second, and one for a machine that is busy with other tests.
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );

    let answer = others.call("no.such", json!({})).await;
    assert_ne!(answer["error"]["details"]["code"], "AUTH_CHANGED", "{answer}");
}

#[tokio::test]
async fn a_device_is_over_with_what_it_was_paired_with_and_is_decided_about_anew() {
    let gateway = Gateway::start().await;
    let (device, other) = (Device::new(1), Device::new(2));
    let token = token_of(&device.id(), "operator");
    drop(device.connect(&gateway, v4(&["operator.read"])).await);
    let over = gatehouse_core::Clock::system().now_ms() + 1_500;
    gateway.change_devices(|devices, credentials| {
        devices[0].expire_time_ms = Some(over);
        let row = credentials.iter_mut().find(|row| row.needs_device_key).unwrap();
        row.expire_time_ms = Some(over);
    });
    // By a credential that goes on, and by its own token.
    let mut shared = device.connect(&gateway, v4(&["operator.read"])).await;
    let by_token = || showing(json!({"token": token, "deviceToken": token}), &["operator.read"]);
    let mut own = device.connect(&gateway, by_token()).await;
    let mut others = other.connect(&gateway, v4(&["operator.read"])).await;

    assert_eq!((shared.closed().await.0, own.closed().await.0), (4001, 4001));

    let late = gatehouse_core::Clock::system().now_ms() - over;
    assert!((0..2_000).contains(&late), "{late} ms late");
    let (error, _) = refused(&device, &gateway, by_token()).await;
    assert_eq!(
        error["details"]["code"], "AUTH_DEVICE_TOKEN_MISMATCH",
        "the code at which clients throw the token away"
    );
    let asked = gateway.decisions().len();
    drop(device.connect(&gateway, v4(&["operator.read"])).await);
    assert_eq!(gateway.decisions().len(), asked + 1, "it is known no more");
    let decision = gateway.decisions().pop().unwrap();
    assert_eq!(
        decision.credential_id.as_deref(),
        Some("shared"),
        "by what it asks is told"
    );
    let answer = others.call("no.such", json!({})).await;
    assert_ne!(answer["error"]["details"]["code"], "AUTH_CHANGED", "{answer}");
}

#[tokio::test]
async fn a_setup_code_lets_a_device_in_and_a_wrong_one_counts_as_a_guess() {
    let gateway =
        Gateway::configured(r#"{"gateway":{"auth":{"rateLimit":{"maxAttempts":2,"exemptLoopback":false}}}}"#)
            .await;
    let device = Device::new(1);
    let with_code = |code: &str| showing(json!({"bootstrapToken": code}), &["operator.read"]);

    let client = device.connect(&gateway, with_code(CODE)).await;
    assert_eq!(client.hello["auth"]["scopes"], json!(["operator.read"]));
    assert_eq!(
        client.hello["auth"]["deviceToken"],
        json!(token_of(&device.id(), "operator"))
    );
    let asked = gateway.decisions().pop().unwrap();
    assert!(!asked.local && asked.setup_digest.is_some());

    for _ in 0..2 {
        let (error, (code, _)) = refused(&device, &gateway, with_code("guess")).await;
        assert_eq!(
            (&error["details"]["code"], code),
            (&json!("AUTH_BOOTSTRAP_TOKEN_INVALID"), 1008)
        );
    }
    let (error, _) = refused(&device, &gateway, with_code("guess")).await;
    assert_eq!(error["details"]["code"], "AUTH_RATE_LIMITED");
    let mut without = Client::open(&gateway).await;
    let error = without.call("connect", with_code(CODE)).await["error"].clone();
    assert_eq!(
        error["details"]["code"], "DEVICE_IDENTITY_REQUIRED",
        "a code pairs a device, and there is none"
    );
}

#[tokio::test]
async fn who_connects_without_a_device_gets_what_its_token_is_good_for() {
    let gateway = Gateway::start().await;
    // Where OpenClaw decides by what a client calls itself, the credential decides here: a name is no reason for anything.
    for (id, mode) in [
        ("cli", "cli"),
        ("gateway-client", "backend"),
        ("cli", "probe"),
        ("test", "test"),
        ("openclaw-tui", "ui"),
        ("openclaw-control-ui", "webchat"),
        ("something-else", "cli"),
    ] {
        let mut params = v4(&["operator.read", "operator.write"]);
        params["client"]["id"] = json!(id);
        params["client"]["mode"] = json!(mode);
        let client = Client::connect(&gateway, params).await;
        assert_eq!(
            client.hello["auth"]["scopes"],
            json!(["operator.read", "operator.write"]),
            "{id}/{mode}"
        );
        assert!(client.hello["auth"].get("deviceToken").is_none());
    }
    until("nobody was asked", async || gateway.decisions().is_empty()).await;
}
