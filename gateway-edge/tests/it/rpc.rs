//! Methods called by HTTP: who may, what comes back, and that it is bounded like a connection.

mod streams;

use std::time::Duration;

use gatehouse_core::{Failure, Kind};
use gatehouse_edge::Limits;
use gatehouse_proto::session::v1::{RunAgentResponse, SendChatRequest};
use prost::Message;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    gateway::{Gateway, Reply, TOKEN, revision, until},
    plain_http::ask,
};

const AGENTS: &str = r#"{"defaultId":"main","mainKey":"main","scope":"x","agents":[]}"#;

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }

    fn error(&self) -> Value {
        self.json()["error"].clone()
    }
}

fn request(method: &str, headers: &str, body: &str) -> String {
    format!(
        "POST /rpc/{method} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn bearer(more: &str) -> String {
    format!("Authorization: Bearer {TOKEN}\r\n{more}")
}

async fn send(gateway: &Gateway, request: &str) -> Answer {
    let answer = ask(&gateway.http, request).await;
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

/// Calls a method with the token and these further headers.
async fn call(gateway: &Gateway, method: &str, headers: &str, body: &str) -> Answer {
    send(gateway, &request(method, &bearer(headers), body)).await
}

#[tokio::test]
async fn whoever_has_the_token_calls_any_method_and_gets_its_payload() {
    let gateway = Gateway::start().await;
    gateway.answers("agents.list", Reply::Json(AGENTS));
    gateway.answers("system-presence", Reply::Json(r#"{"presence":[{"ts":7}]}"#));

    let listed = call(
        &gateway,
        "agents.list",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n",
        "",
    )
    .await;
    let whole = call(&gateway, "system-presence", "", "{}").await;

    assert_eq!(
        (listed.status, &listed.json()["defaultId"]),
        (200, &json!("main"))
    );
    for header in [
        "content-type: application/json",
        "cache-control: no-store",
        "content-security-policy: default-src 'none'",
    ] {
        assert!(listed.head.contains(header), "{}", listed.head);
    }
    assert!(!listed.head.contains("access-control") && !listed.head.contains("set-cookie"));
    assert_eq!(
        whole.json()[0]["ts"],
        7,
        "a payload that is not an object comes whole"
    );
    let made = gateway.calls("agents.list").pop().unwrap();
    let caller = made.caller.unwrap();
    assert_eq!(
        (caller.role.as_str(), caller.connection_id.as_str()),
        ("operator", "http/127.0.0.1")
    );
    assert!(
        caller.scopes.contains(&"operator.admin".to_owned()),
        "all that the token has"
    );
    assert_eq!(made.trace.unwrap().trace_id(), "0af7651916cd43dd8448eb211c80319c");
}

#[tokio::test]
async fn a_refusal_has_the_status_of_its_kind_and_says_what_to_do() {
    let gateway = Gateway::start().await;
    let failure = Failure::new(Kind::Precondition, "the configuration changed")
        .reason("CONFIG_CHANGED")
        .retry_after(Duration::from_millis(1500));
    gateway.answers("config.get", Reply::Failure(failure));

    let none = send(&gateway, &request("agents.list", "", "")).await;
    assert_eq!(
        (none.status, &none.error()["details"]["code"]),
        (401, &json!("AUTH_TOKEN_MISSING"))
    );
    assert!(none.head.contains("www-authenticate: bearer"), "{}", none.head);
    let wrong = send(
        &gateway,
        &request("no.such", "Authorization: Bearer guess\r\n", ""),
    )
    .await;
    assert_eq!(
        (wrong.status, &wrong.error()["details"]["code"]),
        (401, &json!("AUTH_TOKEN_MISMATCH"))
    );
    let narrowed = call(&gateway, "chat.send", "Gatehouse-Scopes: operator.read\r\n", "{}").await;
    assert_eq!(
        (narrowed.status, &narrowed.error()["message"]),
        (403, &json!("missing scope: operator.write"))
    );
    let unknown = call(&gateway, "no.such", "", "{}").await;
    assert_eq!(
        (unknown.status, &unknown.error()["message"]),
        (404, &json!("unknown method: no.such"))
    );
    let params = call(&gateway, "sessions.list", "", r#"{"limit":"ten"}"#).await;
    assert_eq!(
        (params.status, &params.error()["details"]["path"]),
        (400, &json!("/limit"))
    );
    let foreign = call(&gateway, "sessions.list", "", r#"{"foo":1}"#).await;
    assert_eq!(
        foreign.status, 400,
        "unknown parameters are refused: {}",
        foreign.body
    );
    let changed = call(&gateway, "config.get", "", "").await;
    assert_eq!(
        (changed.status, &changed.error()["details"]["reason"]),
        (412, &json!("CONFIG_CHANGED"))
    );
    assert!(changed.head.contains("retry-after: 2"), "{}", changed.head);
    let away = call(&gateway, "agents.list", "", "").await;
    assert_eq!(
        away.status, 404,
        "a service that does not know the method: {}",
        away.body
    );
    let get = request("agents.list", &bearer(""), "").replace("POST", "GET");
    let get = send(&gateway, &get).await;
    assert!(
        get.status == 405 && get.head.contains("allow: post"),
        "{}",
        get.head
    );
    let gzip = call(&gateway, "agents.list", "Content-Encoding: gzip\r\n", "{}").await;
    assert_eq!(gzip.status, 415);
}

#[tokio::test]
async fn a_method_that_changes_a_connection_is_refused_by_name_before_it_is_called() {
    let gateway = Gateway::start().await;

    let refused = call(&gateway, "sessions.subscribe", "", "").await;

    assert_eq!(
        (refused.status, &refused.error()["details"]["code"]),
        (400, &json!("CONNECTION_REQUIRED"))
    );
    assert!(
        refused.error()["message"]
            .as_str()
            .unwrap()
            .contains("WebSocket to /ws")
    );
    assert!(gateway.calls("sessions.subscribe").is_empty());
}

#[tokio::test]
async fn who_guesses_the_token_is_locked_out_as_at_the_handshake() {
    let gateway =
        Gateway::configured(r#"{"gateway":{"auth":{"rateLimit":{"maxAttempts":2,"exemptLoopback":false}}}}"#)
            .await;
    gateway.answers("agents.list", Reply::Json(AGENTS));
    let guess = request("agents.list", "Authorization: Bearer guess\r\n", "");

    for _ in 0..2 {
        assert_eq!(send(&gateway, &guess).await.status, 401);
    }
    let locked = send(&gateway, &guess).await;

    assert_eq!(
        (locked.status, &locked.error()["details"]["code"]),
        (429, &json!("AUTH_RATE_LIMITED"))
    );
    assert!(locked.head.contains("retry-after: "), "{}", locked.head);
    assert_eq!(
        call(&gateway, "agents.list", "", "").await.status,
        200,
        "one of many behind an address locks out no other"
    );
}

#[tokio::test]
async fn a_page_of_another_site_and_an_unknown_proxy_are_refused_whatever_they_know() {
    let gateway = Gateway::start().await;

    let page = call(&gateway, "agents.list", "Origin: https://evil.example\r\n", "").await;
    let proxied = call(&gateway, "agents.list", "X-Forwarded-For: 192.0.2.1\r\n", "").await;
    let preflight = request("agents.list", "Origin: http://localhost\r\n", "").replace("POST", "OPTIONS");
    let preflight = send(&gateway, &preflight).await;

    assert_eq!(page.error()["details"]["code"], "CONTROL_UI_ORIGIN_NOT_ALLOWED");
    assert_eq!(proxied.error()["details"]["code"], "PROXY_NOT_TRUSTED");
    assert_eq!((page.status, proxied.status, preflight.status), (403, 403, 405));
    assert!(!preflight.head.contains("access-control"));
    assert!(gateway.calls("agents.list").is_empty());
}

#[tokio::test]
async fn a_path_is_taken_in_one_form_only() {
    let gateway = Gateway::start().await;
    gateway.answers("agents.list", Reply::Json(AGENTS));

    for path in [
        "/rpc//agents.list",
        "/rpc/agents.list/",
        "/rpc/%61gents.list",
        "/x/../rpc/agents.list",
        "//rpc/agents.list",
    ] {
        let request = request("agents.list", &bearer(""), "").replace("/rpc/agents.list", path);
        assert_eq!(send(&gateway, &request).await.status, 404, "{path}");
    }
    assert!(gateway.calls("agents.list").is_empty());
    assert_eq!(
        call(&gateway, "agents.list?a=1", "", "").await.status,
        200,
        "a query changes nothing"
    );
}
