//! What clients of the published protocol do with sessions: address them, begin them with a message, set and read them.

use gatehouse_core::Caller;
use gatehouse_proto::session::v1::chat_event::State;

use super::*;
use crate::turns::RunLimits;

async fn resolved(grpc: &Grpc, request: ResolveSessionRequest) -> Result<ResolveSessionResponse, Status> {
    let answer = grpc.resolve_session(Request::new(request)).await;
    answer.map(Response::into_inner)
}

pub(super) async fn created(grpc: &Grpc, request: CreateSessionRequest) -> CreateSessionResponse {
    grpc.create_session(Request::new(request))
        .await
        .unwrap()
        .into_inner()
}

pub(super) async fn patched(grpc: &Grpc, request: PatchSessionRequest) -> Result<SessionRow, Status> {
    let answer = grpc.patch_session(Request::new(request)).await?;
    Ok(answer.into_inner().entry.unwrap())
}

pub(super) async fn listed(grpc: &Grpc, request: ListSessionsRequest) -> Vec<String> {
    let answer = grpc
        .list_sessions(Request::new(request))
        .await
        .unwrap()
        .into_inner();
    answer.sessions.into_iter().map(|row| row.key).collect()
}

pub(super) fn patch_of(key: &str) -> PatchSessionRequest {
    PatchSessionRequest {
        key: key.to_owned(),
        ..PatchSessionRequest::default()
    }
}

#[tokio::test]
async fn a_session_that_is_created_with_a_message_answers_it() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&running);
    let create = || CreateSessionRequest {
        agent_id: Some("main".into()),
        message: Some("plan the trip".into()),
        idempotency_key: Some("r1".into()),
        ..CreateSessionRequest::default()
    };

    let made = created(&grpc, create()).await;

    assert_eq!(
        (made.run_started, made.run_id.as_deref(), made.status.as_deref()),
        (Some(true), Some("r1"), Some("started"))
    );
    assert_eq!(
        made.entry.unwrap().derived_title.as_deref(),
        Some("plan the trip"),
        "the row is that of the session after the message"
    );
    bench.call().await.done().await;
    running.end_of("r1").await;
    let page = grpc
        .get_chat_history(Request::new(history(&made.key)))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(page.messages.len(), 2);
    let again = created(&grpc, create()).await;
    assert_eq!(
        (again.key, again.status.as_deref()),
        (made.key, Some("ok")),
        "said once"
    );
}

#[tokio::test]
async fn a_message_that_is_not_taken_leaves_the_session_and_says_why() {
    let bench = Bench::new().await;
    let running = bench.run("{}");
    let grpc = grpc(&running);
    let create = |message: Option<&str>| CreateSessionRequest {
        key: Some("quiet".into()),
        message: message.map(str::to_owned),
        ..CreateSessionRequest::default()
    };
    created(&grpc, create(None)).await;
    let deny = PatchSessionRequest {
        send_policy: Some("deny".into()),
        ..patch_of("quiet")
    };
    assert_eq!(
        patched(&grpc, deny).await.unwrap().send_policy.as_deref(),
        Some("deny")
    );

    let made = created(&grpc, create(Some("hi"))).await;

    assert_eq!((made.ok, made.run_started), (true, Some(false)));
    assert_eq!(made.run_error.unwrap().message, "send blocked by session policy");
    assert_eq!(
        refusal(grpc.send_chat(said("quiet", "r1", "hi")).await),
        (Kind::Precondition, Some("send-blocked".to_owned()))
    );
    let allow = PatchSessionRequest {
        null_fields: vec!["sendPolicy".into()],
        ..patch_of("quiet")
    };
    patched(&grpc, allow).await.unwrap();
    grpc.send_chat(said("quiet", "r1", "hi")).await.unwrap();
}

#[tokio::test]
async fn a_session_is_found_by_every_name_that_addresses_have_for_it() {
    let bench = Bench::new().await;
    let running = bench.run("{}");
    let grpc = grpc(&running);
    let made = created(
        &grpc,
        CreateSessionRequest {
            label: Some("Plan the trip".into()),
            ..CreateSessionRequest::default()
        },
    )
    .await;
    let short: String = made.key.rsplit(':').next().unwrap().chars().take(8).collect();
    let by = |change: &dyn Fn(&mut ResolveSessionRequest)| {
        let mut request = ResolveSessionRequest {
            agent_id: Some("main".into()),
            ..ResolveSessionRequest::default()
        };
        change(&mut request);
        request
    };
    let reference = |key: &str, slug: Option<&str>| {
        Some(SessionReference {
            key: key.to_owned(),
            slug: slug.map(str::to_owned),
        })
    };

    for request in [
        by(&|r| r.key.clone_from(&made.key)),
        by(&|r| r.short_id = Some(short.clone())),
        by(&|r| r.session_id = Some(made.session_id.clone())),
        by(&|r| r.label = Some("Plan the trip".into())),
        by(&|r| r.reference = reference(&made.key, None)),
        by(&|r| r.reference = reference("agent:main:nothing", Some("plan-the-trip"))),
    ] {
        let found = resolved(&grpc, request.clone()).await.unwrap();
        assert_eq!(
            (found.ok, found.key.as_str()),
            (true, made.key.as_str()),
            "{request:?}"
        );
    }
    for missing in [
        by(&|r| r.key = "agent:main:nothing".into()),
        by(&|r| r.short_id = Some("01234567".into())),
        by(&|r| r.label = Some("other".into())),
        by(&|r| r.reference = reference("agent:main:nothing", Some("other"))),
        by(&|r| {
            r.key.clone_from(&made.key);
            r.spawned_by = Some("main".into());
        }),
    ] {
        let refused = resolved(&grpc, missing.clone()).await.unwrap_err();
        assert!(refused.message().contains("No session found"), "{refused:?}");
        let allowed = ResolveSessionRequest {
            allow_missing: Some(true),
            ..missing
        };
        let nothing = resolved(&grpc, allowed).await.unwrap();
        assert_eq!((nothing.ok, nothing.key.as_str()), (false, ""));
    }
    let main = resolved(&grpc, by(&|r| r.key = "main".into())).await.unwrap();
    assert_eq!(main.key, "agent:main:main", "it is always there");
    for wrong in [
        ResolveSessionRequest::default(),
        by(&|r| r.short_id = Some("xyz".into())),
        by(&|r| {
            r.key = "main".into();
            r.label = Some("x".into());
        }),
    ] {
        assert_eq!(
            Failure::from_status(&resolved(&grpc, wrong).await.unwrap_err()).kind,
            Kind::Invalid
        );
    }
}

#[tokio::test]
async fn the_main_session_cannot_be_deleted_and_is_set_before_anything_was_said_in_it() {
    let bench = Bench::new().await;
    let running = bench.run("{}");
    let grpc = grpc(&running);
    let model = PatchSessionRequest {
        model: Some("p/m".into()),
        ..patch_of("main")
    };

    let row = patched(&grpc, model).await.unwrap();

    assert_eq!((row.model.as_deref(), row.main_session), (Some("m"), true));
    assert_eq!(
        patched(&grpc, patch_of("other")).await.unwrap_err().code(),
        Code::NotFound
    );
    let delete = DeleteSessionRequest {
        key: "main".into(),
        ..DeleteSessionRequest::default()
    };
    let refused = grpc.delete_session(Request::new(delete)).await.unwrap_err();
    assert!(refused.message().contains("Cannot delete the main session"));
}

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
    let running = bench.run("{}");
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

fn history_by(connection: &str, since: i64) -> Request<GetChatHistoryRequest> {
    let caller = Caller {
        connection_id: connection.to_owned(),
        connected_at: Some(since),
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
    let later = bench.clock.now_ms() + 60_000;

    grpc.get_chat_history(history_by("was there", 0)).await.unwrap();
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
