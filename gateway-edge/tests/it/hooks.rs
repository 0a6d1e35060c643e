//! Hooks on their way to the session service: where they come in, what is read of them, and who is locked out.

use std::time::Duration;

use gatehouse_edge::Limits;
use gatehouse_proto::session::v1::{
    HookAnswer, InspectHookRequest, InspectHookResponse, ReceiveHookRequest, ReceiveHookResponse,
};
use prost::Message;

use crate::{
    gateway::{Gateway, Reply, TOKEN, revision},
    plain_http::{ask, get},
};

const INSPECT: &str = "/gatehouse.session.v1.HookService/InspectHook";
const RECEIVE: &str = "/gatehouse.session.v1.HookService/ReceiveHook";

fn answer(status: u32, body: &'static str, guessed: bool) -> HookAnswer {
    HookAnswer {
        status,
        content_type: "application/json".to_owned(),
        body: body.into(),
        retry_after_seconds: None,
        guessed,
    }
}

fn inspected(refusal: Option<HookAnswer>) -> Reply {
    let inspected = InspectHookResponse {
        body_bytes_max: 1024,
        refusal,
    };
    Reply::Many(vec![inspected.encode_to_vec()])
}

fn received(answer: HookAnswer) -> Reply {
    let received = ReceiveHookResponse { answer: Some(answer) };
    Reply::Many(vec![received.encode_to_vec()])
}

/// A session service that takes what it is given.
async fn gateway(hooks: &str) -> Gateway {
    let config = format!(r#"{{"hooks":{hooks}}}"#);
    let limits = Limits {
        webhook_grace: Duration::from_millis(200),
        ..Limits::default()
    };
    let gateway = Gateway::with(limits, Some(revision(&config, TOKEN))).await;
    gateway.answers_path(INSPECT, inspected(None));
    gateway.answers_path(
        RECEIVE,
        received(answer(202, r#"{"ok":true,"runId":"r"}"#, false)),
    );
    gateway
}

async fn post(gateway: &Gateway, path: &str, token: &str, body: &str) -> String {
    let length = body.len();
    ask(
        &gateway.http,
        &format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        ),
    )
    .await
}

#[tokio::test]
async fn a_hook_goes_to_the_session_service_and_back_from_the_path_that_is_configured() {
    let gateway = gateway(r#"{"enabled":true,"path":"/in/here/"}"#).await;

    let taken = post(&gateway, "/in/here/forge/push?a=1", "own", r#"{"a":1}"#).await;

    assert!(
        taken.starts_with("HTTP/1.1 202") && taken.ends_with(r#"{"ok":true,"runId":"r"}"#),
        "{taken}"
    );
    let seen = ReceiveHookRequest::decode(gateway.calls(RECEIVE).pop().unwrap().body).unwrap();
    let head = seen.head.unwrap();
    assert_eq!((&*head.name, head.query.as_deref()), ("forge/push", Some("a=1")));
    assert_eq!(&*seen.body, br#"{"a":1}"#);
    assert!(head.headers.iter().any(|header| header.value == "Bearer own"));
    for elsewhere in [
        "/hooks/agent",
        "/__openclaw__/hooks",
        "/in/hereabouts",
        "/in//here/x",
        "/in/here/%2e%2e/x",
    ] {
        let answer = post(&gateway, elsewhere, "own", "{}").await;
        assert!(answer.starts_with("HTTP/1.1 40"), "{elsewhere}: {answer}");
    }
    let wrong = get(&gateway.http, "/in/here/forge").await;
    assert!(
        wrong.starts_with("HTTP/1.1 405") && wrong.to_ascii_lowercase().contains("allow: post"),
        "{wrong}"
    );
    assert_eq!(gateway.calls(RECEIVE).len(), 1);
}

#[tokio::test]
async fn hooks_that_are_off_are_nowhere() {
    for off in [
        "{}",
        r#"{"enabled":false}"#,
        r#"{"enabled":true,"path":"/rpc"}"#,
        r#"{"enabled":true,"path":"/"}"#,
    ] {
        let gateway = gateway(off).await;
        let answer = post(&gateway, "/hooks/agent", "own", "{}").await;
        assert!(
            answer.starts_with("HTTP/1.1 404") || answer.starts_with("HTTP/1.1 405"),
            "{off}: {answer}"
        );
        assert!(gateway.calls(INSPECT).is_empty(), "{off}");
    }
}

#[tokio::test]
async fn what_the_head_gives_away_is_answered_before_a_byte_of_the_body_and_a_body_has_bounds() {
    let gateway = gateway(r#"{"enabled":true}"#).await;
    let head =
        "POST /hooks/agent HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer own\r\nConnection: close\r\n";

    let large = ask(
        &gateway.http,
        &format!("{head}Content-Length: 1025\r\n\r\n{}", "x".repeat(1025)),
    )
    .await;
    let slow = ask(&gateway.http, &format!("{head}Content-Length: 50\r\n\r\nx")).await;
    let packed = ask(
        &gateway.http,
        &format!("{head}Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx"),
    )
    .await;

    for (answer, status, problem) in [
        (large, "413", "payload too large"),
        (slow, "408", "the body did not come in time"),
        (packed, "415", "the body is compressed; send it as it is"),
    ] {
        let body = format!(r#"{{"ok":false,"error":"{problem}"}}"#);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.ends_with(&body),
            "{answer}"
        );
    }
    gateway.answers_path(INSPECT, inspected(Some(answer(404, "{}", false))));
    let refused = ask(&gateway.http, &format!("{head}Content-Length: 50\r\n\r\nx")).await;
    assert!(refused.starts_with("HTTP/1.1 404"), "{refused}");
    assert!(gateway.calls(RECEIVE).is_empty());
    let seen = InspectHookRequest::decode(gateway.calls(INSPECT).pop().unwrap().body).unwrap();
    assert_eq!(seen.head.unwrap().name, "agent");
}

#[tokio::test]
async fn the_gateways_own_token_opens_no_hook_and_is_shown_to_nobody() {
    let gateway = gateway(r#"{"enabled":true}"#).await;

    let bearer = post(&gateway, "/hooks/agent", TOKEN, "{}").await;
    let header = ask(
        &gateway.http,
        &format!(
            "POST /hooks/agent HTTP/1.1\r\nHost: localhost\r\nX-OpenClaw-Token: {TOKEN}\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{{}}"
        ),
    )
    .await;

    for answer in [bearer, header] {
        assert!(
            answer.starts_with("HTTP/1.1 401") && answer.ends_with("Unauthorized"),
            "{answer}"
        );
    }
    assert!(gateway.calls(INSPECT).is_empty());
}

#[tokio::test]
async fn who_guesses_is_locked_out_of_hooks_and_of_nothing_else() {
    let gateway = gateway(r#"{"enabled":true}"#).await;
    gateway.answers_path(INSPECT, inspected(Some(answer(401, "Unauthorized", true))));
    for n in 0..20 {
        let wrong = post(&gateway, "/hooks/agent", "guess", "{}").await;
        assert!(wrong.starts_with("HTTP/1.1 401"), "{n}: {wrong}");
    }

    let more = post(&gateway, "/hooks/agent", "guess", "{}").await;

    assert!(
        more.starts_with("HTTP/1.1 429") && more.to_ascii_lowercase().contains("retry-after: "),
        "{more}"
    );
    let asked = gateway.calls(INSPECT).len();
    // Many may stand behind loopback: the right token is taken there.
    gateway.answers_path(INSPECT, inspected(None));
    let right = post(&gateway, "/hooks/agent", "own", "{}").await;
    assert!(right.starts_with("HTTP/1.1 202"), "{right}");
    assert!(asked >= 20);
    let call = post(&gateway, "/rpc/health", TOKEN, "{}").await;
    assert!(!call.starts_with("HTTP/1.1 429"), "{call}");
}

#[tokio::test]
async fn a_session_service_that_is_away_is_told_as_that() {
    let gateway = gateway(r#"{"enabled":true}"#).await;
    gateway.answers_path(INSPECT, Reply::Hang);

    let later = post(&gateway, "/hooks/agent", "own", "{}").await;

    assert!(
        later.starts_with("HTTP/1.1 503") && later.to_ascii_lowercase().contains("retry-after: 5"),
        "{later}"
    );
}
