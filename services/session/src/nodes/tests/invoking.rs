mod askers;
mod rules;

use super::*;
use crate::nodes::store::KEPT_RESULT_BYTES_MAX;

pub(super) fn writer() -> Caller {
    operator(&["operator.write"])
}

#[tokio::test]
async fn a_result_reaches_whoever_asked_once_and_only_from_the_connection_that_was_asked() {
    let bench = Bench::new("{}").await;
    let mut node = bench.approved("a", "c1", &["system.which"]).await;
    let other = bench.approved("b", "c2", &["system.which"]).await;

    let request = InvokeNodeRequest {
        params: Some(r#"{"bins":["ls"]}"#.into()),
        ..wish("a", "system.which", "k")
    };
    let invoked = bench.invoke(request, writer());
    let asked: NodeInvokeRequestEvent = node.next().await;
    assert_eq!(asked.params_json.as_deref(), Some(r#"{"bins":["ls"]}"#));
    assert_eq!((asked.idempotency_key.as_str(), asked.timeout_ms), ("k", 30_000));

    let forged = other.report(&bench, &asked.id, "0").await.unwrap();
    assert_eq!(forged.ignored, Some(true));
    let request = ReportInvokeResultRequest {
        id: asked.id.clone(),
        node_id: "a".into(),
        ok: true,
        payload: Some("0".into()),
        ..ReportInvokeResultRequest::default()
    };
    let claimed = failure(
        bench
            .grpc
            .report_invoke_result(by(request, &other.caller()))
            .await,
    );
    assert!(claimed.unwrap_err().message.contains("nodeId mismatch"));
    assert_eq!(bench.state("k").await, InvocationState::Running);

    assert_eq!(node.report(&bench, &asked.id, "[1]").await.unwrap().ignored, None);
    assert_eq!(
        bench.state("k").await,
        InvocationState::Ok,
        "stored before it is acknowledged"
    );
    assert_eq!(
        node.report(&bench, &asked.id, "[2]").await.unwrap().ignored,
        Some(true)
    );

    let done = invoked.await.unwrap().unwrap();
    assert_eq!(
        (done.ok, done.payload.as_deref(), done.payload_json),
        (true, Some("[1]"), None)
    );
    let again = bench.invoke(
        InvokeNodeRequest {
            params: Some(r#"{"bins":["ls"]}"#.into()),
            ..wish("a", "system.which", "k")
        },
        writer(),
    );
    assert_eq!(
        again.await.unwrap().unwrap().payload.as_deref(),
        Some("[1]"),
        "a repeat"
    );
    let conflict = bench
        .invoke(wish("a", "system.which", "k"), writer())
        .await
        .unwrap();
    assert_eq!(conflict.unwrap_err().kind, Kind::Conflict);
}

#[tokio::test]
async fn a_result_that_is_text_is_given_as_value_and_text() {
    let bench = Bench::new("{}").await;
    let mut node = bench.approved("a", "c1", &["system.which"]).await;
    let answered = async |node: &mut Node, key: &str, text: &str| {
        let invoked = bench.invoke(wish("a", "system.which", key), writer());
        let asked: NodeInvokeRequestEvent = node.next().await;
        let request = ReportInvokeResultRequest {
            id: asked.id,
            node_id: "a".into(),
            ok: true,
            payload_json: Some(text.to_owned()),
            ..ReportInvokeResultRequest::default()
        };
        failure(bench.grpc.report_invoke_result(by(request, &node.caller())).await).unwrap();
        invoked.await.unwrap().unwrap()
    };

    let json = answered(&mut node, "1", r#"{"a": 1}"#).await;
    assert_eq!(
        (json.payload.as_deref(), json.payload_json.as_deref()),
        (Some(r#"{"a": 1}"#), Some(r#"{"a": 1}"#))
    );
    let large = format!("\"{}\"", "x".repeat(9 * 1024 * 1024));
    let large = answered(&mut node, "3", &large).await;
    assert!(
        large.payload.is_some() && large.payload_json.is_none(),
        "not twice in one frame"
    );
}

#[tokio::test]
async fn a_result_that_is_no_json_is_refused_to_the_node_and_ends_as_an_error() {
    let bench = Bench::new("{}").await;
    let mut node = bench.approved("a", "c1", &["system.which"]).await;
    for (key, text) in [
        ("small", "no json".to_owned()),
        ("large", "x".repeat(KEPT_RESULT_BYTES_MAX + 1)),
    ] {
        let invoked = bench.invoke(wish("a", "system.which", key), writer());
        let asked: NodeInvokeRequestEvent = node.next().await;
        let request = ReportInvokeResultRequest {
            id: asked.id,
            node_id: "a".into(),
            ok: true,
            payload_json: Some(text),
            ..ReportInvokeResultRequest::default()
        };

        let reported = bench.grpc.report_invoke_result(by(request, &node.caller()));

        let refused = failure(reported.await).unwrap_err();
        assert_eq!(
            (refused.kind, refused.path.as_deref()),
            (Kind::Invalid, Some("/payloadJSON"))
        );
        let told = invoked.await.unwrap().unwrap_err();
        assert!(told.message.starts_with("INVALID_RESULT: "), "{}", told.message);
        assert!(!told.retryable() && bench.state(key).await == InvocationState::Error);
    }
}

#[tokio::test]
async fn two_callers_with_one_key_wait_for_one_invocation() {
    let bench = Bench::new("{}").await;
    let mut node = bench.approved("a", "c1", &["system.which"]).await;

    let first = bench.invoke(wish("a", "system.which", "k"), writer());
    let asked: NodeInvokeRequestEvent = node.next().await;
    let second = bench.invoke(wish("a", "system.which", "k"), writer());
    crate::testing::until("the second caller", async || {
        bench.nodes.0.flights.waiters(&asked.id) == 2
    })
    .await;
    first.abort();
    let _ = first.await;
    node.report(&bench, &asked.id, "7").await.unwrap();

    let told = second.await.unwrap().unwrap();
    assert_eq!(
        (told.payload.as_deref(), told.invocation_id.as_str()),
        (Some("7"), asked.id.as_str())
    );
    assert!(node.frames.try_recv().is_err(), "the node was asked once");
}

#[tokio::test]
async fn what_may_wait_is_sent_when_the_node_comes_and_a_repeat_is_told_what_became_of_it() {
    let bench = Bench::new("{}").await;
    drop(bench.approved("a", "c1", &["system.which"]).await);
    crate::testing::until("the node to be gone", async || {
        bench.nodes.0.registry.see(&NodeId::new("a")).is_none()
    })
    .await;
    let queued = || InvokeNodeRequest {
        queue_ttl_ms: Some(60_000),
        params: Some("[1]".into()),
        ..wish("a", "system.which", "k")
    };

    let told = bench.invoke(queued(), writer()).await.unwrap().unwrap();
    assert_eq!(told.queued, Some(true));
    assert_eq!(
        told.expires_at_ms,
        Some(bench.clock.now().plus_ms(60_000).as_ms())
    );
    assert_eq!(
        bench.invoke(queued(), writer()).await.unwrap().unwrap().queued,
        Some(true)
    );

    let mut node = bench.attach("a", "c2", &["system.which"]).await;
    let asked: NodeInvokeRequestEvent = node.next().await;
    assert_eq!(
        (asked.id.as_str(), asked.params_json.as_deref()),
        (told.invocation_id.as_str(), Some("[1]"))
    );
    let repeat = bench.invoke(queued(), writer());
    crate::testing::until("the repeat", async || {
        bench.nodes.0.flights.waiters(&asked.id) == 1
    })
    .await;
    node.report(&bench, &asked.id, "2").await.unwrap();
    assert_eq!(repeat.await.unwrap().unwrap().payload.as_deref(), Some("2"));
    assert_eq!(bench.state("k").await, InvocationState::Ok);
    assert!(node.frames.try_recv().is_err(), "it is sent once");
}

#[tokio::test]
async fn what_waited_too_long_is_not_sent() {
    let bench = Bench::new("{}").await;
    drop(bench.approved("a", "c1", &["system.which"]).await);
    crate::testing::until("the node to be gone", async || {
        bench.nodes.0.registry.see(&NodeId::new("a")).is_none()
    })
    .await;
    let request = InvokeNodeRequest {
        queue_ttl_ms: Some(1_000),
        ..wish("a", "system.which", "k")
    };
    bench.invoke(request.clone(), writer()).await.unwrap().unwrap();

    bench.clock.advance_ms(1_000);
    let mut node = bench.attach("a", "c2", &["system.which"]).await;

    assert!(node.frames.try_recv().is_err());
    bench.nodes.0.flights.queued.notify_one();
    crate::testing::until("its end", async || {
        bench.state("k").await == InvocationState::Timeout
    })
    .await;
    let told = bench.invoke(request, writer()).await.unwrap().unwrap_err();
    assert!(told.message.starts_with("EXPIRED"), "{}", told.message);
}
