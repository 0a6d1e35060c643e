mod attachments;
mod clients;
mod doors;
mod following;
mod lists;
mod people;
mod sessions;

use std::time::Duration;

use futures::StreamExt;
use gatehouse_core::error::Failure;
use gatehouse_core::{Content, Drain, Kind};
use tonic::Code;

use super::*;
use crate::testing::{Bench, Running, until, within};

fn grpc(running: &Running) -> Grpc {
    Grpc::new(running.engine.clone(), running.recall.clone(), Drain::new())
}

fn said(session: &str, run: &str, text: &str) -> Request<SendChatRequest> {
    Request::new(SendChatRequest {
        session_key: session.to_owned(),
        idempotency_key: run.to_owned(),
        message: text.to_owned(),
        ..SendChatRequest::default()
    })
}

fn history(session: &str) -> GetChatHistoryRequest {
    GetChatHistoryRequest {
        session_key: session.to_owned(),
        ..GetChatHistoryRequest::default()
    }
}

fn refusal<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> (Kind, Option<String>) {
    let failure = Failure::from_status(&answer.unwrap_err());
    (failure.kind, failure.reason.map(|reason| reason.to_string()))
}

#[tokio::test]
async fn a_repeated_message_is_answered_with_the_state_of_its_run() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&running);
    let status = async |text: &str| {
        grpc.send_chat(said("main", "r1", text))
            .await
            .map(|answer| answer.into_inner().status)
    };

    assert_eq!(status("hi").await.unwrap(), "started");
    assert_eq!(status("hi").await.unwrap(), "in_flight");
    let conflict = grpc.send_chat(said("main", "r1", "other")).await;
    assert_eq!(
        refusal(conflict),
        (Kind::Conflict, Some("chat-request-conflict".to_owned()))
    );
    bench.call().await.done().await;
    running.end_of("r1").await;

    assert_eq!(status("hi").await.unwrap(), "ok");
    for wrong in ["  ", "a\0b"] {
        assert_eq!(
            refusal(grpc.send_chat(said("main", "r2", wrong)).await).0,
            Kind::Invalid
        );
    }
}

#[tokio::test]
async fn several_agents_without_a_default_must_be_chosen_from() {
    let bench = Bench::new().await;
    let running = bench.run(r#"{"agents":{"entries":{"a":{},"b":{}}}}"#);
    let grpc = grpc(&running);

    let open = grpc.send_chat(said("main", "r1", "hi")).await;
    assert_eq!(
        refusal(open),
        (Kind::Invalid, Some("AGENT_SELECTION_REQUIRED".to_owned()))
    );
    let unknown = grpc.send_chat(said("agent:ghost:main", "r1", "hi")).await;
    assert_eq!(
        refusal(unknown),
        (Kind::NotFound, Some("agent-unknown".to_owned()))
    );
    grpc.send_chat(said("agent:b:main", "r1", "hi")).await.unwrap();
}

#[tokio::test]
async fn without_a_configuration_callers_are_asked_to_come_back() {
    let bench = Bench::new().await;
    let running = bench.run("{}");
    running.policy.send_replace(None);

    let early = grpc(&running).send_chat(said("main", "r1", "hi")).await;

    assert_eq!(early.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn a_transcript_is_read_in_pages_with_a_cursor_and_the_run_in_flight() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&running);
    let read = async |request: GetChatHistoryRequest| {
        grpc.get_chat_history(Request::new(request))
            .await
            .unwrap()
            .into_inner()
    };
    let empty = read(history("main")).await;
    assert_eq!(
        (empty.messages.len(), empty.session_id, empty.total_messages),
        (0, None, 0)
    );
    for n in 1..=3 {
        let inject = InjectChatRequest {
            session_key: "main".into(),
            message: format!("m{n}"),
            agent_id: None,
            label: None,
        };
        grpc.inject_chat(Request::new(inject)).await.unwrap();
    }

    let page = read(GetChatHistoryRequest {
        limit: Some(2),
        ..history("main")
    })
    .await;
    assert_eq!(
        (
            page.messages.len(),
            page.has_more,
            page.next_offset,
            page.total_messages
        ),
        (2, true, Some(2), 3)
    );
    let older = read(GetChatHistoryRequest {
        limit: Some(2),
        offset: Some(2),
        ..history("main")
    })
    .await;
    assert_eq!(
        (older.messages.len(), older.has_more, older.next_offset),
        (1, false, None)
    );

    grpc.send_chat(said("main", "r1", "hi")).await.unwrap();
    let call = bench.call().await;
    call.text("half").await;
    running
        .see("the text", |seen| seen.label().starts_with("chat delta"))
        .await;
    let since = async |cursor: &str| {
        let answer = read(GetChatHistoryRequest {
            cursor: Some(cursor.to_owned()),
            ..history("main")
        })
        .await;
        assert!(answer.messages.is_empty() && answer.reset.is_none());
        answer.delta.unwrap()
    };
    let delta = since(&page.delta_cursor).await;
    assert_eq!((delta.kind.as_str(), delta.messages.len()), ("delta", 1));
    let row = delta.messages.first().unwrap();
    assert_eq!(
        (row.session_key.as_str(), row.message_seq),
        ("agent:main:main", 4)
    );
    assert_eq!(row.message.as_ref().unwrap().content, r#""hi""#);
    let live = delta.in_flight_run.unwrap();
    assert_eq!((live.run_id.as_str(), live.text.as_str()), ("r1", "half"));
    assert!(live.seq > 0 && delta.session_info.unwrap().has_active_run);

    call.done().await;
    running.end_of("r1").await;
    let start = async |cursor: &str, limit: Option<i64>| {
        let request = StartChatRequest {
            session_key: "agent:main:main".into(),
            cursor: Some(cursor.to_owned()),
            limit,
            ..StartChatRequest::default()
        };
        grpc.start_chat(Request::new(request)).await.unwrap().into_inner()
    };
    let end = start(&delta.delta_cursor, None).await.delta.unwrap();
    assert_eq!((end.messages.len(), end.in_flight_run), (1, None));
    let nothing = since(&end.delta_cursor).await;
    assert_eq!(
        (nothing.messages.len(), nothing.delta_cursor),
        (0, end.delta_cursor.clone())
    );
    // A client that is told to begin anew asks for a page.
    let is_reset = |answer: GetChatHistoryResponse| {
        answer.delta.is_none()
            && answer.messages.is_empty()
            && answer.reset.is_some_and(|reset| reset.kind == "reset")
    };
    assert!(is_reset(start("garbage", None).await));
    assert!(
        is_reset(start(&page.delta_cursor, Some(1)).await),
        "two rows came"
    );
    let reset = ResetSessionRequest {
        key: "main".into(),
        reason: Some("banana".into()),
        ..ResetSessionRequest::default()
    };
    let refused = grpc.reset_session(Request::new(reset.clone())).await;
    assert_eq!(refusal(refused).0, Kind::Invalid);
    let reset = ResetSessionRequest {
        reason: None,
        ..reset
    };
    grpc.reset_session(Request::new(reset)).await.unwrap();
    assert!(
        is_reset(start(&end.delta_cursor, None).await),
        "another transcript"
    );
}

#[tokio::test]
async fn agent_says_accepted_and_later_the_answer() {
    let mut bench = Bench::new().await;
    let running = bench.run(r#"{"models":{"providers":{"p":{}}}}"#);
    let grpc = grpc(&running);
    let request = RunAgentRequest {
        message: "hi".into(),
        idempotency_key: "r1".into(),
        model: Some("p/special".into()),
        ..RunAgentRequest::default()
    };
    let mut answers = grpc.run_agent(Request::new(request)).await.unwrap().into_inner();

    let accepted = answers.next().await.unwrap().unwrap();
    assert_eq!(
        (accepted.status.as_str(), accepted.session_key.as_str()),
        ("accepted", "agent:main:main")
    );
    let wait = WaitAgentRequest {
        run_id: "r1".into(),
        timeout_ms: Some(1),
    };
    assert_eq!(
        grpc.wait_agent(Request::new(wait))
            .await
            .unwrap()
            .into_inner()
            .status,
        "timeout"
    );
    let call = bench.call().await;
    assert_eq!(call.request.models, ["p/special"]);
    call.text("hello").await;
    call.done().await;

    let end = within("the end", answers.next()).await.unwrap().unwrap();
    assert_eq!(
        (end.status.as_str(), end.summary.as_deref()),
        ("ok", Some("completed"))
    );
    let result = end.result.unwrap();
    assert_eq!(
        result.payloads.first().map(|payload| payload.text.clone()),
        Some("hello".into())
    );
    let meta = result.meta.unwrap().agent_meta.unwrap();
    let main = crate::testing::key("main");
    let session = running.engine.stores().sessions.find(&main).await;
    assert_eq!(meta.session_id, session.unwrap().unwrap().session_id.as_str());
    assert_eq!(
        (meta.provider.as_deref(), meta.model.as_deref()),
        (Some("p"), Some("m")),
        "who answered, and not who was asked for"
    );
    assert!(answers.next().await.is_none());
    let wait = WaitAgentRequest {
        run_id: "r1".into(),
        timeout_ms: None,
    };
    assert_eq!(
        grpc.wait_agent(Request::new(wait))
            .await
            .unwrap()
            .into_inner()
            .status,
        "ok"
    );
}

fn from_room(message: &str) -> DeliverMessageRequest {
    DeliverMessageRequest {
        channel: "irc".into(),
        account_id: "home".into(),
        message_id: message.into(),
        peer: Some(Peer {
            kind: peer::Kind::Channel.into(),
            id: "#Home".into(),
            case: peer::Case::Unspecified.into(),
        }),
        sender_id: "alice".into(),
        sender_name: Some("Alice".into()),
        text: "hi".into(),
        reply_target: Some(Target {
            channel: "irc".into(),
            account_id: "home".into(),
            to: "#Home".into(),
            thread_id: None,
            reply_to_id: None,
        }),
        ..DeliverMessageRequest::default()
    }
}

#[tokio::test]
async fn a_message_of_a_channel_is_routed_once_and_its_reply_goes_back_there() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&running);

    let first = grpc
        .deliver_message(Request::new(from_room("m1")))
        .await
        .unwrap()
        .into_inner();
    let again = grpc
        .deliver_message(Request::new(from_room("m1")))
        .await
        .unwrap()
        .into_inner();

    assert_eq!(
        (first.session_key.as_str(), first.matched_by.as_str()),
        ("agent:main:irc:channel:#home", "default")
    );
    assert_eq!(
        (again.run_id, again.duplicate, first.duplicate),
        (first.run_id.clone(), true, false)
    );
    let run = crate::id::RunId::new(&*first.run_id);
    let turn = bench.stores.turns.find(&run).await.unwrap().unwrap();
    assert_eq!(turn.sender.as_deref(), Some("alice"), "not what people call her");
    let call = bench.call().await;
    call.text("hello").await;
    call.done().await;
    running.end_of(&first.run_id).await;
    let waiting = running
        .engine
        .stores()
        .deliveries
        .waiting(Timestamp::MAX, 10)
        .await
        .unwrap();
    let (delivery, rest) = waiting.split_first().unwrap();
    assert!(rest.is_empty());
    assert_eq!(
        (delivery.content.words().as_str(), delivery.target.to.as_str()),
        ("hello", "#Home")
    );
    let row = DescribeSessionRequest {
        key: first.session_key,
        ..DescribeSessionRequest::default()
    };
    let row = grpc
        .describe_session(Request::new(row))
        .await
        .unwrap()
        .into_inner()
        .session
        .unwrap();
    assert_eq!(
        (row.kind.as_str(), row.chat_type.as_deref(), row.status.as_deref()),
        ("group", Some("channel"), Some("done"))
    );
}

#[tokio::test]
async fn what_a_channel_says_may_be_more_than_words_and_reaches_transcript_model_and_list() {
    let mut bench = Bench::new().await;
    let running = bench.run("{}");
    let grpc = grpc(&running);
    let said = r#"[{"type":"text","text":"see"},{"type":"image","id":"m1","mimeType":"image/png","name":"cat.png"}]"#;
    let content = Content::from_json(said).unwrap();
    let message = DeliverMessageRequest {
        text: "what an earlier version reads".into(),
        content: Some(content.clone().into()),
        ..from_room("m1")
    };

    let taken = grpc
        .deliver_message(Request::new(message))
        .await
        .unwrap()
        .into_inner();

    let asked = bench.call().await.request.messages.pop().unwrap();
    assert_eq!(Content::from_parts(asked.text, asked.content).unwrap(), content);
    let page = grpc
        .get_chat_history(Request::new(history(&taken.session_key)))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(page.messages.first().unwrap().content, said);
    assert_eq!(
        page.session_info.unwrap().last_message_preview.as_deref(),
        Some("see [image: cat.png]")
    );
}

#[tokio::test]
async fn a_channel_hands_on_what_people_say_within_its_bound_and_nothing_else() {
    let bench = Bench::new().await;
    let running = bench.run("{}");
    let grpc = grpc(&running);
    let call = r#"[{"type":"toolCall","id":"c","name":"ls","arguments":{}}]"#;
    let half = "x".repeat(600 * 1024);
    let large = format!(r#"[{{"type":"text","text":"{half}"}},{{"type":"text","text":"{half}"}}]"#);

    for (json, problem) in [(call, "no person writes"), (&*large, "larger than 1 MiB")] {
        let message = DeliverMessageRequest {
            content: Some(Content::from_json(json).unwrap().into()),
            ..from_room("m1")
        };
        let status = grpc.deliver_message(Request::new(message)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(
            status.message().contains("/content") && status.message().contains(problem),
            "{status}"
        );
    }
}

#[tokio::test]
async fn a_message_of_a_channel_with_another_target_is_refused() {
    let bench = Bench::new().await;
    let running = bench.run("{}");
    let grpc = grpc(&running);

    let mut elsewhere = from_room("m1");
    elsewhere.reply_target.as_mut().unwrap().account_id = "other".into();
    assert_eq!(
        refusal(grpc.deliver_message(Request::new(elsewhere)).await).0,
        Kind::Invalid
    );
    let nowhere = DeliverMessageRequest {
        peer: None,
        ..from_room("m1")
    };
    assert_eq!(
        refusal(grpc.deliver_message(Request::new(nowhere)).await).0,
        Kind::Invalid
    );
}

#[tokio::test]
async fn who_hangs_up_after_sending_is_answered_all_the_same() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&running);
    {
        let sending = grpc.send_chat(said("main", "r1", "hi"));
        let _hung_up = tokio::time::timeout(Duration::from_micros(1), sending).await;
    }

    let store = bench.stores.clone();
    let run = crate::id::RunId::new("r1");
    // Either the message was never taken, or all of it happened.
    tokio::time::sleep(Duration::from_millis(100)).await;
    if store.turns.find(&run).await.unwrap().is_some() {
        bench.call().await.done().await;
        running.end_of("r1").await;
        until("the end in the store", async || {
            store.turns.find(&run).await.unwrap().unwrap().state.is_terminal()
        })
        .await;
        assert_eq!(
            running
                .labels()
                .iter()
                .filter(|label| *label == "row user")
                .count(),
            1
        );
    }
}
