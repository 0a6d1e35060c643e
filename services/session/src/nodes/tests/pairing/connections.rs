//! Which connection of a node is heard, and what it says of itself.

use super::*;

#[tokio::test]
async fn a_newer_connection_takes_the_place_of_an_older_one() {
    let bench = Bench::new("{}").await;
    let mut older = bench.approved("a", "c1", &["system.which"]).await;
    let mut newer = bench.approved("a", "c2", &["system.which"]).await;

    let end = within("the end", older.frames.recv()).await.unwrap().unwrap_err();
    assert!(end.message().contains("taken its place"), "{}", end.message());
    drop(older);

    let invoked = bench.invoke(wish("a", "system.which", "k"), operator(&["operator.write"]));
    let asked: NodeInvokeRequestEvent = newer.next().await;
    newer.report(&bench, &asked.id, "1").await.unwrap();
    assert_eq!(invoked.await.unwrap().unwrap().payload.as_deref(), Some("1"));
}

#[tokio::test]
async fn what_a_node_says_of_itself_is_kept_and_shown() {
    let mut bench = Bench::new("{}").await;
    let node = bench.approved("a", "c1", &["system.which"]).await;
    let event = async |event: &str, payload: &str| {
        let request = ReportNodeEventRequest {
            event: event.into(),
            payload: None,
            payload_json: Some(payload.into()),
        };
        failure(bench.grpc.report_node_event(by(request, &node.caller())).await).unwrap()
    };

    let stats = event(
        "node.host.stats",
        r#"{"cpuCount":2,"loadAverage":[4.62,4.75,4.03],"memoryTotalBytes":25}"#,
    )
    .await;
    assert!(stats.handled);
    let alive = event("node.presence.alive", r#"{"trigger":"silent_push"}"#).await;
    assert_eq!(
        (alive.handled, alive.reason.as_deref()),
        (true, Some("persisted"))
    );
    let idle = event("node.presence.activity", r#"{"idleSeconds":3}"#).await;
    assert_eq!(idle.reason.as_deref(), Some("permission_required"));
    for (name, payload) in [
        ("node.host.stats", "[]"),
        ("node.presence.activity", "{}"),
        ("other", "{}"),
    ] {
        assert!(!event(name, payload).await.handled, "{name}");
    }
    let skill = |name: &str| NodeSkill {
        name: name.into(),
        description: "d".into(),
        content: "c".into(),
    };
    let request = UpdateNodeSkillsRequest {
        skills: vec![skill("b"), skill("a"), skill("a"), skill("Not good")],
    };
    let skills = failure(bench.grpc.update_node_skills(by(request, &node.caller())).await).unwrap();
    assert_eq!(
        skills
            .skills
            .iter()
            .map(|skill| skill.name.as_str())
            .collect::<Vec<_>>(),
        ["a", "b"]
    );
    let offered = bench.nodes.skills_offered();
    let names: Vec<_> = offered
        .iter()
        .map(|(node, skill)| (node.as_str(), skill.name.as_str()))
        .collect();
    assert_eq!(names, [("a", "a"), ("a", "b")], "pages list them");
    let tool = |name: &str, command: &str| PluginTool {
        plugin_id: "p".into(),
        name: name.into(),
        description: "d".into(),
        command: Some(command.into()),
        ..PluginTool::default()
    };
    let request = UpdatePluginToolsRequest {
        tools: vec![tool("mine", "system.which"), tool("not", "system.run")],
    };
    let tools = failure(bench.grpc.update_plugin_tools(by(request, &node.caller())).await).unwrap();
    assert_eq!(
        tools.tools.len(),
        1,
        "a tool whose command the node may not be asked for is none"
    );

    let told: NodeHostStatsEvent = bench.told().await;
    assert_eq!(told.host_stats.unwrap().cpu_count, Some(2));
    let listed = failure(bench.grpc.list_nodes(Request::new(ListNodesRequest {})).await).unwrap();
    let shown = listed.nodes.first().unwrap();
    assert_eq!(
        shown.host_stats.as_ref().unwrap().load_average,
        [4.62, 4.75, 4.03]
    );
    assert_eq!(
        (shown.last_seen_reason.as_deref(), shown.node_plugin_tools.len()),
        (Some("silent_push"), 1)
    );
}

#[tokio::test]
async fn a_node_that_is_gone_or_another_connection_of_it_is_not_heard() {
    let bench = Bench::new("{}").await;
    let node = bench.approved("a", "c1", &["system.which"]).await;
    let stranger = Caller {
        connection_id: "c9".into(),
        ..node.caller()
    };
    let request = ReportNodeEventRequest {
        event: "node.host.stats".into(),
        payload: Some("{}".into()),
        payload_json: None,
    };

    tokio::time::pause(); // no database is asked from here on
    let refused = failure(bench.grpc.report_node_event(by(request.clone(), &stranger)).await).unwrap_err();
    assert_eq!(refused.kind, Kind::Unavailable);
    let operator = failure(bench.grpc.report_node_event(by(request, &operator(&[]))).await).unwrap_err();
    assert_eq!(operator.kind, Kind::Unavailable);
}
