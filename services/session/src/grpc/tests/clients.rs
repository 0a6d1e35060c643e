//! What clients of the published protocol do with sessions: address them, begin them with a message, set and read them.

mod reading;

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
    let running = bench.run(r#"{"models":{"providers":{"p":{}}}}"#);
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
