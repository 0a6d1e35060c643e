//! A new token or narrower scopes: who hears what, and in which order connections end.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Notify;

use crate::{
    client::{Client, v4},
    house::{House, Reply, revision, until},
};

const ROTATED: &str = r#"{"token":"another","path":"/home/token"}"#;

/// The code with which a connection's next request is refused.
async fn refused(client: &mut Client) -> serde_json::Value {
    client.call("no.such", json!({})).await["error"]["details"]["code"].clone()
}

#[tokio::test]
async fn who_makes_a_new_token_hears_it_before_anybody_is_closed() {
    let house = House::start().await;
    let may = Arc::new(Notify::new());
    house.answers("gateway.token.rotate", Reply::After(Arc::clone(&may), ROTATED));
    let mut caller = Client::v4(&house, &["operator.admin"]).await;
    let mut other = Client::v4(&house, &["operator.admin"]).await;
    caller
        .send(r#"{"type":"req","id":"rotate","method":"gateway.token.rotate","params":{}}"#)
        .await;
    until("the call", async || {
        !house.calls("gateway.token.rotate").is_empty()
    })
    .await;

    house.config.send_replace(Some(revision("{}", "another")));

    until("the end of the old token", async || {
        let mut client = Client::open(&house).await;
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
    let house = House::start().await;
    let may = Arc::new(Notify::new());
    house.answers("gateway.token.rotate", Reply::After(Arc::clone(&may), ROTATED));
    let mut token = crate::house::TOKEN.to_owned();
    for turn in 0..20 {
        let mut params = v4(&["operator.admin"]);
        params["auth"]["token"] = json!(token);
        let mut caller = Client::connect(&house, params).await;
        caller
            .send(r#"{"type":"req","id":"rotate","method":"gateway.token.rotate","params":{}}"#)
            .await;
        until("the call", async || {
            house.calls("gateway.token.rotate").len() > turn
        })
        .await;

        token = format!("token-{turn}");
        house.config.send_replace(Some(revision("{}", &token)));
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
    let house = House::start().await;
    house.answers("config.get", Reply::Hang);
    let mut caller = Client::v4(&house, &["operator.admin"]).await;
    let mut other = Client::v4(&house, &["operator.read"]).await;
    caller
        .send(r#"{"type":"req","id":"1","method":"config.get","params":{}}"#)
        .await;
    until("the call", async || !house.calls("config.get").is_empty()).await;

    house.config.send_replace(Some(revision("{}", "another")));

    assert_eq!(other.closed().await.0, 4001);
    assert_eq!(caller.closed().await.0, 4001);
}
