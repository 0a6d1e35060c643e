//! What a known caller asks.

mod waiting;

use std::time::Duration;

use gatehouse_core::{Failure, Kind};
use gatehouse_edge::Limits;
use gatehouse_proto::session::v1 as session;
use prost::Message as _;
use serde_json::json;

use crate::{
    client::Client,
    gateway::{Gateway, Reply, TOKEN, revision},
};

const ADMIN: [&str; 2] = ["operator.admin", "operator.read"];

#[tokio::test]
async fn an_answer_comes_back_as_json_and_the_service_knows_the_caller() {
    let gateway = Gateway::start().await;
    gateway.answers(
        "agent.identity.get",
        Reply::Json(r#"{"agentId":"main","name":"Rusty"}"#),
    );
    let mut client = Client::v4(&gateway, &["operator.read"]).await;

    let request = json!({"type": "req", "id": "x", "method": "agent.identity.get", "params": {"agentId": "main"},
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"});
    client.send(&request.to_string()).await;
    let answer = client.answer("x").await;

    assert_eq!(
        (&answer["ok"], &answer["payload"]["name"]),
        (&json!(true), &json!("Rusty")),
        "{answer}"
    );
    let call = gateway.calls("agent.identity.get").pop().unwrap();
    let caller = call.caller.unwrap();
    assert_eq!(
        (caller.role.as_str(), caller.scopes.as_slice()),
        ("operator", ["operator.read".to_owned()].as_slice())
    );
    assert_eq!(
        caller.connection_id,
        client.hello["server"]["connId"].as_str().unwrap()
    );
    let trace = call.trace.expect("the call gives its trace on");
    assert_eq!(trace.trace_id(), "0af7651916cd43dd8448eb211c80319c");
    assert!(!call.body.is_empty());
}

#[tokio::test]
async fn a_payload_that_is_no_object_comes_whole() {
    let gateway = Gateway::start().await;
    gateway.answers("system-presence", Reply::Json(r#"{"presence":[{"ts":7}]}"#));
    let mut client = Client::v4(&gateway, &["operator.read"]).await;

    let answer = client.call("system-presence", json!({})).await;

    assert_eq!(answer["payload"][0]["ts"], 7, "{answer}");
}

#[tokio::test]
async fn what_a_caller_may_not_do_is_told_with_its_scope_and_what_nobody_does_as_unknown_to_every_scope() {
    let gateway = Gateway::start().await;
    let mut reader = Client::v4(&gateway, &["operator.read"]).await;
    let mut admin = Client::v4(&gateway, &ADMIN).await;

    let write = reader.call("chat.send", json!({})).await;
    let mut nobody = Client::v4(&gateway, &[]).await;
    let mut plain = Client::plain(&gateway, &["operator.read"]).await;
    let internal = admin
        .call("/gatehouse.broadcast.v1.BroadcastService/Publish", json!({}))
        .await;

    assert_eq!(write["error"]["code"], "FORBIDDEN");
    assert_eq!(write["error"]["message"], "missing scope: operator.write");
    assert_eq!(
        write["error"]["details"],
        json!({"code": "MISSING_SCOPE", "missingScope": "operator.write", "requiredScopes": ["operator.write"]})
    );
    for client in [&mut nobody, &mut reader, &mut admin, &mut plain] {
        for name in [
            "no.such",
            "worktrees.create",
            "sessions.lists",
            "sessions",
            "SESSIONS.LIST",
        ] {
            assert_eq!(
                client.call(name, json!({"any": "thing"})).await["error"],
                json!({"code": "INVALID_REQUEST", "message": format!("unknown method: {name}")})
            );
        }
    }
    assert_eq!(internal["error"]["code"], "INVALID_REQUEST");
}

#[tokio::test]
async fn parameters_are_checked_with_their_path_and_unknown_ones_as_the_dialect_says() {
    let gateway = Gateway::start().await;
    gateway.answers(
        "agent.identity.get",
        Reply::Json(r#"{"agentId":"main","name":"Rusty"}"#),
    );
    let mut v4 = Client::v4(&gateway, &["operator.read"]).await;
    let mut plain = Client::plain(&gateway, &["operator.read"]).await;

    let wrong = v4.call("sessions.list", json!({"limit": "ten"})).await;
    let ignored = v4.call("agent.identity.get", json!({"foo": 1})).await;
    let refused = plain.call("agent.identity.get", json!({"foo": 1})).await;

    assert!(
        wrong["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("invalid sessions.list params: at /limit"),
        "{wrong}"
    );
    assert_eq!(wrong["error"]["details"]["path"], "/limit");
    assert_eq!(ignored["ok"], true, "{ignored}");
    assert_eq!(
        (&refused["ok"], &refused["error"]["code"]),
        (&json!(false), &json!("INVALID_REQUEST"))
    );
    assert!(
        refused["error"]["message"].as_str().unwrap().contains("foo"),
        "{refused}"
    );
}

#[tokio::test]
async fn frames_that_are_no_requests_are_answered_or_ignored_and_the_connection_goes_on() {
    let gateway = Gateway::start().await;
    let mut client = Client::v4(&gateway, &ADMIN).await;

    client.send("garbage {").await;
    client.send(r#"{"type":"event","id":"e"}"#).await;
    assert_eq!(client.answer("e").await["error"]["code"], "INVALID_REQUEST");
    client.send("[1,2]").await;
    assert_eq!(client.answer("invalid").await["ok"], false);
    client
        .send(r#"{"type":"req","id":"a","id":"b","method":"health"}"#)
        .await;
    assert_eq!(client.answer("invalid").await["ok"], false);
    client
        .send(&format!(
            r#"{{"type":"req","id":"deep","method":"sessions.list","params":{}{}}}"#,
            "[".repeat(10_000),
            "]".repeat(10_000)
        ))
        .await;
    assert_eq!(client.answer("deep").await["error"]["code"], "INVALID_REQUEST");
    client
        .send(r#"{"type":"req","id":"twice","method":"sessions.list","params":{"limit":1,"limit":2}}"#)
        .await;
    assert_eq!(client.answer("twice").await["error"]["code"], "INVALID_REQUEST");
    let again = client.call("connect", json!({})).await;
    assert_eq!(
        (&again["error"]["code"], &again["error"]["details"]["code"]),
        (&json!("INVALID_REQUEST"), &json!("ALREADY_CONNECTED"))
    );

    assert_eq!(
        client.call("no.such", json!({})).await["error"]["message"],
        "unknown method: no.such"
    );
}

#[tokio::test]
async fn a_services_refusal_reaches_the_client_with_its_details() {
    let gateway = Gateway::start().await;
    let failure = Failure::new(Kind::Precondition, "the configuration changed")
        .reason("CONFIG_CHANGED")
        .detail("hash", "abc")
        .retry_after(Duration::from_millis(1500));
    gateway.answers("config.get", Reply::Failure(failure));
    let mut client = Client::v4(&gateway, &["operator.read"]).await;

    let error = client.call("config.get", json!({})).await["error"].clone();

    assert_eq!(
        (&error["code"], &error["message"]),
        (&json!("INVALID_REQUEST"), &json!("the configuration changed"))
    );
    assert_eq!(
        (&error["details"]["reason"], &error["details"]["hash"]),
        (&json!("CONFIG_CHANGED"), &json!("abc"))
    );
    assert_eq!(error["retryAfterMs"], 1500);
}

#[tokio::test]
async fn a_method_that_answers_more_than_once_answers_under_one_id() {
    let gateway = Gateway::start().await;
    let name = gatehouse_contract::Map::core()
        .methods()
        .find(|method| method.streaming)
        .unwrap();
    assert_eq!(name.name, "agent");
    let accepted = session::RunAgentResponse::default().encode_to_vec();
    gateway.answers("agent", Reply::Many(vec![accepted.clone(), accepted]));
    let mut client = Client::v4(&gateway, &ADMIN).await;

    let first = client
        .call("agent", json!({"message": "hi", "idempotencyKey": "k"}))
        .await;
    let second = client.answer("1").await;

    assert_eq!(
        (&first["ok"], &second["ok"]),
        (&json!(true), &json!(true)),
        "{first} {second}"
    );
}
