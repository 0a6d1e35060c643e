//! A service that goes away in the middle of a call: what the edge asks twice, and what it must not.

use gatehouse_core::{Failure, Kind};
use serde_json::{Value, json};

use crate::{
    client::Client,
    gateway::{Gateway, Reply},
};

const ADMIN: [&str; 3] = ["operator.admin", "operator.read", "operator.write"];

fn is_away(answer: &Value) {
    let error = &answer["error"];
    assert_eq!(
        (&error["code"], &error["retryable"], &error["retryAfterMs"]),
        (&json!("UNAVAILABLE"), &json!(true), &json!(1000)),
        "{answer}"
    );
    assert_eq!(
        (&error["details"]["reason"], &error["details"]["service"]),
        (&json!("SERVICE_UNAVAILABLE"), &json!("session"))
    );
}

#[tokio::test]
async fn a_call_that_may_be_repeated_is_repeated_once_when_its_connection_is_lost() {
    let gateway = Gateway::start().await;
    gateway.answers(
        "agent.identity.get",
        Reply::Json(r#"{"agentId":"main","name":"Rusty"}"#),
    );
    let mut client = Client::v4(&gateway, &ADMIN).await;

    gateway.loses("agent.identity.get", 1);
    let answer = client.call("agent.identity.get", json!({})).await;

    assert_eq!(answer["payload"]["agentId"], "main", "{answer}");
    assert_eq!(gateway.calls("agent.identity.get").len(), 2);
}

#[tokio::test]
async fn it_is_not_repeated_again() {
    let gateway = Gateway::start().await;
    gateway.answers(
        "agent.identity.get",
        Reply::Json(r#"{"agentId":"main","name":"Rusty"}"#),
    );
    let mut client = Client::v4(&gateway, &ADMIN).await;

    gateway.loses("agent.identity.get", 2);
    let answer = client.call("agent.identity.get", json!({})).await;

    is_away(&answer);
    assert_eq!(gateway.calls("agent.identity.get").len(), 2);
    let later = client.call("agent.identity.get", json!({})).await;
    assert_eq!(later["ok"], true, "the connection goes on: {later}");
}

#[tokio::test]
async fn a_call_that_must_not_be_repeated_is_told_to_the_client_at_once() {
    let gateway = Gateway::start().await;
    gateway.answers("sessions.reset", Reply::Json("{}"));
    let mut client = Client::v4(&gateway, &ADMIN).await;

    gateway.loses("sessions.reset", 1);
    let answer = client.call("sessions.reset", json!({"key": "main"})).await;

    is_away(&answer);
    assert_eq!(gateway.calls("sessions.reset").len(), 1);
}

#[tokio::test]
async fn what_a_service_answers_on_purpose_is_no_loss() {
    let gateway = Gateway::start().await;
    let full = Failure::new(Kind::Unavailable, "the queue is full").reason("QUEUE_FULL");
    gateway.answers("agent.identity.get", Reply::Failure(full));
    let mut client = Client::v4(&gateway, &ADMIN).await;

    let answer = client.call("agent.identity.get", json!({})).await;

    assert_eq!(
        (&answer["error"]["code"], &answer["error"]["details"]["reason"]),
        (&json!("UNAVAILABLE"), &json!("QUEUE_FULL")),
        "{answer}"
    );
    assert_eq!(gateway.calls("agent.identity.get").len(), 1);
}
