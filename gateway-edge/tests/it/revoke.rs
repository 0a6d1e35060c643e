//! A new token, narrower scopes, a credential that is revoked or over: who hears what, and in which order connections end.

use std::{sync::Arc, time::Duration};

use gatehouse_core::Clock;
use gatehouse_edge::Limits;
use gatehouse_proto::config::v1::{Credential, WatchConfigResponse};
use serde_json::json;
use tokio::{sync::Notify, time::Instant};
use tokio_tungstenite::tungstenite::Message;

use crate::{
    client::{Client, v4},
    gateway::{Gateway, Reply, TOKEN, credential, revision, until, with_credentials},
};

const ROTATED: &str = r#"{"token":"another","path":"/home/token"}"#;

/// The code with which a connection's next request is refused.
async fn refused(client: &mut Client) -> serde_json::Value {
    client.call("config.patch", json!({})).await["error"]["details"]["code"].clone()
}

#[tokio::test]
async fn who_makes_a_new_token_hears_it_before_anybody_is_closed() {
    let gateway = Gateway::start().await;
    let may = Arc::new(Notify::new());
    gateway.answers("gateway.token.rotate", Reply::After(Arc::clone(&may), ROTATED));
    let mut caller = Client::v4(&gateway, &["operator.admin"]).await;
    let mut other = Client::v4(&gateway, &["operator.admin"]).await;
    caller
        .send(r#"{"type":"req","id":"rotate","method":"gateway.token.rotate","params":{}}"#)
        .await;
    until("the call", async || {
        !gateway.calls("gateway.token.rotate").is_empty()
    })
    .await;

    gateway.config.send_replace(Some(revision("{}", "another")));

    until("the end of the old token", async || {
        let mut client = Client::open(&gateway).await;
        client.call("connect", v4(&[])).await["error"]["details"]["code"] == "AUTH_TOKEN_MISMATCH"
    })
    .await;
    for client in [&mut caller, &mut other] {
        assert_eq!(refused(client).await, "AUTH_CHANGED", "it is open, and of no use");
    }
    may.notify_one();
    let answer = caller.answer("rotate").await;
    assert_eq!(answer["payload"]["token"], "another");
    assert_eq!(other.closed().await.0, 4001);
    assert_eq!(caller.closed().await.0, 4001);
}

#[tokio::test]
async fn twenty_callers_in_turn_each_get_their_answer_though_the_revision_is_faster() {
    let gateway = Gateway::start().await;
    let may = Arc::new(Notify::new());
    gateway.answers("gateway.token.rotate", Reply::After(Arc::clone(&may), ROTATED));
    let mut token = crate::gateway::TOKEN.to_owned();
    for turn in 0..20 {
        let mut params = v4(&["operator.admin"]);
        params["auth"]["token"] = json!(token);
        let mut caller = Client::connect(&gateway, params).await;
        caller
            .send(r#"{"type":"req","id":"rotate","method":"gateway.token.rotate","params":{}}"#)
            .await;
        until("the call", async || {
            gateway.calls("gateway.token.rotate").len() > turn
        })
        .await;

        token = format!("token-{turn}");
        gateway.config.send_replace(Some(revision("{}", &token)));
        until("the revision", async || {
            refused(&mut caller).await == "AUTH_CHANGED"
        })
        .await;
        may.notify_one();

        assert_eq!(caller.answer("rotate").await["payload"]["token"], "another");
        assert_eq!(caller.closed().await.0, 4001);
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_keeps_nobody_open() {
    let gateway = Gateway::start().await;
    gateway.answers("config.get", Reply::Hang);
    let mut caller = Client::v4(&gateway, &["operator.admin"]).await;
    let mut other = Client::v4(&gateway, &["operator.read"]).await;
    caller
        .send(r#"{"type":"req","id":"1","method":"config.get","params":{}}"#)
        .await;
    until("the call", async || !gateway.calls("config.get").is_empty()).await;

    gateway.config.send_replace(Some(revision("{}", "another")));

    assert_eq!(other.closed().await.0, 4001);
    assert_eq!(caller.closed().await.0, 4001);
}

/// The gateway token, and the token of a phone.
fn with_phone(change: impl FnOnce(&mut Credential)) -> WatchConfigResponse {
    let mut phone = credential("phone-1", "phone-token", &["operator.read", "operator.write"]);
    phone.device_id = Some("phone".to_owned());
    change(&mut phone);
    with_credentials("{}", vec![shared(), phone])
}

fn shared() -> Credential {
    credential("shared", TOKEN, &["operator.read", "operator.admin"])
}

fn as_phone(scopes: &[&str]) -> serde_json::Value {
    let mut params = v4(scopes);
    params["auth"]["token"] = json!("phone-token");
    params
}

#[tokio::test]
async fn a_second_credential_works_beside_the_gateway_token_and_is_revoked_alone() {
    let gateway = Gateway::with(Limits::default(), Some(with_phone(|_| ()))).await;
    gateway.answers("system-presence", Reply::Json(r#"{"presence":[{"ts":7}]}"#));
    let mut phone = Client::connect(&gateway, as_phone(&["operator.read", "operator.admin"])).await;
    let mut shared_client = Client::v4(&gateway, &["operator.read"]).await;
    assert_eq!(
        phone.hello["auth"]["scopes"],
        json!(["operator.read"]),
        "no more than its row"
    );
    phone.call("system-presence", json!({})).await;
    shared_client.call("system-presence", json!({})).await;
    let devices: Vec<_> = gateway
        .calls("system-presence")
        .into_iter()
        .map(|call| call.caller.unwrap().device_id)
        .collect();
    assert_eq!(devices, [Some("phone".to_owned()), None]);

    let begun = Instant::now();
    gateway
        .config
        .send_replace(Some(with_credentials("{}", vec![shared()])));

    assert_eq!(phone.closed().await.0, 4001);
    // A second, and one for a machine that is busy with other tests.
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let error = &Client::open(&gateway).await.call("connect", as_phone(&[])).await["error"];
    assert_eq!(error["details"]["code"], "AUTH_TOKEN_MISMATCH");
    let answer = shared_client.call("config.patch", json!({})).await;
    assert_eq!(answer["error"]["code"], "FORBIDDEN", "the others go on: {answer}");
}

#[tokio::test]
async fn a_credential_that_is_over_closes_its_sockets_and_opens_no_other() {
    let over = Clock::system().now_ms() + 1_500;
    let gateway = Gateway::with(
        Limits::default(),
        Some(with_phone(|phone| phone.expire_time_ms = Some(over))),
    )
    .await;
    let mut phone = Client::connect(&gateway, as_phone(&["operator.read"])).await;
    let mut shared_client = Client::v4(&gateway, &["operator.read"]).await;

    assert_eq!(phone.closed().await.0, 4001);

    let late = Clock::system().now_ms() - over;
    assert!((0..2_000).contains(&late), "{late} ms late");
    let error = &Client::open(&gateway).await.call("connect", as_phone(&[])).await["error"];
    assert_eq!(error["details"]["authReason"], "token_expired");
    let answer = shared_client.call("config.patch", json!({})).await;
    assert_eq!(answer["error"]["code"], "FORBIDDEN", "{answer}");
}

#[tokio::test]
async fn who_connects_while_its_credential_is_revoked_does_not_stay() {
    let gateway = Gateway::with(Limits::default(), Some(with_phone(|_| ()))).await;
    for _ in 0..20 {
        gateway.config.send_replace(Some(with_phone(|_| ())));
        until("the phone's credential", async || {
            let mut client = Client::open(&gateway).await;
            client.call("connect", as_phone(&[])).await["ok"] == true
        })
        .await;
        let mut client = Client::open(&gateway).await;
        let request = json!({"type": "req", "id": "1", "method": "connect", "params": as_phone(&[])});

        let revoking = async {
            gateway
                .config
                .send_replace(Some(with_credentials("{}", vec![shared()])));
        };
        tokio::join!(client.message(Message::text(request.to_string())), revoking);

        let (code, _) = client.closed().await;
        assert!([1008, 4001].contains(&code), "refused or closed: {code}");
    }
}

#[tokio::test]
async fn a_node_comes_in_with_a_credential_of_its_own_and_with_no_other() {
    let gateway = Gateway::with(
        Limits::default(),
        Some(with_phone(|phone| phone.role = "node".to_owned())),
    )
    .await;
    let refused = async |mut params: serde_json::Value, role: &str| {
        params["role"] = json!(role);
        Client::open(&gateway).await.call("connect", params).await["error"]["details"]["code"].clone()
    };
    let mut node = as_phone(&[]);
    node["role"] = json!("node");

    assert_eq!(
        Client::connect(&gateway, node).await.hello["auth"]["role"],
        "node"
    );

    assert_eq!(refused(as_phone(&[]), "operator").await, "AUTH_SCOPE_MISMATCH");
    assert_eq!(refused(v4(&[]), "node").await, "DEVICE_IDENTITY_REQUIRED");
    gateway.config.send_replace(Some(with_phone(|phone| {
        phone.role = "node".to_owned();
        phone.device_id = None;
    })));
    until("a node without a device", async || {
        refused(as_phone(&[]), "node").await == "DEVICE_IDENTITY_REQUIRED"
    })
    .await;
}
