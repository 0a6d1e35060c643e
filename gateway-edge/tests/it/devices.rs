//! Devices: who proves to hold its key, and what each mistake is told.

use std::sync::Arc;

use gatehouse_contract::PluginId;
use gatehouse_core::Clock;
use gatehouse_proto::broadcast::v1::Event;
use gatehouse_test_contract::descriptors;
use serde_json::{Value, json};

use crate::{
    client::{Client, v4},
    device::Device,
    gateway::{Gateway, Reply},
};

fn node() -> Value {
    let mut params = v4(&[]);
    params["role"] = json!("node");
    params["client"] = json!({"id": "node-host", "version": "1", "platform": "linux", "mode": "node"});
    params["commands"] = json!(["system.which"]);
    params
}

#[tokio::test]
async fn each_mistake_of_a_device_has_its_code_and_opens_nothing() {
    let gateway = Gateway::start().await;
    let (device, other) = (Device::new(1), Device::new(2));
    let asked = v4(&["operator.read"]);
    let now = Clock::system().now_ms();
    let changed = |nonce: &str, key: &str, value: Value| {
        let mut block = device.block(&asked, nonce);
        block[key] = value;
        block
    };
    type Make<'a> = Box<dyn Fn(&str) -> Value + 'a>;
    let cases: [(&str, &str, Make<'_>); 9] = [
        (
            "DEVICE_AUTH_DEVICE_ID_MISMATCH",
            "device-id-mismatch",
            Box::new(|nonce| changed(nonce, "id", json!(other.id()))),
        ),
        (
            "DEVICE_AUTH_DEVICE_ID_MISMATCH",
            "device-id-mismatch",
            Box::new(|nonce| changed(nonce, "publicKey", json!(other.public_key()))),
        ),
        (
            "DEVICE_AUTH_PUBLIC_KEY_INVALID",
            "device-public-key",
            Box::new(|nonce| changed(nonce, "publicKey", json!("AAAA"))),
        ),
        (
            "DEVICE_AUTH_SIGNATURE_EXPIRED",
            "device-signature-stale",
            Box::new(|nonce| device.block_at(&asked, nonce, now - 180_000)),
        ),
        (
            "DEVICE_AUTH_SIGNATURE_EXPIRED",
            "device-signature-stale",
            Box::new(|nonce| device.block_at(&asked, nonce, now + 180_000)),
        ),
        (
            "DEVICE_AUTH_NONCE_REQUIRED",
            "device-nonce-missing",
            Box::new(|_| device.block(&asked, "")),
        ),
        (
            "DEVICE_AUTH_NONCE_MISMATCH",
            "device-nonce-mismatch",
            Box::new(|_| device.block(&asked, "b2c7e1f0-0000-4000-8000-000000000000")),
        ),
        (
            "DEVICE_AUTH_SIGNATURE_INVALID",
            "device-signature",
            Box::new(|nonce| {
                changed(
                    nonce,
                    "signature",
                    other.block(&asked, nonce)["signature"].clone(),
                )
            }),
        ),
        (
            "DEVICE_AUTH_SIGNATURE_INVALID",
            "device-signature",
            Box::new(|nonce| device.block(&v4(&["operator.admin"]), nonce)),
        ),
    ];
    for (code, reason, make) in cases {
        let mut client = Client::open(&gateway).await;
        let mut params = asked.clone();
        params["device"] = make(&client.nonce);

        let error = client.call("connect", params).await["error"].clone();

        assert_eq!(
            (
                &error["code"],
                &error["details"]["code"],
                &error["details"]["reason"]
            ),
            (&json!("INVALID_REQUEST"), &json!(code), &json!(reason)),
            "{error}"
        );
        assert!(error["details"]["recommendedNextStep"].is_string(), "{error}");
        let (close, told) = client.closed().await;
        assert_eq!(close, 1008);
        assert!(error["message"].as_str().unwrap().starts_with(&told), "{told}");
    }
}

#[tokio::test]
async fn what_was_signed_for_one_connection_opens_no_other() {
    let gateway = Gateway::start().await;
    let another_edge = Gateway::start().await;
    let device = Device::new(1);
    let mut params = v4(&["operator.read"]);
    let mut first = Client::open(&gateway).await;
    params["device"] = device.block(&params, &first.nonce);
    assert_eq!(first.call("connect", params.clone()).await["ok"], true);

    for edge in [&gateway, &another_edge] {
        let mut second = Client::open(edge).await;
        let error = second.call("connect", params.clone()).await["error"].clone();
        assert_eq!(error["details"]["code"], "DEVICE_AUTH_NONCE_MISMATCH", "{error}");
    }
    let again = first.call("connect", params).await;
    assert_eq!(
        again["ok"], false,
        "and on its own connection it is good once: {again}"
    );
}

#[tokio::test]
async fn services_are_told_which_device_calls() {
    let gateway = Gateway::start().await;
    gateway.answers("system-presence", Reply::Json(r#"{"presence":[{"ts":7}]}"#));
    let device = Device::new(1);

    let mut client = device.connect(&gateway, v4(&["operator.read"])).await;
    client.call("system-presence", json!({})).await;

    let caller = gateway.calls("system-presence").pop().unwrap().caller.unwrap();
    assert_eq!(caller.device_id, Some(device.id()));
    assert_eq!(
        (caller.client_mode.as_deref(), caller.platform.as_deref()),
        (Some("cli"), Some("linux"))
    );
}

#[tokio::test]
async fn a_node_that_holds_its_key_is_let_in_and_one_without_a_device_is_not() {
    let gateway = Gateway::start().await;
    let device = Device::new(1);

    let node_client = device.connect(&gateway, node()).await;
    assert_eq!(node_client.hello["auth"]["role"], "node");
    assert_eq!(node_client.hello["auth"]["scopes"], json!([]));

    let mut without = Client::open(&gateway).await;
    let error = without.call("connect", node()).await["error"].clone();
    assert_eq!(
        (&error["code"], &error["details"]["code"]),
        (&json!("NOT_PAIRED"), &json!("DEVICE_IDENTITY_REQUIRED"))
    );
}

#[tokio::test]
async fn what_is_for_one_node_reaches_its_connections_alone_and_takes_no_number() {
    let gateway = Gateway::start().await;
    let plugin = gateway.plugin();
    let contract = descriptors(
        "message Ask { option (gatehouse.options.v1.event) = {
            name: \"kitchen.ask\" access: ACCESS_NODE publishers: IDENTITY_EDGE }; string what = 1; }",
    );
    gateway.offers.send_modify(|offer| {
        let id = PluginId::parse("kitchen").unwrap();
        let next = offer.with(&id, &contract, &[], plugin.peer.clone());
        *offer = Arc::new(next.expect("a plugin that may stand beside the others"));
    });
    let (device, other) = (Device::new(1), Device::new(2));
    let mut mine = device.connect(&gateway, node()).await;
    let mut others = other.connect(&gateway, node()).await;
    let mut operator = device.connect(&gateway, v4(&["operator.admin"])).await;
    let ask = |what: &str, device: &Device| Event {
        r#type: "t.v1.Ask".to_owned(),
        payload: [&[10, u8::try_from(what.len()).unwrap()], what.as_bytes()]
            .concat()
            .into(),
        topics: vec![format!("node/{}", device.id())],
        ..Event::default()
    };

    gateway.publish(vec![ask("mine", &device), ask("the other's", &other)]);

    for (client, what) in [(&mut mine, "mine"), (&mut others, "the other's")] {
        let event = client.event("kitchen.ask").await;
        assert_eq!(event["payload"]["what"], what);
        assert!(event.get("seq").is_none(), "{event}");
    }
    operator
        .send(r#"{"type":"req","id":"last","method":"no.such"}"#)
        .await;
    loop {
        let frame = operator.frame().await;
        assert_ne!(
            frame["event"], "kitchen.ask",
            "an operator's connection of the same device is not a node"
        );
        if frame["id"] == "last" {
            break;
        }
    }
}
