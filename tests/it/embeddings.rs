//! Vectors of texts through the whole gateway: what the model's server wrote is what a program reads.

use axum::{Json, Router, http::HeaderMap, routing::post};
use gatehouse_tests::{Gateway, http, until};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// A server that makes a vector of the length of each text, for whoever shows its key.
async fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let answer = async |headers: HeaderMap, Json(asked): Json<Value>| {
        assert_eq!(headers["authorization"], "Bearer k");
        assert_eq!(asked["model"], "embed");
        let texts = asked["input"].as_array().cloned().unwrap_or_default();
        let data: Vec<Value> = texts
            .iter()
            .enumerate()
            .map(|(index, text)| json!({"index": index, "embedding": [text.as_str().map(str::len), 0.125]}))
            .collect();
        Json(json!({"object": "list", "data": data, "usage": {"prompt_tokens": 7, "total_tokens": 7}}))
    };
    let router = Router::new().route("/v1/embeddings", post(answer));
    tokio::spawn(async move {
        let _ = axum::serve(listener, router).await;
    });
    format!("http://{address}/v1")
}

#[tokio::test]
async fn texts_become_the_vectors_of_the_configured_model() {
    let base = server().await;
    let gateway = Gateway::start(&json!({
        "models": {"providers": {"local": {"baseUrl": base, "apiKey": "k"}}},
        "gateway": {"http": {"endpoints": {"embeddings": {"enabled": true, "model": "local/embed"}}}},
    }))
    .await;
    let ask = async |body: Value| {
        http::client()
            .post(format!("{}/v1/embeddings", gateway.http()))
            .bearer_auth(gateway.token())
            .body(body.to_string())
            .send()
            .await
            .expect("an answer")
    };

    let answer = until("an agent service", async || {
        let answer = ask(json!({"model": "openclaw", "input": ["a", "four"]})).await;
        answer.status().is_success().then_some(answer)
    })
    .await;

    let told: Value = answer.json().await.expect("JSON");
    assert_eq!(told["data"][0]["embedding"], json!([1, 0.125]), "{told}");
    assert_eq!(told["data"][1]["embedding"], json!([4, 0.125]));
    assert_eq!(
        (&told["model"], &told["usage"]["total_tokens"]),
        (&json!("local/embed"), &json!(7))
    );
    let invoked = http::client()
        .post(format!("{}/tools/invoke", gateway.http()))
        .bearer_auth(gateway.token())
        .body(r#"{"tool":"agents_list"}"#)
        .send()
        .await
        .expect("an answer");
    let invoked: Value = invoked.json().await.expect("JSON");
    assert!(
        invoked["result"]["content"][0]["text"]
            .as_str()
            .is_some_and(|text| text.contains("main")),
        "{invoked}"
    );
}
