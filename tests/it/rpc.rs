//! Methods called by HTTP, as curl and a shell script call them.

use gatehouse_tests::{Gateway, http, until};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

async fn call(gateway: &Gateway, method: &str, body: impl Into<reqwest::Body>) -> Response {
    let request = http::client().post(format!("{}/rpc/{method}", gateway.http()));
    let sent = request.bearer_auth(gateway.token()).body(body).send().await;
    sent.expect("an answer")
}

async fn refused(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    let body: Value = response.json().await.expect("a JSON body");
    (status, body["error"].clone())
}

#[tokio::test]
async fn a_shell_script_talks_lists_and_follows_an_answer() {
    let gateway = Gateway::start(&json!({})).await;

    let said = json!({"sessionKey": "main", "message": "hello", "idempotencyKey": "one"}).to_string();
    let said = call(&gateway, "chat.send", said).await;
    assert_eq!(said.status(), StatusCode::OK);
    let said: Value = said.json().await.expect("a payload");
    assert_eq!(said["runId"], "one", "{said}");

    until("the session", async || {
        let listed: Value = call(&gateway, "sessions.list", "").await.json().await.ok()?;
        (!listed["sessions"].as_array()?.is_empty()).then_some(())
    })
    .await;

    let events = http::client()
        .post(format!("{}/rpc/agent", gateway.http()))
        .bearer_auth(gateway.token())
        .header("accept", "text/event-stream")
        .header("idempotency-key", "two")
        .body(r#"{"message":"and you?"}"#)
        .send()
        .await
        .expect("an answer");
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let events = events.text().await.expect("a stream that ends");
    let data: Vec<Value> = events
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).expect("JSON"))
        .collect();
    let [accepted, done] = &*data else {
        panic!("two payloads, not {events}");
    };
    assert_eq!(
        (&accepted["runId"], &accepted["status"]),
        (&json!("two"), &json!("accepted"))
    );
    assert_eq!(done["status"], "ok", "{done}");
    assert!(
        done["result"].to_string().contains("and you?"),
        "the echo: {done}"
    );
}

#[tokio::test]
async fn what_is_wrong_is_said_with_a_status_and_by_name() {
    let gateway = Gateway::start(&json!({})).await;
    let url = format!("{}/rpc/sessions.list", gateway.http());

    let wrong = http::client()
        .post(&url)
        .bearer_auth("guess")
        .send()
        .await
        .expect("an answer");
    assert!(wrong.headers().contains_key("www-authenticate"));
    assert_eq!(refused(wrong).await.0, StatusCode::UNAUTHORIZED);

    let reader = http::client()
        .post(format!("{}/rpc/chat.send", gateway.http()))
        .bearer_auth(gateway.token())
        .header("gatehouse-scopes", "operator.read");
    let (status, error) = refused(reader.send().await.expect("an answer")).await;
    assert_eq!(
        (status, &error["details"]["missingScope"]),
        (StatusCode::FORBIDDEN, &json!("operator.write"))
    );

    let (status, error) = refused(call(&gateway, "no.such", "{}").await).await;
    assert_eq!(
        (status, &error["message"]),
        (StatusCode::NOT_FOUND, &json!("unknown method: no.such"))
    );

    let (status, error) = refused(call(&gateway, "sessions.list", r#"{"limit":"ten"}"#).await).await;
    assert_eq!(
        (status, &error["details"]["path"]),
        (StatusCode::BAD_REQUEST, &json!("/limit"))
    );

    let large = vec![b' '; 26 * 1024 * 1024];
    let (status, _) = refused(call(&gateway, "sessions.list", large).await).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}
