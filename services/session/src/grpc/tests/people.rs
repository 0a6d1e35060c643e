//! Whose sessions are whose: what a named user begins is his, and the other named users neither see it nor reach it.

use gatehouse_core::Caller;
use gatehouse_proto::session::v1::task_service_server::TaskService;
use gatehouse_proto::session::v1::usage_service_server::UsageService;

use super::clients::listed;
use super::*;
use crate::testing::Seen;
use crate::{tasks, usage};

/// A session that anna begins.
pub(super) const HERS: &str = "agent:main:diary";

const TALKS: [&str; 2] = ["operator.read", "operator.write"];

fn of<T>(user: Option<&str>, scopes: &[&str], message: T) -> Request<T> {
    let mut request = Request::new(message);
    let caller = Caller {
        role: "operator".into(),
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        user_id: user.map(str::to_owned),
        user_name: user.map(str::to_uppercase),
        ..Caller::default()
    };
    caller.attach(request.metadata_mut());
    request
}

pub(super) fn anna<T>(message: T) -> Request<T> {
    of(Some("anna"), &TALKS, message)
}

pub(super) fn bert<T>(message: T) -> Request<T> {
    of(Some("bert"), &TALKS, message)
}

fn not_his<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) {
    assert_eq!(
        refusal(answer),
        (Kind::Forbidden, Some("session-of-another-user".to_owned()))
    );
}

fn none<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) {
    assert_eq!(refusal(answer).0, Kind::NotFound);
}

pub(super) async fn diary(bench: &mut Bench, running: &mut Running, grpc: &Grpc) {
    let message = said(HERS, "r1", "my secret").into_inner();
    grpc.send_chat(anna(message)).await.unwrap();
    bench.call().await.done().await;
    running.end_of("r1").await;
}

#[tokio::test]
async fn every_door_to_a_session_of_another_user_is_shut() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&running);
    diary(&mut bench, &mut running, &grpc).await;
    let tasks = tasks::grpc::Grpc::new(running.engine.clone(), Drain::new());
    let usage = usage::grpc::Grpc::new(running.engine.clone());
    let key = || HERS.to_owned();

    not_his(grpc.get_chat_history(bert(history(HERS))).await);
    let start = StartChatRequest {
        session_key: key(),
        ..StartChatRequest::default()
    };
    not_his(grpc.start_chat(bert(start)).await);
    not_his(grpc.send_chat(bert(said(HERS, "r2", "hi").into_inner())).await);
    let run = RunAgentRequest {
        session_key: Some(key()),
        message: "hi".into(),
        idempotency_key: "r3".into(),
        ..RunAgentRequest::default()
    };
    assert_eq!(
        grpc.run_agent(bert(run)).await.err().unwrap().code(),
        Code::PermissionDenied
    );
    for run_id in [None, Some("r1".to_owned())] {
        let abort = AbortChatRequest {
            session_key: key(),
            agent_id: None,
            run_id,
        };
        not_his(grpc.abort_chat(bert(abort)).await);
    }
    let inject = InjectChatRequest {
        session_key: key(),
        message: "x".into(),
        agent_id: None,
        label: None,
    };
    not_his(grpc.inject_chat(bert(inject)).await);
    let wait = WaitAgentRequest {
        run_id: "r1".into(),
        timeout_ms: Some(0),
    };
    none(grpc.wait_agent(bert(wait)).await);
    let describe = DescribeSessionRequest {
        key: key(),
        ..DescribeSessionRequest::default()
    };
    not_his(grpc.describe_session(bert(describe)).await);
    let create = CreateSessionRequest {
        key: Some(key()),
        ..CreateSessionRequest::default()
    };
    not_his(grpc.create_session(bert(create)).await);
    let begun_from = CreateSessionRequest {
        parent_session_key: Some(key()),
        ..CreateSessionRequest::default()
    };
    not_his(grpc.create_session(bert(begun_from)).await);
    let patch = PatchSessionRequest {
        key: key(),
        label: Some("mine".into()),
        ..PatchSessionRequest::default()
    };
    not_his(grpc.patch_session(bert(patch)).await);
    let reset = ResetSessionRequest {
        key: key(),
        ..ResetSessionRequest::default()
    };
    not_his(grpc.reset_session(bert(reset)).await);
    let delete = DeleteSessionRequest {
        key: key(),
        ..DeleteSessionRequest::default()
    };
    not_his(grpc.delete_session(bert(delete)).await);
    let preview = PreviewSessionsRequest {
        keys: vec![key()],
        ..PreviewSessionsRequest::default()
    };
    not_his(grpc.preview_sessions(bert(preview)).await);
    let branches = ListBranchesRequest {
        session_key: key(),
        agent_id: None,
    };
    not_his(grpc.list_branches(bert(branches)).await);
    let subscribe = SubscribeMessagesRequest {
        key: key(),
        ..SubscribeMessagesRequest::default()
    };
    not_his(grpc.subscribe_messages(bert(subscribe)).await);
    let list = ListTasksRequest {
        session_key: Some(key()),
        ..ListTasksRequest::default()
    };
    not_his(tasks.list_tasks(bert(list)).await);
    none(
        tasks
            .get_task(bert(GetTaskRequest { task_id: "r1".into() }))
            .await,
    );
    let cancelled = tasks
        .cancel_task(bert(CancelTaskRequest {
            task_id: "r1".into(),
            ..CancelTaskRequest::default()
        }))
        .await;
    assert!(!cancelled.unwrap().into_inner().found);
    let cost = GetSessionsUsageRequest {
        key: Some(key()),
        ..GetSessionsUsageRequest::default()
    };
    not_his(usage.get_sessions_usage(bert(cost)).await);
}

#[tokio::test]
async fn lists_searches_and_names_leave_out_what_belongs_to_another_user() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&running);
    diary(&mut bench, &mut running, &grpc).await;
    let tasks = tasks::grpc::Grpc::new(running.engine.clone(), Drain::new());
    let usage = usage::grpc::Grpc::new(running.engine.clone());
    let found = async |request: fn(ListSessionsRequest) -> Request<ListSessionsRequest>,
                       search: Option<&str>| {
        let search = ListSessionsRequest {
            search: search.map(str::to_owned),
            ..ListSessionsRequest::default()
        };
        let page = grpc.list_sessions(request(search)).await.unwrap().into_inner();
        (page.sessions.len(), page.total_count)
    };

    assert_eq!(found(anna, None).await, (1, 1));
    assert_eq!(found(anna, Some("diary")).await, (1, 1));
    assert_eq!(found(bert, None).await, (0, 0));
    assert_eq!(found(bert, Some("diary")).await, (0, 0));
    assert_eq!(found(Request::new, None).await, (1, 1));
    let id = grpc
        .get_chat_history(anna(history(HERS)))
        .await
        .unwrap()
        .into_inner()
        .session_id;
    for name in [
        ResolveSessionRequest {
            key: HERS.into(),
            ..ResolveSessionRequest::default()
        },
        ResolveSessionRequest {
            session_id: id,
            ..ResolveSessionRequest::default()
        },
    ] {
        grpc.resolve_session(anna(name.clone())).await.unwrap();
        none(grpc.resolve_session(bert(name)).await);
    }
    let all = || ListTasksRequest::default();
    assert_eq!(
        tasks
            .list_tasks(anna(all()))
            .await
            .unwrap()
            .into_inner()
            .tasks
            .len(),
        1
    );
    assert_eq!(
        tasks
            .list_tasks(bert(all()))
            .await
            .unwrap()
            .into_inner()
            .tasks
            .len(),
        0
    );
    let all = || GetSessionsUsageRequest::default();
    assert_eq!(
        usage
            .get_sessions_usage(anna(all()))
            .await
            .unwrap()
            .into_inner()
            .sessions
            .len(),
        1
    );
    assert_eq!(
        usage
            .get_sessions_usage(bert(all()))
            .await
            .unwrap()
            .into_inner()
            .sessions
            .len(),
        0
    );
    let named = async |user_id: Option<&str>, everybodys: bool| {
        let request = SummariseSessionsRequest {
            recent_max: 5,
            user_id: user_id.map(str::to_owned),
            everybodys,
        };
        let summary = grpc.summarise_sessions(Request::new(request)).await;
        let agents = summary.unwrap().into_inner().agents;
        (agents[0].count, agents[0].recent.len())
    };
    assert_eq!(named(None, false).await, (1, 0), "a page for all says how many");
    assert_eq!(named(Some("bert"), false).await, (1, 0));
    assert_eq!(named(Some("anna"), false).await, (1, 1));
    assert_eq!(named(None, true).await, (1, 1));
}

#[tokio::test]
async fn the_owner_and_administrators_see_all_and_shared_sessions_stay_shared() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&running);
    diary(&mut bench, &mut running, &grpc).await;

    grpc.get_chat_history(of(None, &TALKS, history(HERS)))
        .await
        .unwrap();
    grpc.get_chat_history(of(Some("bert"), &["operator.admin"], history(HERS)))
        .await
        .unwrap();
    for (shared, run) in [("main", "r2"), ("agent:main:irc:group:#home", "r3")] {
        grpc.send_chat(anna(said(shared, run, "hi all").into_inner()))
            .await
            .unwrap();
        bench.call().await.done().await;
        running.end_of(run).await;
        let page = grpc
            .get_chat_history(bert(history(shared)))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(page.messages.len(), 2);
    }
    assert_eq!(listed(&grpc, ListSessionsRequest::default()).await.len(), 3);
}

#[tokio::test]
async fn events_of_a_users_session_are_for_that_user_and_say_who_spoke() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&running);

    diary(&mut bench, &mut running, &grpc).await;
    let delete = DeleteSessionRequest {
        key: HERS.into(),
        ..DeleteSessionRequest::default()
    };
    grpc.delete_session(Request::new(delete)).await.unwrap();
    running.rest();

    assert!(running.seen.len() > 6);
    let hers = |user: &Option<String>| user.as_deref() == Some("anna");
    assert!(running.seen_by.iter().all(hers), "{:?}", running.seen_by);
    let row = running.seen.iter().find_map(|seen| match seen {
        Seen::Row(row) => row.message.clone(),
        Seen::Chat(..) | Seen::Agent(..) | Seen::Changed(_) | Seen::Aside(_) => None,
    });
    let row = row.unwrap();
    assert_eq!(row.sender_label.as_deref(), Some("ANNA"));
    assert_eq!(row.meta.unwrap().user_id.as_deref(), Some("anna"));
}

#[tokio::test]
async fn a_message_that_races_for_a_new_session_does_not_land_in_another_users() {
    let bench = Bench::new().await;
    let running = bench.run("{}");
    let grpc = grpc(&running);
    let mut admission = crate::testing::message("r2", "hi");
    admission.key = crate::testing::key("diary");
    admission.viewer = Viewer::User("bert".into()); // looked before anna had begun it
    grpc.send_chat(anna(said(HERS, "r1", "my secret").into_inner()))
        .await
        .unwrap();

    let late = running.engine.submit(admission).await;

    assert!(
        matches!(late, Err(crate::error::Error::OfAnotherUser(_))),
        "{late:?}"
    );
}
