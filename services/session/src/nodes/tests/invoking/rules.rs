//! What stands between a caller and a node.

use super::*;

#[tokio::test]
async fn rules_and_claims_stand_between_a_caller_and_a_node() {
    let config = r#"{"gateway":{"nodes":{"commands":{"allow":["camera.snap"],"deny":["system.notify"]}}}}"#;
    let bench = Bench::new(config).await;
    let commands = [
        "system.run",
        "system.notify",
        "camera.snap",
        "camera.clip",
        "fs.listDir",
        "x.y",
    ];
    let mut node = bench.approved("a", "c1", &commands).await;
    let refused = async |command: &str, params: &str| {
        let request = InvokeNodeRequest {
            params: Some(params.to_owned()),
            ..wish("a", command, &format!("{command}{params}"))
        };
        bench.invoke(request, writer()).await.unwrap().unwrap_err()
    };

    for (command, words) in [
        ("system.notify", "blocked by gateway.nodes.commands.deny"),
        ("camera.clip", "requires explicit gateway.nodes.commands.allow"),
        ("x.y", "not in the allowlist for platform \"linux\""),
        ("camera.list", "does not support"),
        ("system.execApprovals.set", "method of its own"),
        ("worker.launch.v1", "method of its own"),
    ] {
        let refusal = refused(command, "{}").await;
        assert!(refusal.message.contains(words), "{command}: {}", refusal.message);
        assert_eq!(refusal.kind, Kind::Invalid);
    }
    assert_eq!(
        refused("fs.listDir", "{}").await.message,
        "missing scope: operator.admin"
    );
    for claim in [
        r#"{"approved":true}"#,
        r#"{"approvalDecision":"allow-always"}"#,
        r#"{"approved":true,"timeoutMs":1e400}"#,
        r#"{"command":["\ud800"],"\u0061pproved":1e400}"#,
    ] {
        let refusal = refused("system.run", claim).await;
        assert_eq!(detail(&refusal, "code"), Some("APPROVALS_UNAVAILABLE"), "{claim}");
    }
    for unread in [r#"{"\ud800":1,"approved":true}"#, r#"[{"approved":true}]"#, "7"] {
        let refusal = refused("system.run", unread).await;
        assert!(
            refusal.message.contains("names can be read"),
            "{unread}: {}",
            refusal.message
        );
    }
    assert!(node.frames.try_recv().is_err(), "the node has heard of none");

    let allowed = bench.invoke(wish("a", "camera.snap", "snap"), writer());
    assert_eq!(node.next::<NodeInvokeRequestEvent>().await.command, "camera.snap");
    allowed.abort();
}

#[tokio::test]
async fn a_telephone_in_the_background_fetches_what_waits_for_it() {
    let config = r#"{"gateway":{"nodes":{"commands":{"allow":["camera.snap"]}}}}"#;
    let bench = Bench::new(config).await;
    let mut node = bench.attach_as("a", "c1", "ios", &["camera.snap"]).await;
    let request = bench
        .stores
        .nodes
        .node(&NodeId::new("a"))
        .await
        .unwrap()
        .unwrap()
        .request
        .unwrap();
    bench
        .approve(&request.id, &operator(&["operator.admin"]))
        .await
        .unwrap();
    node.next::<NodePairResolvedEvent>().await;

    let request = InvokeNodeRequest {
        params: Some(r#"{"facing":"back"}"#.into()),
        ..wish("a", "camera.snap", "k")
    };
    let invoked = bench.invoke(request, writer());
    let asked: NodeInvokeRequestEvent = node.next().await;
    let report = ReportInvokeResultRequest {
        id: asked.id.clone(),
        node_id: "a".into(),
        ok: false,
        error: Some(InvokeError {
            code: Some("NODE_BACKGROUND_UNAVAILABLE".into()),
            message: None,
        }),
        ..ReportInvokeResultRequest::default()
    };
    failure(bench.grpc.report_invoke_result(by(report, &node.caller())).await).unwrap();
    let told = invoked.await.unwrap().unwrap_err();
    assert_eq!(detail(&told, "code"), Some("QUEUED_UNTIL_FOREGROUND"));
    assert_eq!(detail(&told, "queuedActionId"), Some(asked.id.as_str()));

    let pull = by(PullPendingActionsRequest {}, &node.caller());
    let pulled = failure(bench.grpc.pull_pending_actions(pull).await).unwrap();
    let action = pulled.actions.first().unwrap();
    assert_eq!(
        (action.command.as_str(), action.params_json.as_deref()),
        ("camera.snap", Some(r#"{"facing":"back"}"#))
    );
    let ack = AckPendingActionsRequest {
        ids: vec![action.id.clone(), "other".into()],
    };
    let acked = failure(bench.grpc.ack_pending_actions(by(ack, &node.caller())).await).unwrap();
    assert_eq!((acked.acked_ids, acked.remaining_count), (vec![asked.id], 0));
    assert_eq!(bench.state("k").await, InvocationState::Ok);
}

#[tokio::test]
async fn what_a_node_says_meanwhile_goes_to_the_connection_that_asked_for_it_in_order() {
    let mut bench = Bench::new("{}").await;
    let mut node = bench.approved("a", "c1", &["system.run"]).await;
    let request = InvokeNodeRequest {
        progress: Some(true),
        ..wish("a", "system.run", "k")
    };
    let invoked = bench.invoke(request, writer());
    let asked: NodeInvokeRequestEvent = node.next().await;
    let say = async |seq: i64, chunk: &str| {
        let request = ReportInvokeProgressRequest {
            invoke_id: asked.id.clone(),
            node_id: "a".into(),
            seq,
            chunk: chunk.into(),
        };
        let said = bench
            .grpc
            .report_invoke_progress(by(request, &node.caller()))
            .await;
        failure(said).unwrap().ignored
    };

    assert!(!say(0, "a").await);
    assert!(say(0, "again").await && say(2, "a hole").await);
    assert!(!say(1, "b").await);
    node.report(&bench, &asked.id, "1").await.unwrap();
    assert!(say(2, "too late").await);
    invoked.await.unwrap().unwrap();

    for chunk in ["a", "b"] {
        assert_eq!(bench.told::<NodeInvokeProgressEvent>().await.chunk, chunk);
    }
}
