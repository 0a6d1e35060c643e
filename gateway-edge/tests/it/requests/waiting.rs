//! Requests that wait, and how many may be under way.

use super::*;

#[tokio::test]
async fn a_connection_full_of_long_waits_still_gets_short_calls_through() {
    let limits = Limits {
        requests_max: 1,
        waits_max: 2,
        ..Limits::default()
    };
    let gateway = Gateway::with(limits, Some(revision("{}", TOKEN))).await;
    gateway.answers("agent.wait", Reply::Hang);
    gateway.answers(
        "agents.list",
        Reply::Json(r#"{"defaultId":"main","mainKey":"main","scope":"x","agents":[]}"#),
    );
    let mut client = Client::v4(&gateway, &["operator.write"]).await;

    for id in ["a", "b", "c"] {
        let wait = json!({"type": "req", "id": id, "method": "agent.wait", "params": {"runId": "r"}});
        client.send(&wait.to_string()).await;
    }
    let refused = client.answer("c").await["error"].clone();
    let short = client.call("agents.list", json!({})).await;

    assert_eq!(
        (&refused["details"]["reason"], &refused["retryable"]),
        (&json!("CONNECTION_BUSY"), &json!(true))
    );
    assert_eq!(
        refused["message"],
        "the connection is busy: 2 long waits are under way"
    );
    assert_eq!(short["ok"], true, "{short}");
}

#[tokio::test]
async fn a_run_that_is_followed_does_not_keep_the_bytes_of_its_request() {
    let limits = Limits {
        request_bytes_max: 1_500,
        ..Limits::default()
    };
    let gateway = Gateway::with(limits, Some(revision("{}", TOKEN))).await;
    let accepted = r#"{"runId":"k","status":"accepted","sessionKey":"s","agentId":"main","acceptedAt":1}"#;
    gateway.answers("agent", Reply::First(accepted));
    let mut client = Client::v4(&gateway, &["operator.write"]).await;

    for key in ["1", "2", "3"] {
        let message = "x".repeat(1_000);
        let first = client
            .call("agent", json!({"message": message, "idempotencyKey": key}))
            .await;

        assert_eq!(first["ok"], true, "{first}");
    }
}

#[tokio::test]
async fn a_connection_that_asks_too_much_at_once_is_told_so() {
    let limits = Limits {
        requests_max: 2,
        ..Limits::default()
    };
    let gateway = Gateway::with(limits, Some(revision("{}", TOKEN))).await;
    gateway.answers("sessions.list", Reply::Hang);
    let mut client = Client::v4(&gateway, &["operator.read"]).await;

    for id in ["a", "b", "c"] {
        client
            .send(&json!({"type": "req", "id": id, "method": "sessions.list", "params": {}}).to_string())
            .await;
    }
    let error = client.answer("c").await["error"].clone();

    assert_eq!(
        (&error["code"], &error["retryable"]),
        (&json!("UNAVAILABLE"), &json!(true))
    );
    assert_eq!(error["details"]["reason"], "CONNECTION_BUSY");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_waits_for_each_answer_has_one_request_under_way_and_never_two() {
    let limits = Limits {
        requests_max: 1,
        ..Limits::default()
    };
    let gateway = Gateway::with(limits, Some(revision("{}", TOKEN))).await;
    gateway.answers(
        "sessions.resolve",
        Reply::Json(r#"{"ok": true, "agentId": "main", "key": "agent:main:main"}"#),
    );
    let mut client = Client::v4(&gateway, &["operator.read"]).await;

    for _ in 0..1_000 {
        let answer = client.call("sessions.resolve", json!({"key": "main"})).await;
        assert_eq!(answer["ok"], true, "{answer}");
    }
}
