//! How what a node was asked for ends.

use super::invoking::writer;
use super::*;
use gatehouse_core::Timestamp;

#[tokio::test]
async fn what_a_node_refused_is_not_to_be_tried_again_and_what_it_puts_off_is() {
    let bench = Bench::new("{}").await;
    let mut node = bench.approved("a", "c1", &["system.which"]).await;
    for (code, retryable) in [
        ("SYSTEM_RUN_DENIED", false),
        ("FILE_UNAVAILABLE", false),
        ("", false),
        ("BUSY", true),
    ] {
        let invoked = bench.invoke(wish("a", "system.which", code), writer());
        let asked: NodeInvokeRequestEvent = node.next().await;
        let request = ReportInvokeResultRequest {
            id: asked.id,
            node_id: "a".into(),
            error: Some(InvokeError {
                code: Some(code.into()),
                message: Some("why".into()),
            }),
            ..ReportInvokeResultRequest::default()
        };
        failure(bench.grpc.report_invoke_result(by(request, &node.caller())).await).unwrap();

        let told = invoked.await.unwrap().unwrap_err();

        assert_eq!(
            (told.kind, told.retryable()),
            (Kind::Unavailable, retryable),
            "{code}"
        );
        let again = bench.invoke(wish("a", "system.which", code), writer());
        assert_eq!(again.await.unwrap().unwrap_err(), told, "a repeat of {code:?}");
    }
}

#[tokio::test]
async fn a_node_that_fails_or_goes_ends_what_it_was_asked_for() {
    let bench = Bench::new("{}").await;
    let mut node = bench.approved("a", "c1", &["system.which"]).await;

    let failed = bench.invoke(wish("a", "system.which", "1"), writer());
    let asked: NodeInvokeRequestEvent = node.next().await;
    let request = ReportInvokeResultRequest {
        id: asked.id,
        node_id: "a".into(),
        ok: false,
        error: Some(InvokeError {
            code: Some("BUSY".into()),
            message: Some("not now".into()),
        }),
        ..ReportInvokeResultRequest::default()
    };
    failure(bench.grpc.report_invoke_result(by(request, &node.caller())).await).unwrap();
    let refusal = failed.await.unwrap().unwrap_err();
    assert_eq!(
        (refusal.kind, refusal.message.as_str()),
        (Kind::Unavailable, "BUSY: not now")
    );
    assert_eq!(
        detail(&refusal, "json:nodeError"),
        Some(r#"{"code":"BUSY","message":"not now"}"#)
    );
    assert_eq!(detail(&refusal, "json:nodeCommandDispatched"), Some("true"));

    let lost = bench.invoke(wish("a", "system.which", "2"), writer());
    node.next::<NodeInvokeRequestEvent>().await;
    drop(node);
    assert!(
        lost.await
            .unwrap()
            .unwrap_err()
            .message
            .starts_with("DISCONNECTED")
    );
    assert_eq!(bench.state("1").await, InvocationState::Error);
    assert_eq!(bench.state("2").await, InvocationState::Lost);
    let away = bench
        .invoke(wish("a", "system.which", "3"), writer())
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(
        (away.kind, away.message.as_str(), detail(&away, "code")),
        (Kind::Unavailable, "node not connected", Some("NOT_CONNECTED"))
    );
    assert_eq!(
        bench.state("3").await,
        InvocationState::Unspecified,
        "nobody was asked"
    );
    let unknown = bench
        .invoke(wish("z", "system.which", "4"), writer())
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(unknown.message, "unknown nodeId");
}

#[tokio::test]
async fn a_deadline_and_a_caller_that_goes_end_it_and_the_node_is_told() {
    let bench = Bench::new("{}").await;
    let mut node = bench.approved("a", "c1", &["system.which"]).await;

    let request = InvokeNodeRequest {
        timeout_ms: Some(20),
        ..wish("a", "system.which", "1")
    };
    let late = bench.invoke(request, writer());
    let asked: NodeInvokeRequestEvent = node.next().await;
    let cancelled: NodeInvokeCancelEvent = node.next().await;
    assert_eq!(cancelled.invoke_id, asked.id);
    let refusal = late.await.unwrap().unwrap_err();
    assert_eq!(
        (refusal.kind, refusal.message.as_str()),
        (Kind::Timeout, "TIMEOUT: node invoke timed out")
    );
    assert_eq!(bench.state("1").await, InvocationState::Timeout);
    assert_eq!(
        node.report(&bench, &asked.id, "1").await.unwrap().ignored,
        Some(true),
        "too late"
    );

    let left = bench.invoke(wish("a", "system.which", "2"), writer());
    let asked: NodeInvokeRequestEvent = node.next().await;
    let joined = bench.invoke(wish("a", "system.which", "2"), writer());
    crate::testing::until("the second caller", async || {
        bench.nodes.0.flights.waiters(&asked.id) == 2
    })
    .await;
    left.abort();
    joined.abort();
    let cancelled: NodeInvokeCancelEvent = node.next().await;
    assert_eq!(cancelled.invoke_id, asked.id);
    crate::testing::until("its end", async || {
        bench.state("2").await == InvocationState::Cancelled
    })
    .await;
}

#[tokio::test]
async fn what_runs_when_the_process_ends_is_lost_for_whoever_asks_its_successor() {
    let bench = Bench::new("{}").await;
    let mut node = bench.approved("a", "c1", &["system.which"]).await;
    let invoked = bench.invoke(wish("a", "system.which", "k"), writer());
    node.next::<NodeInvokeRequestEvent>().await;

    assert!(
        bench.drain.finish(Duration::from_secs(5)).await,
        "it ends in time"
    );

    assert!(invoked.await.unwrap().is_err());
    assert_eq!(bench.state("k").await, InvocationState::Lost);
}

#[tokio::test]
async fn a_picture_reaches_whoever_asked_as_the_node_sent_it_and_is_kept_under_its_invocation() {
    let bench = Bench::new("{}").await;
    let mut node = bench.approved("a", "c1", &["system.which"]).await;
    let asker = Caller {
        device_id: Some("laptop".into()),
        ..writer()
    };
    let bytes = [&b"\xff\xd8\xff\xe0"[..], &[7; 300_000]].concat();
    let base64 = data_encoding::BASE64.encode(&bytes).replace('/', "\\/"); // as Swift writes JSON
    let photo = format!(r#"{{"format":"jpg","base64":"{base64}","width":640,"height":480}}"#);

    let invoked = bench.invoke(wish("a", "system.which", "snap"), asker.clone());
    let asked: NodeInvokeRequestEvent = node.next().await;
    node.report(&bench, &asked.id, &photo).await.unwrap();

    let told = invoked.await.unwrap().unwrap();
    assert!(told.payload.as_deref() == Some(photo.as_str()), "byte for byte");
    let seen = async |caller: Caller| {
        let listed = bench
            .grpc
            .list_invocations(by(ListInvocationsRequest::default(), &caller));
        listed.await.unwrap().into_inner().invocations.remove(0).media
    };
    let media = seen(asker).await;
    assert_eq!((media.len(), media[0].mime_type.as_str()), (1, "image/jpeg"));
    assert!(media[0].url.contains(&media[0].id), "{}", media[0].url);
    let id = crate::media::MediaId::parse(&media[0].id).unwrap();
    let (_, kept) = bench.nodes.0.media.read(&id, u64::MAX).await.unwrap().unwrap();
    assert!(kept.as_ref() == bytes.as_slice());
    assert_eq!(seen(operator(&["operator.admin"])).await, media);
    assert_eq!(
        seen(operator(&["operator.read"])).await,
        [],
        "it is nobody else's"
    );

    let named = bench.stores.media.forget_unnamed(Timestamp::MAX).await.unwrap();
    assert_eq!(named, [], "kept as long as the invocation is remembered");
    bench
        .stores
        .nodes
        .forget_invocations(Timestamp::MAX, Timestamp::MAX)
        .await
        .unwrap();
    assert_eq!(
        bench.stores.media.forget_unnamed(Timestamp::MAX).await.unwrap(),
        [id]
    );
}

#[tokio::test]
async fn every_invocation_is_counted_once_by_its_end_whoever_ended_it() {
    let bench = Bench::new("{}").await;
    bench.serve_devices().await;
    let mut node = bench.approved("a", "c1", &["system.which"]).await;

    let done = bench.invoke(wish("a", "system.which", "done"), writer());
    let asked: NodeInvokeRequestEvent = node.next().await;
    let runs = bench.figures().await;
    assert!(runs.contains("gatehouse_nodes_connected 1\n"), "{runs}");
    assert!(runs.contains("gatehouse_node_invocations_running 1\n"), "{runs}");
    node.report(&bench, &asked.id, "1").await.unwrap();
    done.await.unwrap().unwrap();
    let removed = bench.invoke(wish("a", "system.which", "removed"), writer());
    let _: NodeInvokeRequestEvent = node.next().await;
    bench.remove("a").await.unwrap();
    removed.await.unwrap().unwrap_err();

    let figures = bench.figures().await;
    for line in [
        "gatehouse_node_invocations_total{outcome=\"ok\"} 1",
        "gatehouse_node_invocations_total{outcome=\"lost\"} 1",
        "gatehouse_node_invocations_total{outcome=\"error\"} 0",
        "gatehouse_node_invocation_seconds_count{outcome=\"ok\"} 1",
        "gatehouse_nodes_connected 0",
        "gatehouse_node_invocations_running 0",
    ] {
        assert!(figures.lines().any(|found| found == line), "{line}: {figures}");
    }
}
