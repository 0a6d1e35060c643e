//! What a client has read, and what it hears when it comes back.

use super::*;
use gatehouse_core::Timestamp;

#[tokio::test]
async fn a_session_is_unread_from_an_answer_until_somebody_reads_it_and_a_later_mark_stays() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&running);
    grpc.send_chat(said("main", "r1", "hi")).await.unwrap();
    bench.call().await.done().await;
    running.end_of("r1").await;
    let read = |marked: Option<i64>| PatchSessionRequest {
        unread: Some(false),
        expected_marked_unread_at: marked,
        null_fields: marked
            .is_none()
            .then(|| "expectedMarkedUnreadAt".to_owned())
            .into_iter()
            .collect(),
        ..patch_of("main")
    };

    let row = patched(&grpc, read(None)).await.unwrap();
    assert!(!row.unread && row.last_read_at.is_some());

    let mark = PatchSessionRequest {
        unread: Some(true),
        ..patch_of("main")
    };
    let marked = patched(&grpc, mark).await.unwrap();
    assert!(marked.unread && marked.marked_unread_at.is_some());
    assert!(
        patched(&grpc, read(None)).await.unwrap().unread,
        "it was marked since the client looked"
    );
    assert!(
        !patched(&grpc, read(marked.marked_unread_at))
            .await
            .unwrap()
            .unread
    );
    let with_more = PatchSessionRequest {
        label: Some("x".into()),
        ..read(None)
    };
    let refused = Failure::from_status(&patched(&grpc, with_more).await.unwrap_err());
    assert_eq!(refused.path.as_deref(), Some("/expectedMarkedUnreadAt"));
}

#[tokio::test]
async fn a_session_that_takes_the_place_of_another_begins_with_what_that_is_set_to() {
    let bench = Bench::new().await;
    let running = bench.run(r#"{"models":{"providers":{"p":{}}}}"#);
    let grpc = grpc(&running);
    let set = PatchSessionRequest {
        model: Some("p/m".into()),
        verbose_level: Some("full".into()),
        icon: Some("*".into()),
        ..patch_of("main")
    };
    patched(&grpc, set).await.unwrap();
    let create = |succeeds| CreateSessionRequest {
        parent_session_key: Some("main".into()),
        succeeds_parent: succeeds,
        ..CreateSessionRequest::default()
    };

    let after = created(&grpc, create(Some(true))).await.entry.unwrap();
    let beside = created(&grpc, create(None)).await.entry.unwrap();

    assert_eq!(
        (
            after.model_override.as_deref(),
            after.verbose_level.as_deref(),
            after.icon
        ),
        (Some("p/m"), Some("full"), None)
    );
    assert_eq!((beside.model_override, beside.verbose_level), (None, None));
    assert_eq!(beside.parent_session_key.as_deref(), Some("agent:main:main"));
}

fn history_by(connection: &str, since: Timestamp) -> Request<GetChatHistoryRequest> {
    let caller = Caller {
        connection_id: connection.to_owned(),
        connected_at: Some(since.as_ms()),
        ..Caller::default()
    };
    let mut request = Request::new(history("main"));
    caller.attach(request.metadata_mut());
    request
}

#[tokio::test]
async fn a_client_that_comes_back_after_a_restart_hears_once_that_its_run_was_cut_off() {
    let mut bench = Bench::new().await;
    bench.timing.limits = RunLimits {
        attempts_max: 1,
        shown_max: 1,
    };
    let mut first = bench.run("{}");
    grpc(&first).send_chat(said("main", "r1", "hi")).await.unwrap();
    let call = bench.call().await;
    call.text("half").await;
    first.sees_text("half").await;
    first.die();
    let mut second = bench.run("{}");
    let end = second.end_of("r1").await;
    assert_eq!(end.state(), State::Error, "whoever is connected hears it");
    let grpc = grpc(&second);
    let later = bench.clock.now().plus_ms(60_000);

    grpc.get_chat_history(history_by("was there", Timestamp::EPOCH))
        .await
        .unwrap();
    second.rest();
    assert_eq!(second.ends("r1"), 1, "who was there is not told twice");
    for _ in 0..2 {
        grpc.get_chat_history(history_by("came back", later))
            .await
            .unwrap();
    }
    second.end_of("r1").await;
    second.rest();
    assert_eq!(second.ends("r1"), 2);
    grpc.get_chat_history(history_by("another", later)).await.unwrap();
    second.end_of("r1").await;
}

#[tokio::test]
async fn how_hard_to_think_is_one_of_the_levels_wherever_it_is_said() {
    let mut bench = Bench::new().await;
    let running = bench.run(
        r#"{"models":{"providers":{"p":{"models":[{"id":"m","compat":{"reasoningEffortMap":{"ultra":"x"}}}]}}}}"#,
    );
    let grpc = grpc(&running);
    let patch = |level: &str| PatchSessionRequest {
        thinking_level: Some(level.into()),
        ..patch_of("main")
    };
    let create = CreateSessionRequest {
        thinking_level: Some("bogus".into()),
        ..CreateSessionRequest::default()
    };
    let mut send = said("main", "r1", "hi");
    send.get_mut().thinking = Some("bogus".into());
    let mut run = Request::new(RunAgentRequest {
        message: "hi".into(),
        idempotency_key: "r2".into(),
        ..RunAgentRequest::default()
    });
    run.get_mut().thinking = Some("bogus".into());

    let refused = [
        grpc.patch_session(Request::new(patch("bogus"))).await.err(),
        grpc.create_session(Request::new(create)).await.err(),
        grpc.send_chat(send).await.err(),
        grpc.run_agent(run).await.err(),
    ];

    for status in refused {
        let status = status.expect("a refusal");
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(
            status
                .message()
                .contains("off, minimal, low, medium, high, xhigh, max, ultra"),
            "{status}"
        );
    }
    assert!(bench.calls.try_recv().is_err());
    for (word, kept) in [("HIGH", "high"), ("on", "low"), ("ultra", "ultra")] {
        let row = patched(&grpc, patch(word)).await.unwrap();
        assert_eq!(row.thinking_level.as_deref(), Some(kept));
    }
}
