mod connections;

use super::*;

#[tokio::test]
async fn a_new_node_waits_for_approval_and_programs_need_an_administrator() {
    let mut bench = Bench::new("{}").await;
    let mut node = bench.attach("a", "c1", &["system.run", "system.which"]).await;
    let asked: NodePairRequestedEvent = bench.told().await;
    assert_eq!((asked.node_id.as_str(), asked.commands.len()), ("a", 2));
    assert_eq!(
        asked.required_approve_scopes,
        ["operator.pairing", "operator.admin"]
    );

    let early = bench
        .invoke(wish("a", "system.which", "k"), operator(&["operator.write"]))
        .await
        .unwrap()
        .unwrap_err();
    assert!(early.message.contains("pending approval"), "{}", early.message);
    let weak = bench
        .approve(
            &asked.request_id,
            &operator(&["operator.pairing", "operator.write"]),
        )
        .await
        .unwrap_err();
    assert_eq!(
        (weak.kind, weak.message.as_str(), detail(&weak, "code")),
        (
            Kind::Forbidden,
            "missing scope: operator.admin",
            Some("MISSING_SCOPE")
        )
    );

    let granted = bench
        .approve(&asked.request_id, &operator(&["operator.admin"]))
        .await
        .unwrap();

    assert_eq!(granted.node.unwrap().commands, ["system.run", "system.which"]);
    let told: NodePairResolvedEvent = node.next().await;
    assert_eq!(
        (told.decision(), told.request_id.as_str()),
        (Decision::Approved, asked.request_id.as_str())
    );
    let resolved: NodePairResolvedEvent = bench.told().await;
    assert_eq!(resolved.node_id, "a");
    let unknown = bench
        .approve(&asked.request_id, &operator(&["operator.admin"]))
        .await;
    assert_eq!(unknown.unwrap_err().message, "unknown requestId");
}

#[tokio::test]
async fn what_waits_for_an_answer_is_shown_to_who_may_give_it() {
    let bench = Bench::new("{}").await;
    let _node = bench.attach("a", "c1", &["system.run", "camera.snap"]).await;
    let describe = async |scopes: &[&str]| {
        let request = DescribeNodeRequest { node_id: "a".into() };
        let answer = bench.grpc.describe_node(by(request, &operator(scopes))).await;
        failure(answer).unwrap().node.unwrap()
    };

    let reader = describe(&["operator.read"]).await;
    let pairer = describe(&["operator.pairing"]).await;

    assert_eq!(reader.approval_state(), ApprovalState::PendingApproval);
    assert!(reader.connected && reader.commands.is_empty());
    assert!(reader.pending_request_id.is_none() && reader.pending_declared_commands.is_empty());
    assert_eq!(pairer.pending_declared_commands, ["camera.snap", "system.run"]);
    bench
        .approve(
            &pairer.pending_request_id.unwrap(),
            &operator(&["operator.admin"]),
        )
        .await
        .unwrap();
    let approved = describe(&["operator.read"]).await;
    assert_eq!(approved.approval_state(), ApprovalState::Approved);
    assert_eq!(
        approved.commands,
        ["system.run"],
        "what is dangerous is allowed by name only"
    );
}

#[tokio::test]
async fn a_paired_device_that_is_no_administrator_decides_about_itself_alone() {
    let bench = Bench::new("{}").await;
    let _node = bench.attach("a", "c1", &[]).await;
    let request = bench
        .stores
        .nodes
        .node(&NodeId::new("a"))
        .await
        .unwrap()
        .unwrap()
        .request
        .unwrap();
    let device = |id: &str| Caller {
        device_id: Some(id.to_owned()),
        ..operator(&["operator.pairing"])
    };

    let other = bench.approve(&request.id, &device("b")).await.unwrap_err();
    assert_eq!(other.kind, Kind::Forbidden);
    let rename = |name: &str| RenameNodeRequest {
        node_id: "a".into(),
        display_name: name.into(),
    };
    let renamed = bench.grpc.rename_node(by(rename("x"), &device("b"))).await;
    assert_eq!(failure(renamed).unwrap_err().kind, Kind::Forbidden);
    let listed = bench
        .grpc
        .list_node_pairings(by(ListNodePairingsRequest {}, &device("b")))
        .await;
    assert_eq!(failure(listed).unwrap().pending.len(), 0);

    bench.approve(&request.id, &device("a")).await.unwrap();
    let renamed = bench
        .grpc
        .rename_node(by(rename(" kitchen "), &device("a")))
        .await;
    assert_eq!(failure(renamed).unwrap().display_name, "kitchen");
    let bad = bench.grpc.rename_node(by(rename("a\x1b[2J"), &device("a"))).await;
    assert_eq!(failure(bad).unwrap_err().kind, Kind::Invalid);
}

#[tokio::test]
async fn a_removed_node_is_told_let_go_and_has_nothing_when_it_comes_again() {
    let mut bench = Bench::new("{}").await;
    let mut node = bench.approved("a", "c1", &["system.which"]).await;

    bench.serve_devices().await;
    for (device, role) in [("a", "node"), ("a", "operator"), ("b", "node")] {
        bench.devices.pair(device, role);
    }

    bench.remove("a").await.unwrap();

    let left = [("a", "operator"), ("b", "node")].map(|(device, role)| (device.into(), role.into()));
    assert_eq!(bench.devices.roles(), left, "it may not connect as a node again");
    assert_eq!(
        node.next::<NodePairResolvedEvent>().await.decision(),
        Decision::Removed
    );
    let end = within("the end", node.frames.recv()).await.unwrap().unwrap_err();
    assert_eq!(end.code(), tonic::Code::Aborted);
    let _again = bench.attach("a", "c2", &["system.which"]).await;
    let asked: NodePairRequestedEvent = bench.told().await;
    assert_eq!(asked.commands, ["system.which"]);
    let early = bench
        .invoke(wish("a", "system.which", "k"), operator(&["operator.write"]))
        .await;
    assert!(early.unwrap().unwrap_err().message.contains("pending approval"));
}

#[tokio::test]
async fn while_devices_cannot_be_unpaired_no_node_is_removed_and_a_repeat_removes_it() {
    let bench = Bench::new("{}").await;
    let mut node = bench.approved("a", "c1", &["system.which"]).await;
    bench.devices.pair("a", "node");

    let refused = bench.remove("a").await.unwrap_err();

    assert_eq!(
        (refused.kind, refused.reason.as_deref()),
        (Kind::Unavailable, Some("config-away"))
    );
    assert!(refused.message.contains("try again"), "{}", refused.message);
    let known = bench.stores.nodes.node(&NodeId::new("a")).await.unwrap();
    assert!(known.unwrap().granted.is_some() && node.frames.try_recv().is_err());
    bench.serve_devices().await;
    crate::testing::until("the config service", async || bench.remove("a").await.is_ok()).await;
    assert!(bench.devices.roles().is_empty());
    assert_eq!(bench.remove("a").await.unwrap_err().message, "unknown nodeId");
}

#[tokio::test]
async fn a_device_that_was_unpaired_is_forgotten_without_unpairing_it_again() {
    let bench = Bench::new("{}").await;
    bench.serve_devices().await;
    let mut node = bench.approved("a", "c1", &["system.which"]).await;

    let forget = ForgetNodeRequest { node_id: "a".into() };
    failure(bench.grpc.forget_node(Request::new(forget)).await).unwrap();

    assert_eq!(
        node.next::<NodePairResolvedEvent>().await.decision(),
        Decision::Removed
    );
    assert_eq!(bench.devices.asked(), 0);
}
