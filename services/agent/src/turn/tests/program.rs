//! What a program brings reaches the model, and what the model calls comes back.

use gatehouse_proto::agent::v1::{Program, ToolCallDelta};

use super::requests::{bodies, server};
use super::*;

const LS: &str = r#"[{"type":"function","function":{"name":"ls","parameters":{"type":"object"}}}]"#;

fn asks(tools: Option<&str>, parameters: &str) -> RunTurnRequest {
    RunTurnRequest {
        program: Some(Program {
            tools: tools.map(str::to_owned),
            parameters: Some(parameters.to_owned()),
            ..Program::default()
        }),
        ..request(&["p/m"])
    }
}

fn body(chunks: &[serde_json::Value]) -> ResponseTemplate {
    let chunks = chunks.iter().map(|chunk| format!("data: {chunk}\n\n"));
    let end = "data: [DONE]\n\n".to_owned();
    ResponseTemplate::new(200).set_body_raw(chunks.chain([end]).collect::<String>(), "text/event-stream")
}

fn calls(events: &[Event]) -> Vec<ToolCallDelta> {
    let calls = events.iter().filter_map(|event| match event {
        Event::ToolCallDelta(call) => Some(call.clone()),
        _ => None,
    });
    calls.collect()
}

#[tokio::test]
async fn tools_and_parameters_go_to_the_model_as_they_came() {
    let server = server(stream(&["Hi"])).await;
    let parameters = r#"{"temperature":0.1,"tool_choice":"required","max_completion_tokens":7,"model":"other","stop":["x"]}"#;

    let events = turn(asks(Some(LS), parameters), config(&server.uri()), tools()).await;

    assert_eq!(text(&events), "Hi");
    let sent = bodies(&server).await.remove(0);
    assert_eq!(
        sent["tools"],
        serde_json::from_str::<serde_json::Value>(LS).unwrap()
    );
    assert_eq!(
        (
            &sent["temperature"],
            &sent["tool_choice"],
            &sent["max_tokens"],
            &sent["model"],
            &sent["stop"]
        ),
        (
            &json!(0.1),
            &json!("required"),
            &json!(7),
            &json!("m"),
            &json!(["x"])
        )
    );
}

#[tokio::test]
async fn calls_that_come_in_pieces_and_side_by_side_are_told_piece_by_piece_and_whole() {
    let call =
        |value: serde_json::Value| json!({"choices": [{"index": 0, "delta": {"tool_calls": [value]}}]});
    let chunks = [
        call(
            json!({"index": 0, "id": "c1", "type": "function", "function": {"name": "ls", "arguments": ""}}),
        ),
        call(json!({"index": 0, "function": {"arguments": "{\"a\""}})),
        call(json!({"index": 1, "id": "c2", "function": {"name": "ls", "arguments": "{}"}})),
        call(json!({"index": 0, "function": {"arguments": ":1}"}})),
        json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}),
    ];
    let server = server(body(&chunks)).await;

    let events = turn(asks(Some(LS), "{}"), config(&server.uri()), tools()).await;

    let told = calls(&events);
    assert_eq!(told.len(), 4, "each as it came: {told:?}");
    let whole = |index: u32| {
        let pieces = told.iter().filter(|call| call.index == index);
        pieces.map(|call| call.arguments.as_str()).collect::<String>()
    };
    assert_eq!((whole(0).as_str(), whole(1).as_str()), ("{\"a\":1}", "{}"));
    let Some(Event::Completed(done)) = events.last() else {
        panic!("{events:?}")
    };
    assert_eq!(done.stop_reason, "tool_calls");
    let content = gatehouse_core::Content::try_from(done.content.clone().unwrap()).unwrap();
    let ids: Vec<_> = content
        .calls()
        .map(|call| (call.id.as_str(), call.arguments.get()))
        .collect();
    assert_eq!(ids, [("c1", "{\"a\":1}"), ("c2", "{}")]);
}

#[tokio::test]
async fn servers_that_number_no_calls_and_give_no_ids_are_read_all_the_same() {
    let both = json!({"choices": [{"delta": {"tool_calls": [
        {"function": {"name": "ls", "arguments": {"n": 1}}}, {"function": {"name": "ls", "arguments": {"n": 2}}},
    ]}, "finish_reason": "stop"}]});
    let server = server(body(&[both])).await;

    let events = turn(asks(Some(LS), "{}"), config(&server.uri()), tools()).await;

    let told = calls(&events);
    let ids: Vec<_> = told
        .iter()
        .map(|call| (call.id.as_deref(), call.arguments.as_str()))
        .collect();
    assert_eq!(
        ids,
        [(Some("call_1"), "{\"n\":1}"), (Some("call_2"), "{\"n\":2}")]
    );
}

#[tokio::test]
async fn a_call_that_nobody_offered_a_tool_for_is_no_answer() {
    let chunk = json!({"choices": [{"delta": {"tool_calls": [{"id": "c", "function": {"name": "rm", "arguments": "{}"}}]}, "finish_reason": "tool_calls"}]});
    let server = server(body(&[chunk])).await;

    let events = turn(asks(None, "{}"), config(&server.uri()), tools()).await;

    assert_eq!(calls(&events), []);
    assert!(failed(&events).message.contains("nobody offered"), "{events:?}");
}

#[tokio::test]
async fn a_program_reads_each_event_by_itself_and_a_person_what_comes_together() {
    let words = &["a", "b", "c"];
    let server = server(stream(words)).await;
    let pieces = |events: &[Event]| {
        let texts = events.iter().filter(|event| matches!(event, Event::TextDelta(_)));
        texts.count()
    };

    let program = turn(asks(None, "{}"), config(&server.uri()), tools()).await;
    let person = turn(request(&["p/m"]), config(&server.uri()), tools()).await;

    assert_eq!((text(&program), text(&person)), ("abc".into(), "abc".into()));
    assert_eq!(pieces(&program), words.len());
    assert!(pieces(&person) < words.len());
}
