use futures::StreamExt;
use gatehouse_core::error::Failure;
use gatehouse_core::{Content, Kind};
use gatehouse_proto::agent::v1::run_turn_response::Event;
use gatehouse_proto::agent::v1::{Completed, FailureKind, TextWasThinking, ToolCallDelta, turn_message};
use gatehouse_proto::session::v1::{self as proto, StreamTurnRequest, StreamTurnResponse};

use super::*;
use crate::id::RunId;
use crate::store::TurnState;
use crate::testing::{Bench, Running, key, until, within};

mod anew;
mod unread;

fn asks(key: &str, message: &str) -> StreamTurnRequest {
    StreamTurnRequest {
        message: Some(message.to_owned()),
        idempotency_key: key.to_owned(),
        ..StreamTurnRequest::default()
    }
}

async fn begin(running: &Running, request: StreamTurnRequest) -> Result<StreamTurnStream, Kind> {
    let grpc = Grpc::new(running.engine.clone(), Drain::new());
    let answer = grpc.stream_turn(Request::new(request)).await;
    answer
        .map(Response::into_inner)
        .map_err(|status| Failure::from_status(&status).kind)
}

async fn next(stream: &mut StreamTurnStream) -> StreamTurnResponse {
    within("a piece", stream.next()).await.unwrap().unwrap()
}

/// Reads to the end: the texts one by one, the calls, and the end.
async fn rest(stream: &mut StreamTurnStream) -> (Vec<String>, Vec<proto::ToolCallPiece>, proto::EndedTurn) {
    let (mut texts, mut calls) = (Vec::new(), Vec::new());
    loop {
        let StreamTurnResponse {
            text, tool_call, end, ..
        } = next(stream).await;
        texts.extend(text);
        calls.extend(tool_call);
        if let Some(end) = end {
            assert!(stream.next().await.is_none(), "the end is the last");
            return (texts, calls, end);
        }
    }
}

async fn state_of(running: &Running, run: &str) -> Option<TurnState> {
    let turn = running
        .engine
        .stores()
        .turns
        .find(&RunId::new(run))
        .await
        .unwrap();
    turn.map(|turn| turn.state)
}

fn prior(role: &str, text: &str) -> proto::PriorMessage {
    proto::PriorMessage {
        role: role.to_owned(),
        text: Some(text.to_owned()),
        ..proto::PriorMessage::default()
    }
}

fn answered(call: &str, text: &str) -> proto::ToolResult {
    proto::ToolResult {
        call_id: call.to_owned(),
        name: None,
        text: text.to_owned(),
    }
}

#[tokio::test]
async fn a_program_reads_each_piece_by_itself_and_screens_see_the_same_turn() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let mut stream = begin(&running, asks("r1", "/status")).await.unwrap();
    let started = next(&mut stream).await.run.unwrap();
    assert!(
        started.session_key.starts_with("agent:main:openai:"),
        "{started:?}"
    );
    assert_eq!(
        (started.run_id.as_str(), started.agent_id.as_str()),
        ("r1", "main")
    );

    let call = bench.call().await;
    assert_eq!(call.texts(), ["/status"], "what a program says is no command");
    assert!(call.request.program.is_some());
    for word in ["a", "b", "c"] {
        call.text(word).await;
    }
    call.done().await;

    let (texts, calls, end) = rest(&mut stream).await;
    assert_eq!(
        (texts, calls),
        (vec!["a".to_owned(), "b".into(), "c".into()], vec![])
    );
    assert_eq!(
        (end.status.as_str(), end.stop_reason.as_deref()),
        ("ok", Some("stop"))
    );
    assert_eq!(end.usage.map(|usage| (usage.input, usage.output)), Some((1, 2)));
    let shown = running.end_of("r1").await;
    assert_eq!(shown.session_key, started.session_key);
}

#[tokio::test]
async fn a_program_is_told_when_what_it_read_was_thinking() {
    let mut bench = Bench::new().await;
    let running = bench.run("{}");
    let mut stream = begin(&running, asks("r1", "hello")).await.unwrap();
    let call = bench.call().await;
    call.text("They greet me.").await;
    call.event(Event::TextWasThinking(TextWasThinking {})).await;
    call.text("Hello").await;
    call.done().await;

    let mut told = Vec::new();
    loop {
        let StreamTurnResponse {
            text,
            text_was_thinking,
            end,
            ..
        } = next(&mut stream).await;
        told.extend(text);
        told.extend(text_was_thinking.map(|was| format!("was thinking: {was}")));
        if end.is_some() {
            break;
        }
    }

    assert_eq!(told, ["They greet me.", "was thinking: true", "Hello"]);
}

#[tokio::test]
async fn what_a_program_brings_reaches_the_model_and_is_the_beginning_of_a_new_transcript() {
    let mut bench = Bench::new().await;
    let running = bench.run("{}");
    let mut call_of_tool = prior("assistant", "");
    call_of_tool.tool_calls.push(proto::ToolCall {
        id: "c1".into(),
        name: "ls".into(),
        arguments: r#"{"path":"."}"#.into(),
    });
    let request = StreamTurnRequest {
        message: None,
        user: Some("Ann:1".into()),
        instructions: Some("be brief".into()),
        history: vec![prior("user", "what is here?"), call_of_tool],
        tool_results: vec![answered("c1", "nothing")],
        tools: Some(r#"[{"type":"function","function":{"name":"ls"}}]"#.into()),
        parameters: Some(r#"{"temperature":0}"#.into()),
        ..asks("r1", "")
    };
    let mut stream = begin(&running, request).await.unwrap();
    let call = bench.call().await;

    let roles: Vec<_> = call
        .request
        .messages
        .iter()
        .map(|message| message.role())
        .collect();
    use turn_message::Role::{Assistant, Tool, User};
    assert_eq!(roles, [User, Assistant, Tool]);
    assert!(
        call.request
            .system_prompt
            .as_deref()
            .unwrap()
            .ends_with("be brief")
    );
    let program = call.request.program.clone().unwrap();
    assert_eq!(program.parameters.as_deref(), Some(r#"{"temperature":0}"#));
    assert!(program.tools.is_some() && program.history.is_empty() && program.instructions.is_none());
    call.text("It is empty.").await;
    call.done().await;
    rest(&mut stream).await;
    let session = "agent:main:openai-user:ann%3a1";
    let session = crate::key::SessionKey::parse(session).unwrap();
    let page = running
        .engine
        .stores()
        .transcripts
        .context(&session, 9)
        .await
        .unwrap();
    assert_eq!(page.len(), 4, "{page:?}");

    // One that brings nothing goes on from the transcript, and one that brings a conversation means that one.
    let same = |key: &str, history| StreamTurnRequest {
        user: Some("Ann:1".into()),
        history,
        ..asks(key, "and now?")
    };
    let mut stream = begin(&running, same("r2", vec![])).await.unwrap();
    let call = bench.call().await;
    assert_eq!(call.request.messages.len(), 5);
    call.text("Still.").await;
    call.done().await;
    rest(&mut stream).await;
    let brought = vec![prior("user", "hello"), prior("assistant", "hi")];
    let _stream = begin(&running, same("r3", brought)).await.unwrap();
    assert_eq!(bench.call().await.texts(), ["hello", "hi", "and now?"]);
    let page = running
        .engine
        .stores()
        .transcripts
        .context(&session, 99)
        .await
        .unwrap();
    assert_eq!(
        page.len(),
        7,
        "a transcript that is there is not begun again: {page:?}"
    );
}

#[tokio::test]
async fn a_call_of_a_programs_tool_ends_the_turn_and_the_next_turn_answers_it() {
    let mut bench = Bench::new().await;
    let running = bench.run("{}");
    let mut stream = begin(&running, asks("r1", "look")).await.unwrap();
    let first_key = next(&mut stream).await.run.unwrap().session_key;
    let call = bench.call().await;
    for (id, name, arguments) in [(Some("c1"), Some("ls"), "{\"pa"), (None, None, "th\":1}")] {
        let delta = ToolCallDelta {
            index: 0,
            id: id.map(str::to_owned),
            name: name.map(str::to_owned),
            arguments: arguments.to_owned(),
        };
        call.event(Event::ToolCallDelta(delta)).await;
    }
    let said = r#"[{"type":"toolCall","id":"c1","name":"ls","arguments":{"path":1}}]"#;
    call.event(Event::Completed(Completed {
        stop_reason: "tool_calls".into(),
        content: Some(Content::from_json(said).unwrap().into()),
        ..Completed::default()
    }))
    .await;
    let (texts, calls, end) = rest(&mut stream).await;
    assert!(texts.is_empty());
    let arguments: String = calls.iter().map(|call| call.arguments.as_str()).collect();
    assert_eq!(arguments, "{\"path\":1}");
    assert_eq!(end.stop_reason.as_deref(), Some("tool_calls"));

    // A repeat of a turn that is over is told all of it.
    let mut again = begin(&running, asks("r1", "look")).await.unwrap();
    let (_, calls, _) = rest(&mut again).await;
    assert_eq!(calls.first().and_then(|call| call.name.as_deref()), Some("ls"));

    let answers = StreamTurnRequest {
        continues: Some("r1".into()),
        tool_results: vec![answered("c1", "nothing")],
        ..asks("r2", "")
    };
    let _stream = begin(&running, answers).await.unwrap();
    let answering = bench.call().await;
    assert_eq!(answering.request.messages.len(), 3);
    // From an answer behind which more was said goes another conversation.
    let branch = StreamTurnRequest {
        continues: Some("r1".into()),
        history: vec![prior("user", "well")],
        ..asks("r4", "look again")
    };
    let mut branch = begin(&running, branch).await.unwrap();
    let started = next(&mut branch).await.run.unwrap();
    assert_ne!(started.session_key, first_key);
    assert_eq!(bench.call().await.texts(), ["look", "", "well", "look again"]);
    let lost = StreamTurnRequest {
        continues: Some("nothing".into()),
        ..asks("r3", "hi")
    };
    assert_eq!(begin(&running, lost).await.err(), Some(Kind::NotFound));
    drop(answering);
}

#[tokio::test]
async fn whoever_goes_away_stops_the_run_unless_somebody_else_reads_it_or_it_was_to_go_on() {
    let mut bench = Bench::new().await;
    let running = bench.run("{}");
    let mut stream = begin(&running, asks("r1", "hi")).await.unwrap();
    next(&mut stream).await;
    let call = bench.call().await;
    call.text("wo").await;
    let mut other = begin(&running, asks("r1", "hi")).await.unwrap();
    drop(stream);
    call.text("rd").await;
    assert_eq!(state_of(&running, "r1").await, Some(TurnState::Running));
    next(&mut other).await;

    drop(other);

    call.cancelled().await;
    until("the end", async || {
        state_of(&running, "r1").await == Some(TurnState::Aborted)
    })
    .await;
    let background = StreamTurnRequest {
        background: Some(true),
        ..asks("r2", "hi")
    };
    drop(begin(&running, background).await.unwrap());
    bench.call().await.done().await;
    until("the end", async || {
        state_of(&running, "r2").await == Some(TurnState::Done)
    })
    .await;
}

#[tokio::test]
async fn a_repeat_follows_the_run_that_goes_on_and_begins_another_behind_one_without_an_answer() {
    let mut bench = Bench::new().await;
    let running = bench.run("{}");
    let mut first = begin(&running, asks("r1", "hi")).await.unwrap();
    let call = bench.call().await;
    call.text("one ").await;
    while next(&mut first).await.text.is_none() {}
    let mut second = begin(&running, asks("r1", "hi")).await.unwrap();
    call.text("two").await;
    call.fail(FailureKind::RateLimit, "too much").await;
    let (texts, _, end) = rest(&mut second).await;
    assert_eq!(texts.concat(), "one two");
    assert_eq!(
        (end.status.as_str(), end.failure.as_deref()),
        ("error", Some("rate_limit"))
    );
    rest(&mut first).await;

    let mut again = begin(&running, asks("r1", "hi")).await.unwrap();
    assert_eq!(next(&mut again).await.run.unwrap().run_id, "r1.2");
    assert_eq!(bench.call().await.texts(), ["hi"], "in a session of its own");
    assert_eq!(
        begin(&running, asks("r1", "other")).await.err(),
        Some(Kind::Conflict)
    );
}

#[tokio::test]
async fn names_of_the_gateways_own_work_are_refused_and_empty_messages_too() {
    let bench = Bench::new().await;
    let running = bench.run("{}");
    for name in ["cron:1", "Agent:Main:SubAgent:x", " acp:1"] {
        let request = StreamTurnRequest {
            session_key: Some(name.into()),
            ..asks("r1", "hi")
        };
        assert_eq!(
            begin(&running, request).await.err(),
            Some(Kind::Invalid),
            "{name}"
        );
    }
    assert_eq!(begin(&running, asks("r1", " ")).await.err(), Some(Kind::Invalid));
}

#[tokio::test]
async fn a_session_of_a_call_is_forgotten_after_its_time_and_one_with_a_name_is_not() {
    let mut bench = Bench::new().await;
    let running = bench.run("{}");
    let keeps = |request: StreamTurnRequest| StreamTurnRequest {
        keep_ms: Some(60_000),
        ..request
    };
    let mut own = begin(&running, keeps(asks("r1", "hi"))).await.unwrap();
    bench.call().await.done().await;
    rest(&mut own).await;
    let named = StreamTurnRequest {
        session_key: Some("main".into()),
        ..asks("r2", "hi")
    };
    let mut named = begin(&running, named).await.unwrap();
    bench.call().await.done().await;
    rest(&mut named).await;

    let sessions = &running.engine.stores().sessions;
    let now = running.engine.now();
    assert!(sessions.expired(now).await.unwrap().is_empty());
    let expired = sessions.expired(now.plus_ms(61_000)).await.unwrap();
    assert_eq!(expired.len(), 1);
    assert!(expired.iter().all(|session| session.key != key("main")));
    assert!(
        sessions
            .delete(&expired.first().unwrap().key, None)
            .await
            .unwrap()
    );
    assert_eq!(running.engine.forget_expired().await.unwrap(), 0);
}
