//! In which form the doors for programs refuse.

use gatehouse_edge::Limits;
use serde_json::{Value, json};

use crate::{
    gateway::{Gateway, TOKEN, revision},
    plain_http::ask,
};

/// Programs read the answer of a door in one form, whoever refuses and whatever for.
#[tokio::test]
async fn what_a_door_for_programs_refuses_is_told_in_the_form_of_that_door() {
    let config = r#"{"hooks":{"enabled":true,"token":"own"}}"#;
    let gateway = Gateway::with(Limits::default(), Some(revision(config, TOKEN))).await;
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    let ask = async |request: &str, headers: &str, body: &str| {
        let length = body.len();
        let answer = ask(
            &gateway.http,
            &format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"),
        )
        .await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let head = head.to_ascii_lowercase();
        assert!(
            head.contains("content-type: application/json"),
            "{request}: {answer}"
        );
        let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{request}: {answer}"));
        (status, head, body)
    };

    for (request, status, code) in [
        ("GET /v1", 404, "unknown_url"),
        ("GET /v1/nothing", 404, "unknown_url"),
        ("POST /v1/chat/completions/", 404, "unknown_url"),
        ("POST /v1//chat/completions", 404, "unknown_url"),
        ("POST /tools", 404, "unknown_url"),
        ("POST /tools/invoke/x", 404, "unknown_url"),
        ("GET /v1/chat/completions", 405, "method_not_allowed"),
        ("DELETE /v1/models/openclaw", 405, "method_not_allowed"),
        ("OPTIONS /v1/responses", 405, "method_not_allowed"),
        ("PUT /tools/invoke", 405, "method_not_allowed"),
        ("POST /v1/chat/completions", 401, "invalid_api_key"),
    ] {
        let (got, head, body) = ask(request, "", "").await;
        let error = &body["error"];
        assert_eq!((got, &error["code"]), (status, &json!(code)), "{request}: {body}");
        assert!(
            error["type"].is_string() && error.get("param").is_some(),
            "{request}: {body}"
        );
        assert_eq!(head.contains("allow: "), status == 405, "{request}: {head}");
    }
    for (request, status) in [
        ("GET /rpc/health", 405),
        ("POST /rpc", 404),
        ("POST /rpc/health/", 404),
    ] {
        let (got, _, body) = ask(request, "", "").await;
        assert_eq!(got, status, "{request}: {body}");
        assert!(
            body["error"]["code"].is_string() && body["error"]["details"]["code"].is_string(),
            "{body}"
        );
    }
    for (request, status) in [
        ("GET /hooks/wake", 405),
        ("POST /hooks/wake/", 404),
        ("POST /hooks//wake", 404),
    ] {
        let (got, _, body) = ask(request, "", "").await;
        assert_eq!((got, &body["ok"]), (status, &json!(false)), "{request}: {body}");
        assert!(body["error"].is_string(), "{body}");
    }
    // By a name that is not ours.
    let rebound = async |path: &str| {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        );
        let answer = crate::plain_http::ask(&gateway.http, &request).await;
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        serde_json::from_str::<Value>(body).unwrap()
    };
    assert_eq!(
        rebound("/v1/chat/completions").await["error"]["type"],
        "forbidden"
    );
    assert_eq!(rebound("/hooks/wake").await["ok"], false);

    for (path, body) in [
        ("/tools/invoke", "{"),
        ("/tools/invoke", "[]"),
        ("/tools/invoke", r#"{"tool": 7}"#),
        ("/rpc/sessions.list", "{"),
        ("/rpc/sessions.list", "[1]"),
        ("/rpc/sessions.list", r#"{"limit": "x"}"#),
    ] {
        let (status, _, told) = ask(&format!("POST {path}"), &token, body).await;
        assert_eq!(status, 400, "{path} {body}: {told}");
        let words = told["error"]["message"].as_str().unwrap();
        for leaked in ["struct ", "enum ", "variant", "expected a sequence", "serde"] {
            assert!(!words.contains(leaked), "{path} {body}: {words}");
        }
    }
}
