//! Who comes in, who does not, and what each is told.

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

#[tokio::test]
async fn the_token_may_come_with_the_upgrade_and_scopes_never_grow() {
    let gateway =
        Gateway::configured(r#"{"gateway":{"auth":{"tokenScopes":["operator.read","operator.pairing"]}}}"#)
            .await;
    let mut client = Client::open_with(&gateway, &[("authorization", &format!("Bearer {TOKEN}"))])
        .await
        .unwrap();

    let mut params = v4(&ALL);
    params["auth"] = json!({});
    let answer = client.call("connect", params).await;

    assert_eq!(
        answer["payload"]["auth"]["scopes"],
        json!(["operator.read", "operator.pairing"])
    );
    let nobody = Client::v4(&gateway, &[]).await;
    assert_eq!(
        nobody.hello["auth"]["scopes"],
        json!([]),
        "an empty request grants nothing"
    );
}

#[tokio::test]
async fn before_the_configuration_is_known_clients_are_asked_to_come_back() {
    let gateway = Gateway::with(Limits::default(), None).await;

    let (error, closed) = refused(&gateway, v4(&[])).await;

    assert_eq!(
        (&error["code"], &error["retryable"], &error["retryAfterMs"]),
        (&json!("UNAVAILABLE"), &json!(true), &json!(500))
    );
    assert_eq!(error["details"]["reason"], "startup-sidecars");
    assert_eq!(closed, (1013, "gateway starting".to_owned()));
}

#[tokio::test]
async fn a_new_token_ends_the_connections_of_the_old_one() {
    let gateway = Gateway::start().await;
    let mut client = Client::v4(&gateway, &["operator.read"]).await;

    gateway.config.send_replace(Some(revision("{}", "another")));

    assert_eq!(client.closed().await.0, 4001);
    let (error, _) = refused(&gateway, v4(&[])).await;
    assert_eq!(error["details"]["code"], "AUTH_TOKEN_MISMATCH");
}

#[tokio::test]
async fn narrower_scopes_end_the_connections_that_have_more() {
    let gateway = Gateway::start().await;
    let mut wide = Client::v4(&gateway, &["operator.read", "operator.admin"]).await;
    let mut narrow = Client::v4(&gateway, &["operator.read"]).await;

    gateway.config.send_replace(Some(revision(
        r#"{"gateway":{"auth":{"tokenScopes":["operator.read"]}}}"#,
        TOKEN,
    )));

    assert_eq!(wide.closed().await.0, 4001);
    let answer = narrow.call("chat.send", json!({})).await;
    assert_eq!(answer["error"]["code"], "FORBIDDEN", "the narrow one goes on");
}

#[tokio::test]
async fn a_page_that_guesses_tokens_is_locked_out_even_on_loopback() {
    let gateway = Gateway::configured(r#"{"gateway":{"auth":{"rateLimit":{"maxAttempts":3}}}}"#).await;
    let origin = format!("http://{}", gateway.http);
    let guess = async || {
        let mut client = Client::open_with(&gateway, &[("origin", &origin)]).await.unwrap();
        client.call("connect", with("/auth/token", json!("guess"))).await["error"].clone()
    };
    for _ in 0..3 {
        assert_eq!(guess().await["details"]["code"], "AUTH_TOKEN_MISMATCH");
    }

    let locked = guess().await;

    assert_eq!(locked["details"]["code"], "AUTH_RATE_LIMITED");
    assert!(locked["retryAfterMs"].as_u64().unwrap() > 200_000 && locked["retryable"] == true);
    Client::v4(&gateway, &[]).await; // a person's own scripts are not locked out with the page
}

#[tokio::test]
async fn foreign_pages_and_hosts_hear_in_either_dialect_which_key_would_let_them_in_and_nothing_else() {
    let gateway = Gateway::start().await;
    let connect = json!({"token": TOKEN, "scopes": ALL}).to_string();
    let plain = format!(r#"{{"method":"connect","params":{connect}}}"#);
    for (header, code, key) in [
        (
            ("origin", "https://evil.example"),
            "CONTROL_UI_ORIGIN_NOT_ALLOWED",
            "gateway.controlUi.allowedOrigins",
        ),
        (
            ("origin", "null"),
            "CONTROL_UI_ORIGIN_NOT_ALLOWED",
            "gateway.controlUi.allowedOrigins",
        ),
        (
            ("host", "rebound.example"),
            "HOST_NOT_ALLOWED",
            "gateway.publicOrigin",
        ),
    ] {
        let mut client = Client::open_with(&gateway, &[header]).await.unwrap();
        let answer = client.call("connect", v4(&ALL)).await;
        let mut script = Client::open_with(&gateway, &[header]).await.unwrap();
        script.send(&plain).await;
        let flat = script.frame().await;

        assert_eq!(
            (&answer["ok"], &answer["error"]["code"]),
            (&json!(false), &json!("INVALID_REQUEST")),
            "{answer}"
        );
        assert_eq!((&flat["type"], flat.get("id")), (&json!("error"), None), "{flat}");
        for error in [&answer["error"], &flat["error"]] {
            assert_eq!(error["details"]["code"], code);
            assert!(error["message"].as_str().unwrap().contains(key), "{error}");
        }
        for client in [&mut client, &mut script] {
            let (close, reason) = client.closed().await;
            assert!(close == 1008 && !reason.is_empty(), "{close} {reason}");
        }
    }
}

#[tokio::test]
async fn a_forwarded_request_from_a_proxy_that_is_not_listed_gets_no_socket() {
    let gateway = Gateway::start().await;

    let refused = Client::open_with(&gateway, &[("x-forwarded-for", "127.0.0.1")]).await;

    let Err(Error::Http(response)) = refused.map(|_| ()) else {
        panic!("it was let in");
    };
    assert_eq!(response.status(), 403);
    let body = String::from_utf8(response.into_body().unwrap_or_default()).unwrap();
    assert!(body.contains("gateway.trustedProxies"), "{body}");
}

#[tokio::test]
async fn parameters_that_cannot_be_read_are_told_as_what_they_are() {
    let gateway = Gateway::start().await;
    let told = async |params: &str| {
        let mut client = Client::open(&gateway).await;
        let frame = format!(r#"{{"type":"req","id":"1","method":"connect","params":{params}}}"#);
        client.send(&frame).await;
        let answer = client.answer("1").await;
        assert_eq!(
            answer["error"]["details"]["code"], "CONNECT_PARAMS_INVALID",
            "{answer}"
        );
        assert_eq!(client.closed().await.0, 1008);
        answer["error"]["message"].as_str().unwrap().to_owned()
    };

    for (params, problem) in [
        (
            r#"{"token":"\ud800"}"#,
            "at /token: a string has half of a surrogate pair",
        ),
        (
            r#"{"minProtocol":4,"maxProtocol":1e400}"#,
            "at /maxProtocol: a number is out of range",
        ),
        (
            r#"{"token":"the-token","token":"x"}"#,
            "at root: property 'token' is given twice",
        ),
        (
            r#"{"minProtocol":4,"maxProtocol":4,"auth":{"token":"the-token","token":"the-token"}}"#,
            "at /auth: property 'token' is given twice",
        ),
        (
            r#"{"minProtocol":4,"maxProtocol":4,"unknown":[{"deep":{"a":1,"a":1}}]}"#,
            "at /unknown/0/deep: property 'a' is given twice",
        ),
    ] {
        assert_eq!(told(params).await, format!("invalid connect params: {problem}"));
    }
    assert!(
        told(&format!("{}{}", "[".repeat(500), "]".repeat(500)))
            .await
            .ends_with("nests too deeply")
    );
}
