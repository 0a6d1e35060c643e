//! What connected clients see of each other.

use gatehouse_tests::{Client, Gateway};
use serde_json::json;
use uuid::Uuid;

use crate::{ALL, SCREEN};

#[tokio::test]
async fn a_message_of_one_screen_is_answered_on_all_in_both_dialects() {
    let gateway = Gateway::start(&json!({})).await;
    let (typing, watching) = (
        Client::v4(&gateway, SCREEN).await,
        Client::plain(&gateway, SCREEN).await,
    );
    let run = Uuid::new_v4().to_string();

    let sent = typing
        .call(
            "chat.send",
            json!({"sessionKey": "main", "message": "good morning", "idempotencyKey": run}),
        )
        .await;

    assert_eq!(sent.expect("taken"), json!({"runId": run, "status": "started"}));
    for screen in [&typing, &watching] {
        let end = screen
            .event("chat", |chat| chat["runId"] == run && chat["state"] == "final")
            .await;
        assert!(
            end["message"]["content"][0]["text"]
                .as_str()
                .is_some_and(|text| text.contains("good morning"))
        );
    }
    let cumulative = typing
        .events("chat")
        .iter()
        .any(|chat| chat["state"] == "delta" && chat.get("message").is_some());
    let increment_only = watching
        .events("chat")
        .iter()
        .all(|chat| chat["state"] != "delta" || chat.get("message").is_none());
    assert!(
        cumulative && increment_only,
        "each dialect gets its own rendition"
    );
}

#[tokio::test]
async fn a_repeat_makes_no_second_run_and_another_text_under_the_same_key_is_refused() {
    let gateway = Gateway::start(&json!({})).await;
    let client = Client::v4(&gateway, SCREEN).await;
    let run = Uuid::new_v4().to_string();
    let message = json!({"sessionKey": "main", "message": "once", "idempotencyKey": run});

    client.call("chat.send", message.clone()).await.expect("taken");
    client
        .event("chat", |chat| chat["runId"] == run && chat["state"] == "final")
        .await;
    let again = client.call("chat.send", message).await.expect("known");
    let other = client
        .call(
            "chat.send",
            json!({"sessionKey": "main", "message": "twice", "idempotencyKey": run}),
        )
        .await;

    assert_eq!(again["status"], "ok");
    assert_eq!(
        other.expect_err("refused").details["reason"],
        "chat-request-conflict"
    );
    let history = client
        .call("chat.history", json!({"sessionKey": "main"}))
        .await
        .expect("a history");
    assert_eq!(history["totalMessages"], 2);
}

#[tokio::test]
async fn a_late_screen_sees_the_run_in_flight() {
    let gateway = Gateway::start(&json!({})).await;
    let typing = Client::plain(&gateway, SCREEN).await;
    let run = Uuid::new_v4().to_string();
    let long = "[[echo tokens=500 delay=20]]";
    typing
        .call(
            "chat.send",
            json!({"sessionKey": "main", "message": long, "idempotencyKey": run}),
        )
        .await
        .expect("taken");
    typing
        .event("chat", |chat| chat["runId"] == run && chat["state"] == "delta")
        .await;

    let late = Client::plain(&gateway, SCREEN).await;
    let history = late
        .call("chat.history", json!({"sessionKey": "main"}))
        .await
        .expect("a history");

    assert_eq!(history["inFlightRun"]["runId"], run.as_str());
    assert!(
        history["inFlightRun"]["text"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    );
    let aborted = late
        .call("chat.abort", json!({"sessionKey": "main"}))
        .await
        .expect("aborted");
    assert_eq!(aborted, json!({"ok": true, "aborted": true, "runIds": [run]}));
    for screen in [&typing, &late] {
        screen
            .event("chat", |chat| chat["runId"] == run && chat["state"] == "aborted")
            .await;
    }
}

#[tokio::test]
async fn rows_go_to_those_who_asked_for_them() {
    let gateway = Gateway::start(&json!({})).await;
    let (all, one, none) = (
        Client::plain(&gateway, SCREEN).await,
        Client::plain(&gateway, SCREEN).await,
        Client::plain(&gateway, SCREEN).await,
    );
    all.call("sessions.subscribe", json!({}))
        .await
        .expect("subscribed");
    one.call("sessions.messages.subscribe", json!({"key": "agent:main:a"}))
        .await
        .expect("subscribed");

    for key in ["agent:main:b", "agent:main:a"] {
        let run = Uuid::new_v4().to_string();
        none.call(
            "chat.send",
            json!({"sessionKey": key, "message": "hi", "idempotencyKey": run}),
        )
        .await
        .expect("taken");
        for screen in [&all, &one, &none] {
            screen
                .event("chat", |chat| chat["runId"] == run && chat["state"] == "final")
                .await;
        }
    }

    let rows = |client: &Client| client.events("session.message").len();
    assert_eq!((rows(&all), rows(&one), rows(&none)), (4, 2, 0));
    assert!(
        one.events("session.message")
            .iter()
            .all(|row| row["sessionKey"] == "agent:main:a")
    );
}

#[tokio::test]
async fn a_configuration_change_reaches_the_services_without_a_restart() {
    let gateway = Gateway::start(&json!({})).await;
    let operator = Client::plain(&gateway, ALL).await;
    let before = operator
        .call("config.get", json!({}))
        .await
        .expect("a configuration");

    let patch = json!({"raw": "{agents: {entries: {cook: {name: 'Cook'}}}}", "baseHash": before["hash"]});
    let patched = operator
        .call("config.patch", patch.clone())
        .await
        .expect("patched");
    let stale = operator.call("config.patch", patch).await;

    assert_eq!(
        stale.expect_err("another base").details["reason"],
        "CONFIG_CHANGED"
    );
    gatehouse_tests::until("the new agent", async || {
        let agents = operator.call("agents.list", json!({})).await.ok()?;
        agents["agents"]
            .as_array()?
            .iter()
            .any(|agent| agent["id"] == "cook")
            .then_some(())
    })
    .await;
    gatehouse_tests::until("every service on the new revision", async || {
        let status = operator.call("status", json!({})).await.ok()?;
        let session = status["services"]
            .as_array()?
            .iter()
            .find(|service| service["service"] == "session")?
            .clone();
        (session["configHash"] == patched["hash"]).then_some(())
    })
    .await;
}
