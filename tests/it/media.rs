//! Pictures of conversations, from whoever sends one to whoever looks at it.

use gatehouse_tests::{Client, Gateway, http};
use reqwest::StatusCode;
use serde_json::json;

use crate::SCREEN;

/// One pixel.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

#[tokio::test]
async fn a_picture_that_one_screen_sends_is_seen_on_the_others_by_its_link_and_by_nobody_else() {
    let gateway = Gateway::start(&json!({})).await;
    let (sends, looks) = (
        Client::v4(&gateway, SCREEN).await,
        Client::v4(&gateway, SCREEN).await,
    );

    let sent = sends
        .call(
            "chat.send",
            json!({"sessionKey": "main", "message": "look", "idempotencyKey": "one", "attachments": [
                {"type": "image", "mimeType": "image/png", "fileName": "dot.png", "content": PIXEL}]}),
        )
        .await;
    sent.expect("taken");
    sends
        .event("chat", |chat| chat["runId"] == "one" && chat["state"] == "final")
        .await;

    let history = looks
        .call("chat.history", json!({"sessionKey": "main"}))
        .await
        .expect("a page");
    let picture = &history["messages"][0]["content"][1];
    assert_eq!(
        (&picture["type"], &picture["fileName"]),
        (&json!("image"), &json!("dot.png")),
        "{history}"
    );
    let url = picture["url"].as_str().expect("a link");
    let get = async |url: &str| {
        http::client()
            .get(format!("{}{url}", gateway.http()))
            .send()
            .await
            .expect("an answer")
    };
    let shown = get(url).await;
    assert_eq!(shown.headers()["content-type"], "image/png");
    assert!(shown.bytes().await.expect("a body").starts_with(b"\x89PNG"));
    let forged = get(&url.replace("&s=", "&s=A")).await;
    assert_eq!(forged.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_command_is_answered_by_the_gateway_and_listed_for_who_types_it() {
    let gateway = Gateway::start(&json!({})).await;
    let client = Client::v4(&gateway, SCREEN).await;

    let listed = client
        .call(
            "commands.list",
            json!({"agentId": "main", "scope": "text", "includeArgs": false}),
        )
        .await
        .expect("a list");
    client
        .call(
            "chat.send",
            json!({"sessionKey": "main", "message": "/status", "idempotencyKey": "one"}),
        )
        .await
        .expect("taken");
    let end = client
        .event("chat", |chat| chat["runId"] == "one" && chat["state"] == "final")
        .await;

    assert_eq!(end["message"]["model"], "gateway-injected", "{end}");
    let text = end["message"]["content"][0]["text"].as_str().unwrap_or_default();
    assert!(text.contains("Model: echo/echo"), "{text}");
    let commands = listed["commands"].as_array().expect("commands");
    let status = commands
        .iter()
        .find(|command| command["name"] == "status")
        .expect("status");
    assert_eq!(status["textAliases"], json!(["/status"]));
    assert!(
        status.get("args").is_none() && status["acceptsArgs"] == false,
        "{status}"
    );
    assert!(
        client.events("chat").iter().all(|chat| chat["state"] != "delta"),
        "no model spoke"
    );
}
