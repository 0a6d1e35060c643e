//! Who comes in, who does not, and what each is told.

mod kept_out;

use std::time::Duration;

use gatehouse_edge::Limits;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use crate::{
    client::{Client, v4},
    gateway::{Gateway, TOKEN, revision},
};

const ALL: [&str; 6] = [
    "operator.read",
    "operator.write",
    "operator.admin",
    "operator.pairing",
    "operator.approvals",
    "operator.questions",
];

fn with(pointer: &str, value: Value) -> Value {
    let mut params = v4(&["operator.read"]);
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    params.pointer_mut(parent).unwrap()[key] = value;
    params
}

async fn refused(gateway: &Gateway, params: Value) -> (Value, (u16, String)) {
    let mut client = Client::open(gateway).await;
    let answer = client.call("connect", params).await;
    assert_eq!(answer["ok"], false, "{answer}");
    (answer["error"].clone(), client.closed().await)
}

#[tokio::test]
async fn a_v4_client_is_told_what_it_may_use_and_how_things_stand() {
    let gateway = Gateway::start().await;

    let client = Client::v4(&gateway, &["operator.read", "operator.imaginary"]).await;

    let hello = &client.hello;
    assert_eq!(
        (&hello["type"], &hello["protocol"]),
        (&json!("hello-ok"), &json!(4))
    );
    assert_eq!(
        hello["auth"],
        json!({"role": "operator", "scopes": ["operator.read"]})
    );
    let list = |key: &str| hello["features"][key].as_array().unwrap().clone();
    assert!(
        list("methods").contains(&json!("sessions.list")) && !list("methods").contains(&json!("chat.send"))
    );
    assert!(list("events").contains(&json!("chat")));
    assert_eq!(
        list("capabilities"),
        [json!("published-model-catalog"), json!("text-increments")]
    );
    assert_eq!(
        hello["snapshot"]["stateVersion"],
        json!({"presence": 1, "health": 1})
    );
    assert_eq!(hello["snapshot"]["presence"], json!([]));
    assert_eq!(hello["snapshot"]["health"]["ok"], true);
    assert_eq!(
        hello["policy"],
        json!({
            "maxPayload": 524_288, "maxBufferedBytes": 52_428_800, "tickIntervalMs": 30_000,
            "attachments": {"maxBytes": 524_288, "maxImageBytes": 524_288},
        }),
        "who may not write sends no large messages"
    );
    for scope in ["operator.write", "operator.admin"] {
        let client = Client::v4(&gateway, &[scope]).await;
        assert_eq!(client.hello["policy"]["maxPayload"], 26_214_400);
    }
}

#[tokio::test]
async fn a_plain_client_gets_a_flat_hello_and_no_snapshot_it_already_has() {
    let gateway = Gateway::start().await;

    let client = Client::plain(&gateway, &["operator.read"]).await;
    assert_eq!(client.hello["stateVersion"], json!({"presence": 1, "health": 1}));
    assert_eq!(client.hello["presenceSnapshot"], json!([]));
    assert!(
        client.hello["gatewayMethods"]
            .as_array()
            .unwrap()
            .contains(&json!("sessions.list"))
    );
    assert!(client.hello["events"].as_array().unwrap().contains(&json!("gap")));

    let known = json!({"token": TOKEN, "scopes": [], "stateVersion": {"presence": 1, "health": 1}});
    let client = Client::connect(&gateway, known).await;
    assert!(client.hello.get("presenceSnapshot").is_none() && client.hello.get("healthSnapshot").is_none());
    let old = json!({"token": TOKEN, "scopes": [], "stateVersion": {"presence": 0, "health": 1}});
    assert!(
        Client::connect(&gateway, old)
            .await
            .hello
            .get("presenceSnapshot")
            .is_some()
    );
}

#[tokio::test]
async fn each_part_of_the_snapshot_is_left_out_for_itself_when_the_client_has_it() {
    let gateway = Gateway::start().await;
    for (known, presence, health) in [
        (json!({}), true, true),
        (json!({"presence": 0, "health": 0}), true, true),
        (json!({"presence": 1, "health": 0}), false, true),
        (json!({"presence": 0, "health": 1}), true, false),
        (json!({"health": 1}), true, false),
        (json!({"presence": 1, "health": null}), false, true),
        (json!({"presence": 7, "health": 7}), false, false),
    ] {
        let params = json!({"token": TOKEN, "stateVersion": known});

        let hello = Client::connect(&gateway, params).await.hello;

        assert_eq!(
            (
                hello.get("presenceSnapshot").is_some(),
                hello.get("healthSnapshot").is_some()
            ),
            (presence, health),
            "{known}"
        );
        assert_eq!(hello["stateVersion"], json!({"presence": 1, "health": 1}));
    }
}

#[tokio::test]
async fn every_method_that_a_hello_offers_is_there() {
    let gateway = Gateway::start().await;
    let mut client = Client::v4(&gateway, &ALL).await;
    let features = client.hello["features"].clone();
    assert_eq!(client.hello["server"]["controlUiBuildSource"], "configured");

    for name in features["methods"].as_array().unwrap() {
        // No service answers, and none is asked: the parameters are wrong, or the fake knows nothing.
        let answer = client.call(name.as_str().unwrap(), json!([])).await;
        let message = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(!message.starts_with("unknown method"), "{answer}");
    }
}

#[tokio::test]
async fn every_refusal_has_a_code_a_next_step_and_its_close() {
    let gateway = Gateway::start().await;
    let plain = |token: Value| json!({"token": token, "scopes": []});
    let cases = [
        (
            with("/auth/token", json!("wrong")),
            "INVALID_REQUEST",
            "AUTH_TOKEN_MISMATCH",
            1008,
        ),
        (
            with("/auth", json!({})),
            "NOT_PAIRED",
            "DEVICE_IDENTITY_REQUIRED",
            1008,
        ),
        (
            with("/auth", json!({"deviceToken": "d"})),
            "INVALID_REQUEST",
            "AUTH_DEVICE_TOKEN_MISMATCH",
            1008,
        ),
        (
            with("/role", json!("node")),
            "NOT_PAIRED",
            "DEVICE_IDENTITY_REQUIRED",
            1008,
        ),
        (
            with("/role", json!("emperor")),
            "INVALID_REQUEST",
            "CONNECT_PARAMS_INVALID",
            1008,
        ),
        (
            with("/client/id", json!(7)),
            "INVALID_REQUEST",
            "CONNECT_PARAMS_INVALID",
            1008,
        ),
        (
            with("/maxProtocol", json!(3)),
            "INVALID_REQUEST",
            "CONNECT_PARAMS_INVALID",
            1008,
        ),
        (
            with("/minProtocol", json!(5)),
            "INVALID_REQUEST",
            "CONNECT_PARAMS_INVALID",
            1008,
        ),
        (
            plain(json!("wrong")),
            "INVALID_REQUEST",
            "AUTH_TOKEN_MISMATCH",
            1008,
        ),
        (plain(Value::Null), "INVALID_REQUEST", "AUTH_TOKEN_MISSING", 1008),
        (plain(json!("")), "INVALID_REQUEST", "AUTH_TOKEN_MISSING", 1008),
        (
            json!({"tken": "x"}),
            "INVALID_REQUEST",
            "CONNECT_PARAMS_INVALID",
            1008,
        ),
    ];
    for (params, code, detail, close) in cases {
        let detail = match params["maxProtocol"].as_u64().zip(params["minProtocol"].as_u64()) {
            Some((max, min)) if min > 4 || max < 4 => "PROTOCOL_MISMATCH",
            _ => detail,
        };
        let close = if detail == "PROTOCOL_MISMATCH" {
            1002
        } else {
            close
        };

        let (error, closed) = refused(&gateway, params.clone()).await;

        assert_eq!(
            (&error["code"], &error["details"]["code"]),
            (&json!(code), &json!(detail)),
            "{params}"
        );
        assert!(error["details"]["recommendedNextStep"].is_string(), "{error}");
        assert_eq!(closed.0, close, "{params}");
    }
}

#[tokio::test]
async fn what_is_no_connect_is_closed_by_name() {
    let gateway = Gateway::start().await;
    let closed = async |message: Message| {
        let mut client = Client::open(&gateway).await;
        client.message(message).await;
        client.closed().await
    };

    assert_eq!(closed(Message::text("{")).await, (1000, String::new()));
    assert_eq!(
        closed(Message::text("[1]")).await,
        (1008, "invalid request frame".to_owned())
    );
    assert_eq!(closed(Message::text(r#"{"type":"res","id":"1"}"#)).await.0, 1008);
    let untyped = json!({"id": "1", "method": "connect", "params": v4(&[])});
    assert_eq!(
        closed(Message::text(untyped.to_string())).await,
        (1008, "invalid request frame".to_owned()),
        "v4 frames say what they are"
    );
    assert_eq!(closed(Message::Binary(Bytes::from_static(b"x"))).await.0, 1003);
    assert_eq!(closed(Message::text("x".repeat(65_537))).await.0, 1009);
    assert_eq!(closed(Message::text("[".repeat(60_000))).await.0, 1000);
    let mut client = Client::open(&gateway).await;
    let answer = client.call("health", json!({})).await;
    assert_eq!(
        answer["error"]["message"],
        "invalid handshake: first request must be connect"
    );
    assert_eq!(client.closed().await.0, 1008);
}

#[tokio::test]
async fn whoever_says_nothing_is_let_go_with_an_empty_close() {
    let limits = Limits {
        handshake_max: Duration::from_millis(100),
        ..Limits::default()
    };
    let gateway = Gateway::with(limits, Some(revision("{}", TOKEN))).await;

    let mut client = Client::open(&gateway).await;

    assert_eq!(client.closed().await, (1000, String::new()));
}
