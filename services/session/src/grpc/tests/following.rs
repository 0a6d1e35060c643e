//! Who is told what of a run: tools in detail, how far a message is, what is done with a conversation, the list of tasks.

use gatehouse_core::Caller;
use gatehouse_proto::agent::v1::turn_message::Role as Speaker;
use gatehouse_proto::agent::v1::{ModelStarted, run_turn_response::Event};

use super::*;
use crate::testing::{Aside, Seen};

const CALL: &str = r#"[{"type":"toolCall","id":"c","name":"ls","arguments":{"path":"."},"repeatable":true}]"#;
const RESULT: &str = r#"[{"type":"toolResult","toolCallId":"c","toolName":"ls","content":[{"type":"text","text":"empty"}],"isError":false}]"#;

fn by(
    connection: &str,
    client: &str,
    capabilities: &[&str],
    request: Request<SendChatRequest>,
) -> Request<SendChatRequest> {
    let caller = Caller {
        role: "operator".to_owned(),
        scopes: vec!["operator.write".to_owned()],
        connection_id: connection.to_owned(),
        client_id: client.to_owned(),
        capabilities: capabilities.iter().map(|word| (*word).to_owned()).collect(),
        connected_at: Some(1),
        ..Caller::default()
    };
    let mut request = request;
    caller.attach(request.metadata_mut());
    request
}

/// What was sent under this label, and to whom: the connection alone, or those that it is not for.
fn sent(running: &Running, label: &str) -> Vec<(Option<String>, Vec<String>)> {
    let seen = running.seen.iter().zip(&running.sent_to);
    let wanted = seen.filter(|(seen, _)| seen.label() == label);
    wanted.map(|(_, sent)| sent.clone()).collect()
}

#[tokio::test]
async fn what_a_tool_does_is_told_in_detail_to_who_began_or_joined_the_run_and_as_a_line_of_the_session_to_all_others()
 {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&running);
    let tools = &["tool-events"][..];
    grpc.send_chat(by("c1", "cli", tools, said("main", "r1", "look")))
        .await
        .unwrap();
    let call = bench.call().await;
    // One that does not take tools, and one that joins the run by saying something in its session.
    grpc.send_chat(by("c2", "cli", &[], said("main", "r2", "and")))
        .await
        .unwrap();
    grpc.send_chat(by("c3", "cli", tools, said("main", "r3", "and")))
        .await
        .unwrap();
    grpc.send_chat(by("c4", "cli", tools, said("other", "r4", "hi")))
        .await
        .unwrap();

    call.entry(Speaker::Assistant, CALL).await;
    call.entry(Speaker::Tool, RESULT).await;
    running
        .see("the end of the tool", |seen| seen.label() == "agent item end")
        .await;

    let told = |connection: &str| (Some(connection.to_owned()), Vec::new());
    for phase in ["start", "result"] {
        assert_eq!(
            sent(&running, &format!("agent tool {phase}")),
            [told("c1"), told("c3")],
            "{phase}"
        );
        assert_eq!(
            sent(&running, &format!("tool {phase}")),
            [(None, vec!["c1".to_owned(), "c3".to_owned()])],
            "{phase}"
        );
    }
    assert_eq!(sent(&running, "agent item start"), [(None, vec![])], "everybody");
    let labels = running.labels();
    let place = |label: &str| labels.iter().position(|seen| seen == label).unwrap();
    let order = [
        "agent item start",
        "agent tool start",
        "tool start",
        "agent tool result",
        "tool result",
        "agent item end",
    ];
    assert!(order.is_sorted_by_key(|label| place(label)), "{labels:#?}");
    let Some(Seen::Aside(aside)) = running.seen.get(place("tool result")) else {
        unreachable!()
    };
    let Aside::Tool(event) = &**aside else {
        unreachable!()
    };
    assert_eq!(
        (
            event.run_id.as_str(),
            event.stream.as_str(),
            event.session_key.as_str()
        ),
        ("r1", "tool", "agent:main:main")
    );
    assert_eq!(event.session.as_ref().unwrap().key, "agent:main:main");
}

#[tokio::test]
async fn the_screen_that_sent_a_message_alone_is_told_how_far_it_is() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&running);
    grpc.send_chat(by("c0", "cli", &["tool-events"], said("main", "r0", "hi")))
        .await
        .unwrap();
    bench.call().await.done().await;
    running.end_of("r0").await;
    assert!(
        running.labels().iter().all(|label| !label.starts_with("timing")),
        "no screen"
    );

    grpc.send_chat(by("c1", "openclaw-control-ui", &[], said("main", "r1", "hi")))
        .await
        .unwrap();
    let call = bench.call().await;
    let model = ModelStarted {
        provider: "p".to_owned(),
        model: "m".to_owned(),
    };
    call.event(Event::ModelStarted(model)).await;
    call.text("one").await;
    running.sees_text("one").await;
    call.done().await;
    running
        .see("the last of it", |seen| {
            seen.label() == "timing dispatch-completed"
        })
        .await;

    let timings: Vec<_> = running.seen.iter().zip(&running.sent_to).collect();
    let timings: Vec<_> = timings
        .into_iter()
        .filter_map(|(seen, sent)| match seen {
            Seen::Aside(aside) => match &**aside {
                Aside::Timing(event) => Some((event, sent)),
                Aside::Tool(_) | Aside::Operation(_) => None,
            },
            Seen::Chat(..) | Seen::Agent(..) | Seen::Row(_) | Seen::Changed(_) => None,
        })
        .collect();
    let phases: Vec<_> = timings.iter().map(|(event, _)| event.phase.as_str()).collect();
    assert_eq!(
        phases,
        [
            "dispatch-started",
            "agent-run-started",
            "model-selected",
            "first-assistant-event",
            "dispatch-completed"
        ]
    );
    for (event, (connection, _)) in &timings {
        assert_eq!((connection.as_deref(), event.run_id.as_str()), (Some("c1"), "r1"));
        assert!(event.received_to_phase_ms >= event.ack_to_phase_ms, "{event:?}");
    }
    assert!(timings.is_sorted_by(|(a, _), (b, _)| a.received_to_phase_ms <= b.received_to_phase_ms));
    assert_eq!(
        (timings[2].0.provider.as_deref(), timings[2].0.model.as_deref()),
        (Some("p"), Some("m"))
    );
}

#[tokio::test]
async fn a_compaction_is_told_from_its_begin_to_its_end_whichever_that_is() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&running);
    grpc.send_chat(said("main", "r1", "one")).await.unwrap();
    let call = bench.call().await;
    call.text("two").await;
    call.done().await;
    running.end_of("r1").await;

    for (run, summary) in [("r2", None), ("r3", Some("in short"))] {
        grpc.send_chat(said("main", run, "/compact")).await.unwrap();
        let call = bench.call().await;
        running
            .see("the begin", |seen| seen.label() == "operation start")
            .await;
        if let Some(text) = summary {
            call.text(text).await;
        }
        call.done().await;
        let end = running
            .see("the end", |seen| seen.label() == "operation end")
            .await;

        let Seen::Aside(aside) = end else { unreachable!() };
        let Aside::Operation(event) = *aside else {
            unreachable!()
        };
        assert_eq!(
            (event.operation.as_str(), event.operation_id.as_str()),
            ("compact", run)
        );
        assert_eq!(
            (event.completed, event.reason.is_some()),
            (Some(summary.is_some()), summary.is_none())
        );
        running.end_of(run).await;
    }
}

#[tokio::test]
async fn the_list_of_tasks_goes_with_runs_that_wait_begin_and_end() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&running);
    grpc.send_chat(said("main", "r1", "one")).await.unwrap();
    let call = bench.call().await;
    let mut later = said("main", "r2", "two").into_inner();
    later.queue_mode = Some("followup".to_owned());
    grpc.send_chat(Request::new(later)).await.unwrap();
    call.done().await;
    running.end_of("r1").await;
    let call = bench.call().await;
    call.fail(gatehouse_proto::agent::v1::FailureKind::RateLimit, "slow down")
        .await;
    running.end_of("r2").await;
    // What is said of a task comes behind the end of its run, and before whatever follows.
    grpc.send_chat(said("main", "r3", "three")).await.unwrap();
    running
        .see("the next", |seen| seen.label() == "changed send")
        .await;

    let of = |run: &str| -> Vec<&str> {
        let tasks = running.tasks.iter().filter_map(|event| event.task.as_ref());
        tasks
            .filter(|task| task.run_id == run)
            .map(|task| task.status.as_str())
            .collect()
    };
    assert_eq!(of("r1"), ["running", "completed"]);
    assert_eq!(of("r2"), ["queued", "running", "failed"]);
}
