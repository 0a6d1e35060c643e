//! Who is told what was asked of a node, and what became of it.

use super::*;

fn user(id: &str, device: Option<&str>) -> Caller {
    Caller {
        user_id: Some(id.to_owned()),
        device_id: device.map(str::to_owned),
        ..writer()
    }
}

/// The node answers what it is asked next.
async fn answer(bench: &Bench, node: &mut Node, payload: &str) -> String {
    let asked: NodeInvokeRequestEvent = node.next().await;
    node.report(bench, &asked.id, payload).await.unwrap();
    asked.id
}

#[tokio::test]
async fn a_key_that_somebody_has_used_is_free_for_others_and_no_way_to_the_result() {
    let bench = Bench::new("{}").await;
    let mut node = bench.approved("a", "c1", &["system.which"]).await;
    let invoked = bench.invoke(wish("a", "system.which", "k"), user("anna", None));
    answer(&bench, &mut node, r#""hers""#).await;
    invoked.await.unwrap().unwrap();

    let others = [
        user("bert", None),
        user("anna", Some("telephone")),
        writer(),
        Caller {
            client_id: "page".into(),
            ..operator(&["operator.admin"])
        },
    ];
    for other in others {
        let invoked = bench.invoke(wish("a", "system.which", "k"), other);
        answer(&bench, &mut node, r#""theirs""#).await;
        let told = invoked.await.unwrap().unwrap();
        assert_eq!(told.payload.as_deref(), Some(r#""theirs""#));
    }
    let again = bench.invoke(wish("a", "system.which", "k"), user("anna", None));
    assert_eq!(
        again.await.unwrap().unwrap().payload.as_deref(),
        Some(r#""hers""#)
    );

    let under_way = bench.invoke(wish("a", "system.which", "k2"), user("anna", None));
    let asked: NodeInvokeRequestEvent = node.next().await;
    let beside = bench.invoke(wish("a", "system.which", "k2"), user("bert", None));
    let other = answer(&bench, &mut node, "2").await;
    assert_ne!(other, asked.id, "nor while it is under way");
    assert_eq!(beside.await.unwrap().unwrap().payload.as_deref(), Some("2"));
    node.report(&bench, &asked.id, "1").await.unwrap();
    assert_eq!(under_way.await.unwrap().unwrap().payload.as_deref(), Some("1"));
    let other = InvokeNodeRequest {
        params: Some("{}".into()),
        ..wish("a", "system.which", "k2")
    };
    let conflict = bench.invoke(other, user("anna", None)).await.unwrap();
    assert_eq!(
        conflict.unwrap_err().kind,
        Kind::Conflict,
        "her own key, for something else"
    );
}

#[tokio::test]
async fn a_repeat_is_told_the_id_of_the_invocation_that_was_begun_first() {
    let bench = Bench::new("{}").await;
    let mut node = bench.approved("a", "c1", &["system.which"]).await;
    let invoked = bench.invoke(wish("a", "system.which", "k"), writer());
    let id = answer(&bench, &mut node, "1").await;
    assert_eq!(invoked.await.unwrap().unwrap().invocation_id, id);
    let repeat = async || {
        let repeat = bench.invoke(wish("a", "system.which", "k"), writer());
        repeat.await.unwrap().unwrap().invocation_id
    };

    assert_eq!(repeat().await, id, "after its end");
    drop(node);
    crate::testing::until("the node to be gone", async || {
        bench.nodes.0.registry.see(&NodeId::new("a")).is_none()
    })
    .await;
    assert_eq!(repeat().await, id, "while the node is away");
    let queued = || InvokeNodeRequest {
        queue_ttl_ms: Some(60_000),
        ..wish("a", "system.which", "later")
    };
    let first = bench.invoke(queued(), writer()).await.unwrap().unwrap();
    let again = bench.invoke(queued(), writer()).await.unwrap().unwrap();
    assert_eq!(
        (again.queued, &again.invocation_id),
        (Some(true), &first.invocation_id)
    );
}

#[tokio::test]
async fn what_was_asked_of_a_node_is_listed_whole_to_who_asked_and_to_administrators_alone() {
    let bench = Bench::new("{}").await;
    let mut node = bench.approved("a", "c1", &["system.which"]).await;
    for asker in [
        user("anna", None),
        Caller {
            device_id: Some("laptop".into()),
            ..writer()
        },
    ] {
        let key = format!("key-of-{}", asker.user_id.as_deref().unwrap_or("laptop"));
        let invoked = bench.invoke(wish("a", "system.which", &key), asker);
        let asked: NodeInvokeRequestEvent = node.next().await;
        let failed = ReportInvokeResultRequest {
            id: asked.id,
            node_id: "a".into(),
            error: Some(InvokeError {
                code: Some("BROKEN".into()),
                message: Some("what it said".into()),
            }),
            ..ReportInvokeResultRequest::default()
        };
        failure(bench.grpc.report_invoke_result(by(failed, &node.caller())).await).unwrap();
        invoked.await.unwrap().unwrap_err();
    }
    let listed = async |caller: Caller| {
        let listed = bench
            .grpc
            .list_invocations(by(ListInvocationsRequest::default(), &caller));
        let mut listed = listed.await.unwrap().into_inner().invocations;
        listed.reverse();
        listed
            .into_iter()
            .map(|one| {
                assert_eq!(
                    (one.error_code.as_deref(), one.error_message.is_some()),
                    (Some("BROKEN"), !one.idempotency_key.is_empty())
                );
                one.idempotency_key
            })
            .collect::<Vec<_>>()
    };

    let (hers, laptops) = ("key-of-anna", "key-of-laptop");
    assert_eq!(listed(operator(&["operator.admin"])).await, [hers, laptops]);
    assert_eq!(listed(user("anna", Some("her telephone"))).await, [hers, ""]);
    assert_eq!(listed(user("bert", None)).await, ["", ""]);
    assert_eq!(
        listed(user("bert", Some("laptop"))).await,
        ["", ""],
        "another's now"
    );
    let laptop = Caller {
        device_id: Some("laptop".into()),
        ..operator(&["operator.read"])
    };
    assert_eq!(listed(laptop).await, ["", laptops]);
    assert_eq!(listed(operator(&["operator.read"])).await, ["", ""]);
}

#[tokio::test]
async fn pairing_of_a_node_is_told_as_about_that_node_and_shown_to_who_decides_about_it() {
    let mut bench = Bench::new("{}").await;
    let _node = bench.attach("a", "c1", &["system.which"]).await;
    let told = loop {
        let event = within("the request", bench.events.recv()).await.unwrap();
        if event.r#type == NodePairRequestedEvent::full_name() {
            break event;
        }
    };
    assert_eq!(told.device_id.as_deref(), Some("a"));

    let shown = async |device: Option<&str>, scope: &str| {
        let caller = Caller {
            device_id: device.map(str::to_owned),
            ..operator(&["operator.read", scope])
        };
        let listed = failure(bench.grpc.list_nodes(by(ListNodesRequest {}, &caller)).await);
        listed.unwrap().nodes[0].pending_request_id.is_some()
    };
    assert!(shown(None, "operator.pairing").await && shown(Some("a"), "operator.pairing").await);
    assert!(shown(Some("b"), "operator.admin").await);
    assert!(
        !shown(Some("b"), "operator.pairing").await,
        "it manages itself alone"
    );
}
