//! Hooks through the whole gateway: an event of a program outside is stored before it is answered, and its answer reaches a chat once.

use gatehouse_tests::{Gateway, http, platform::Platform, until};
use hmac::{Hmac, Mac};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::with_an_answer_each;

const TOKEN: &str = "hM4sT8vQ2wZ6xC9b";
const KEY: &str = "pL3nR7tY1uJ5kM8c";

async fn post(gateway: &Gateway, name: &str, headers: &[(&str, &str)], body: &str) -> Response {
    let request = http::client().post(format!("{}/hooks/{name}", gateway.http()));
    let request = headers
        .iter()
        .fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(body.to_owned()).send().await.expect("an answer")
}

fn signature(body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).expect("any key length fits");
    mac.update(body.as_bytes());
    let digits: String = mac
        .finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256={digits}")
}

#[tokio::test]
async fn an_event_that_was_taken_is_answered_in_the_chat_once_though_the_session_service_dies() {
    let platform = Platform::start().await;
    let mut config = with_an_answer_each(&platform.config());
    config["hooks"] = json!({"enabled": true, "token": TOKEN, "mappings": [
        {"match": {"path": "forge"}, "messageTemplate": "pushed: {{head.message}}",
         "signature": {"profile": "github", "secret": KEY}},
    ]});
    let gateway = Gateway::start(&config).await;
    assert!(platform.deliver(&gateway, "1", "anna", "hello").await);
    until("the first answer", async || {
        (!platform.replies().is_empty()).then_some(())
    })
    .await;

    let body = r#"{"head":{"message":"mend the gate"}}"#;
    let signed = [("x-hub-signature-256", signature(body))];
    let signed: Vec<(&str, &str)> = signed
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let taken = post(&gateway, "forge", &signed, body).await;
    gateway.kill("session").await;

    assert_eq!(taken.status(), StatusCode::ACCEPTED);
    let taken: Value = taken.json().await.expect("JSON");
    let answers = || {
        let replies = platform.replies();
        replies
            .iter()
            .filter(|reply| {
                reply["text"]
                    .as_str()
                    .is_some_and(|text| text.contains("mend the gate"))
            })
            .map(|reply| reply["to"].clone())
            .collect::<Vec<_>>()
    };
    let told = until("the answer", async || {
        Some(answers()).filter(|told| !told.is_empty())
    })
    .await;
    assert_eq!(told, ["anna"], "the chat that spoke last");
    // Sent again, by somebody who heard no answer or by somebody who overheard it.
    let again = until("a session service", async || {
        let again = post(&gateway, "forge", &signed, body).await;
        (again.status() == StatusCode::ACCEPTED).then_some(again)
    })
    .await;
    assert_eq!(again.json::<Value>().await.expect("JSON"), taken);
    let token = format!("Bearer {TOKEN}");
    let waited = post(
        &gateway,
        "agent",
        &[("authorization", &token)],
        r#"{"message":"the last one","deliver":false,"waitForCompletion":true}"#,
    )
    .await;
    assert_eq!(waited.status(), StatusCode::OK);
    let waited: Value = waited.json().await.expect("JSON");
    assert_eq!(
        waited["completion"],
        json!({"status": "ok", "replyDisposition": "reply", "delivered": false, "deliveryAttempted": false})
    );
    assert_eq!(answers().len(), 1, "{:?}", platform.replies());
}

#[tokio::test]
async fn a_hook_opens_with_its_own_token_and_the_gateway_with_its_own() {
    let gateway = Gateway::start(&json!({"hooks": {"enabled": true, "token": TOKEN}})).await;
    let own = format!("Bearer {}", gateway.token());
    let hooks = format!("Bearer {TOKEN}");
    let body = r#"{"text":"the bell rang"}"#;

    for (headers, status) in [
        (vec![], StatusCode::UNAUTHORIZED),
        (vec![("authorization", own.as_str())], StatusCode::UNAUTHORIZED),
        (vec![("authorization", hooks.as_str())], StatusCode::OK),
        (vec![("x-openclaw-token", TOKEN)], StatusCode::OK),
    ] {
        assert_eq!(
            post(&gateway, "wake", &headers, body).await.status(),
            status,
            "{headers:?}"
        );
    }
    let call = http::client()
        .post(format!("{}/rpc/health", gateway.http()))
        .bearer_auth(TOKEN)
        .send()
        .await
        .expect("an answer");
    assert_eq!(call.status(), StatusCode::UNAUTHORIZED);
    let get = http::client().get(format!("{}/hooks/wake", gateway.http()));
    let get = get.send().await.expect("an answer");
    assert_eq!(get.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(get.headers()["allow"], "POST");
}
