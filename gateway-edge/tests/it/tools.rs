//! `POST /tools/invoke` and `POST /v1/embeddings`: methods in the forms of others, with the rights of the methods.

use gatehouse_core::{Failure, Kind};
use serde_json::{Value, json};

use crate::{
    gateway::{Gateway, Reply, TOKEN, revision},
    plain_http::ask,
};
use gatehouse_edge::Limits;

async fn gateway(config: &str) -> Gateway {
    Gateway::with(Limits::default(), Some(revision(config, TOKEN))).await
}

/// Status and body.
async fn post(gateway: &Gateway, path: &str, headers: &str, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    let length = body.len();
    let answer = ask(
        &gateway.http,
        &format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        ),
    )
    .await;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    (
        status.unwrap_or_else(|| panic!("a status: {answer}")),
        serde_json::from_str(body).unwrap_or_else(|_| panic!("JSON: {answer}")),
    )
}

fn bearer() -> String {
    format!("Authorization: Bearer {TOKEN}\r\n")
}

#[tokio::test]
async fn a_tool_is_a_method_with_the_rights_of_the_method() {
    let gateway = gateway("{}").await;
    gateway.answers(
        "agents.list",
        Reply::Json(r#"{"defaultId":"main","mainKey":"main","scope":"per-sender","agents":[]}"#),
    );
    let invoke = json!({"tool": "agents_list", "args": {}});

    let (status, told) = post(&gateway, "/tools/invoke", &bearer(), &invoke).await;

    assert_eq!((status, &told["ok"]), (200, &json!(true)), "{told}");
    let text = told["result"]["content"][0]["text"].as_str().expect("a text");
    assert!(text.contains(r#""defaultId":"main""#), "{text}");
    let (status, refused) = post(&gateway, "/tools/invoke", "", &invoke).await;
    assert_eq!((status, &refused["error"]["type"]), (401, &json!("unauthorized")));
    let less = format!("{}Gatehouse-Scopes: operator.read\r\n", bearer());
    let add = json!({"tool": "cron", "args": {"action": "add", "job": {}}});
    let (status, refused) = post(&gateway, "/tools/invoke", &less, &add).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (403, &json!("missing_scope"))
    );
    assert_eq!(refused["error"]["details"]["code"], "MISSING_SCOPE");
    let exec = json!({"tool": "exec", "args": {"command": "ls"}});
    let (status, refused) = post(&gateway, "/tools/invoke", &bearer(), &exec).await;
    assert_eq!(
        (status, &refused["error"]["message"]),
        (404, &json!("Tool not available: exec"))
    );
    assert!(gateway.calls("cron.add").is_empty());
}

const ON: &str =
    r#"{"gateway":{"http":{"endpoints":{"embeddings":{"enabled":true,"model":"local/embed"}}}}}"#;

#[tokio::test]
async fn vectors_are_told_digit_by_digit_as_the_model_made_them() {
    let gateway = gateway(ON).await;
    gateway.answers(
        "models.embed",
        Reply::Json(
            r#"{"model":"local/embed","embeddings":[{"values":[1e-3,0.25]},{"values":"AACAPw=="}],"usage":{"promptTokens":5,"totalTokens":5}}"#,
        ),
    );
    let texts = json!({"model": "openclaw", "input": ["a", "b"], "encoding_format": "base64"});

    let (status, told) = post(&gateway, "/v1/embeddings", &bearer(), &texts).await;

    assert_eq!(status, 200, "{told}");
    assert_eq!(
        (&told["object"], &told["model"]),
        (&json!("list"), &json!("local/embed"))
    );
    assert_eq!(told["data"][0]["embedding"].to_string(), "[0.001,0.25]");
    assert_eq!(
        told["data"][1],
        json!({"object": "embedding", "index": 1, "embedding": "AACAPw=="})
    );
    assert_eq!(told["usage"], json!({"prompt_tokens": 5, "total_tokens": 5}));
    let one = json!({"model": "openclaw", "input": "a"});
    post(&gateway, "/v1/embeddings", &bearer(), &one).await;
    assert_eq!(gateway.calls("models.embed").len(), 2);
}

#[tokio::test]
async fn vectors_that_nobody_makes_are_refused_with_the_next_step() {
    let text = json!({"model": "openclaw", "input": "a"});

    let off = gateway("{}").await;
    let (status, told) = post(&off, "/v1/embeddings", &bearer(), &text).await;
    assert_eq!(
        (status, &told["error"]["code"]),
        (404, &json!("ENDPOINT_DISABLED"))
    );
    let none = gateway(r#"{"gateway":{"http":{"endpoints":{"embeddings":{"enabled":true}}}}}"#).await;
    let (status, told) = post(&none, "/v1/embeddings", &bearer(), &text).await;
    assert_eq!(
        (status, &told["error"]["code"]),
        (501, &json!("embedding_model_missing"))
    );
    assert!(
        told["error"]["message"]
            .as_str()
            .is_some_and(|words| words.contains("embeddings.model"))
    );
    let on = gateway(ON).await;
    let tokens = json!({"model": "openclaw", "input": [1, 2]});
    let (status, told) = post(&on, "/v1/embeddings", &bearer(), &tokens).await;
    assert_eq!((status, &told["error"]["param"]), (400, &json!("input")));
    let other = json!({"model": "text-embedding-3-small", "input": "a"});
    let (status, told) = post(&on, "/v1/embeddings", &bearer(), &other).await;
    assert_eq!((status, &told["error"]["code"]), (400, &json!("model_not_found")));
    on.answers(
        "models.embed",
        Reply::Failure(Failure::new(Kind::NotFound, "no such model").reason("model-missing")),
    );
    let (status, told) = post(&on, "/v1/embeddings", &bearer(), &text).await;
    assert_eq!((status, &told["error"]["code"]), (404, &json!("model-missing")));
    assert_eq!(post(&on, "/v1/embeddings", "", &text).await.0, 401);
}
