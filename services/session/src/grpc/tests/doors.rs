//! Every method of the contract that could reach a session, tried on a private one of another user: it shows nothing and changes nothing.

use std::collections::BTreeSet;

use gatehouse_contract::{Access, Map};
use gatehouse_proto::session::v1::StreamTurnRequest;
use gatehouse_proto::session::v1::conversation_service_server::ConversationService;
use gatehouse_proto::session::v1::program_service_server::ProgramService;
use gatehouse_proto::session::v1::task_service_server::TaskService;
use gatehouse_proto::session::v1::usage_service_server::UsageService;

use super::people::{HERS, anna, bert, diary};
use super::*;
use crate::key::SessionKey;
use crate::sessions::SessionRecord;
use crate::transcripts::HistoryQuery;
use crate::turns::program;
use crate::{conversations, tasks, usage};

/// The beginnings of the names of methods about sessions.
const ABOUT_SESSIONS: [&str; 9] = [
    "agent",
    "agent.wait",
    "chat.",
    "cron.",
    "sessions.",
    "system-event",
    "tasks.",
    "usage.",
    "wake",
];

/// Those that take no session and show none.
const REACH_NONE: [&str; 5] = [
    "chat.metadata",
    "cron.status",
    "sessions.groups.defaults",
    "sessions.unsubscribe",
    "usage.status",
];

/// Asks, and sees that an answer says nothing of the session. A refusal names what was asked for, and no more.
macro_rules! tried {
    ($tried:ident, $name:literal, $answer:expr) => {{
        if let Ok(answer) = $answer.await {
            let told = format!("{:?}", answer.into_inner());
            let is_blind = ["secret", "diary", "Plans"]
                .iter()
                .all(|word| !told.contains(word));
            assert!(is_blind, "{}: {told}", $name);
        }
        $tried.insert($name);
    }};
}

mod jobs;

/// The session and how many rows its transcript has.
async fn kept(running: &Running) -> (SessionRecord, usize) {
    let key = SessionKey::parse(HERS).unwrap();
    let whole = HistoryQuery {
        limit: 100,
        offset: 0,
        after: None,
        bytes_max: 1 << 20,
    };
    let page = running
        .engine
        .stores()
        .transcripts
        .history(&key, whole)
        .await
        .unwrap();
    (page.session.unwrap(), page.entries.len())
}

#[tokio::test]
async fn no_method_shows_or_changes_a_private_session_of_another_user() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&running);
    diary(&mut bench, &mut running, &grpc).await;
    let talk = conversations::Grpc::new(
        running.engine.clone(),
        running.recall.clone(),
        bench.agent.service(),
    );
    let tasks = tasks::grpc::Grpc::new(running.engine.clone(), Drain::new());
    let usage = usage::grpc::Grpc::new(running.engine.clone());
    let key = || HERS.to_owned();
    let patch = PatchSessionRequest {
        key: key(),
        category: Some("Plans".into()),
        pinned: Some(true),
        ..PatchSessionRequest::default()
    };
    grpc.patch_session(anna(patch)).await.unwrap();
    let page = grpc.get_chat_history(anna(history(HERS))).await.unwrap();
    let row = page.into_inner().messages[0].meta.clone().unwrap().id;
    let before = kept(&running).await;
    let mut seen = BTreeSet::new();

    tried!(
        seen,
        "chat.send",
        grpc.send_chat(bert(said(HERS, "r2", "hi").into_inner()))
    );
    tried!(seen, "chat.history", grpc.get_chat_history(bert(history(HERS))));
    let start = StartChatRequest {
        session_key: key(),
        ..StartChatRequest::default()
    };
    tried!(seen, "chat.startup", grpc.start_chat(bert(start)));
    for run_id in [None, Some("r1".to_owned())] {
        let abort = AbortChatRequest {
            session_key: key(),
            run_id,
            ..AbortChatRequest::default()
        };
        tried!(seen, "chat.abort", grpc.abort_chat(bert(abort)));
    }
    let inject = InjectChatRequest {
        session_key: key(),
        message: "x".into(),
        ..InjectChatRequest::default()
    };
    tried!(seen, "chat.inject", grpc.inject_chat(bert(inject)));
    let get = GetMessageRequest {
        session_key: key(),
        message_id: row.clone(),
        ..GetMessageRequest::default()
    };
    tried!(seen, "chat.message.get", talk.get_message(bert(get)));
    let run = RunAgentRequest {
        session_key: Some(key()),
        message: "hi".into(),
        idempotency_key: "r3".into(),
        ..RunAgentRequest::default()
    };
    assert!(grpc.run_agent(bert(run)).await.is_err());
    seen.insert("agent");
    let programs = program::Grpc::new(running.engine.clone(), Drain::new());
    for (session_key, continues) in [(Some(key()), None), (None, Some("r1".to_owned()))] {
        let turn = StreamTurnRequest {
            session_key,
            continues,
            message: Some("hi".into()),
            idempotency_key: "r4".into(),
            ..StreamTurnRequest::default()
        };
        assert!(programs.stream_turn(bert(turn)).await.is_err());
    }
    seen.insert("chat.stream");
    let wait = WaitAgentRequest {
        run_id: "r1".into(),
        timeout_ms: Some(0),
    };
    tried!(seen, "agent.wait", grpc.wait_agent(bert(wait)));

    for search in [None, Some("diary".to_owned()), Some("secret".to_owned())] {
        let list = ListSessionsRequest {
            search,
            ..ListSessionsRequest::default()
        };
        tried!(seen, "sessions.list", grpc.list_sessions(bert(list)));
    }
    for search in ["diary", "secret"] {
        let subscribe = SubscribeSessionsRequest {
            search: Some(search.into()),
            include_last_message: Some(true),
            ..SubscribeSessionsRequest::default()
        };
        tried!(
            seen,
            "sessions.subscribe",
            grpc.subscribe_sessions(bert(subscribe))
        );
    }
    for session_keys in [vec![], vec![key()]] {
        let search = SearchSessionsRequest {
            query: "secret".into(),
            session_keys,
            ..SearchSessionsRequest::default()
        };
        tried!(seen, "sessions.search", talk.search_sessions(bert(search)));
    }
    let describe = DescribeSessionRequest {
        key: key(),
        ..DescribeSessionRequest::default()
    };
    tried!(seen, "sessions.describe", grpc.describe_session(bert(describe)));
    for resolve in [
        ResolveSessionRequest {
            key: key(),
            ..ResolveSessionRequest::default()
        },
        ResolveSessionRequest {
            session_id: Some(before.0.session_id.to_string()),
            ..ResolveSessionRequest::default()
        },
    ] {
        tried!(seen, "sessions.resolve", grpc.resolve_session(bert(resolve)));
    }
    for create in [
        CreateSessionRequest {
            key: Some(key()),
            ..CreateSessionRequest::default()
        },
        CreateSessionRequest {
            parent_session_key: Some(key()),
            ..CreateSessionRequest::default()
        },
    ] {
        tried!(seen, "sessions.create", grpc.create_session(bert(create)));
    }
    let patch = PatchSessionRequest {
        key: key(),
        pinned: Some(false),
        label: Some("mine".into()),
        ..PatchSessionRequest::default()
    };
    tried!(seen, "sessions.patch", grpc.patch_session(bert(patch)));
    let many = PatchSessionsRequest {
        targets: vec![PatchTarget {
            key: key(),
            ..PatchTarget::default()
        }],
        patch: Some(SessionChanges {
            archived: Some(true),
            ..SessionChanges::default()
        }),
    };
    let told = talk.patch_sessions(bert(many)).await.unwrap().into_inner();
    assert!(told.outcomes.iter().all(|outcome| !outcome.ok), "{told:?}");
    seen.insert("sessions.patchMany");
    let reset = ResetSessionRequest {
        key: key(),
        ..ResetSessionRequest::default()
    };
    tried!(seen, "sessions.reset", grpc.reset_session(bert(reset)));
    let delete = DeleteSessionRequest {
        key: key(),
        ..DeleteSessionRequest::default()
    };
    tried!(seen, "sessions.delete", grpc.delete_session(bert(delete)));
    let preview = PreviewSessionsRequest {
        keys: vec![key()],
        ..PreviewSessionsRequest::default()
    };
    tried!(seen, "sessions.preview", grpc.preview_sessions(bert(preview)));
    let branches = ListBranchesRequest {
        session_key: key(),
        agent_id: None,
    };
    tried!(seen, "sessions.branches.list", grpc.list_branches(bert(branches)));
    let send = SendMessageRequest {
        key: key(),
        message: "hi".into(),
        ..SendMessageRequest::default()
    };
    tried!(seen, "sessions.send", talk.send_message(bert(send)));
    for (key, run_id) in [(Some(key()), None), (None, Some("r1".to_owned()))] {
        let abort = AbortSessionRequest {
            key,
            run_id,
            agent_id: None,
        };
        tried!(seen, "sessions.abort", talk.abort_session(bert(abort)));
    }
    let compact = CompactSessionRequest {
        key: key(),
        agent_id: None,
    };
    tried!(seen, "sessions.compact", talk.compact_session(bert(compact)));
    let fork = ForkSessionRequest {
        session_key: key(),
        agent_id: None,
        entry_id: row,
    };
    tried!(seen, "sessions.fork", talk.fork_session(bert(fork)));
    let viewers = SetViewersRequest {
        session_keys: vec![key()],
        agent_id: None,
    };
    tried!(seen, "sessions.viewers.set", talk.set_viewers(bert(viewers)));
    let subscribe = SubscribeMessagesRequest {
        key: key(),
        ..SubscribeMessagesRequest::default()
    };
    assert!(grpc.subscribe_messages(bert(subscribe)).await.is_err());
    seen.insert("sessions.messages.subscribe");
    // Ends what he listens to himself, and says the key that he said.
    seen.insert("sessions.messages.unsubscribe");

    tried!(
        seen,
        "sessions.groups.list",
        grpc.list_groups(bert(ListGroupsRequest {}))
    );
    let put = PutGroupsRequest {
        names: vec!["Work".into()],
        section_order: Vec::new(),
    };
    tried!(seen, "sessions.groups.put", grpc.put_groups(bert(put)));
    let rename = RenameGroupRequest {
        name: "Plans".into(),
        to: "Mine".into(),
    };
    tried!(seen, "sessions.groups.rename", grpc.rename_group(bert(rename)));
    let delete = DeleteGroupRequest { name: "Plans".into() };
    tried!(seen, "sessions.groups.delete", grpc.delete_group(bert(delete)));

    for session_key in [None, Some(key())] {
        let list = ListTasksRequest {
            session_key,
            ..ListTasksRequest::default()
        };
        tried!(seen, "tasks.list", tasks.list_tasks(bert(list)));
    }
    let get = GetTaskRequest { task_id: "r1".into() };
    tried!(seen, "tasks.get", tasks.get_task(bert(get)));
    let cancel = CancelTaskRequest {
        task_id: "r1".into(),
        ..CancelTaskRequest::default()
    };
    tried!(seen, "tasks.cancel", tasks.cancel_task(bert(cancel)));

    let spent = async |request: Request<GetUsageCostRequest>| {
        let cost = usage.get_usage_cost(request).await.unwrap().into_inner();
        cost.totals.unwrap().input
    };
    assert_eq!(spent(bert(GetUsageCostRequest::default())).await, 0);
    assert_eq!(spent(anna(GetUsageCostRequest::default())).await, 1);
    seen.insert("usage.cost");
    for key in [None, Some(key())] {
        let all = GetSessionsUsageRequest {
            key,
            ..GetSessionsUsageRequest::default()
        };
        tried!(seen, "sessions.usage", usage.get_sessions_usage(bert(all)));
    }
    let series = GetSessionUsageSeriesRequest {
        key: key(),
        agent_id: None,
    };
    assert!(usage.get_session_usage_series(bert(series)).await.is_err());
    seen.insert("sessions.usage.timeseries");
    let logs = GetSessionUsageLogsRequest {
        key: key(),
        ..GetSessionUsageLogsRequest::default()
    };
    tried!(
        seen,
        "sessions.usage.logs",
        usage.get_session_usage_logs(bert(logs))
    );

    jobs::are_blind(&bench, &running, &mut seen).await;

    assert_eq!(kept(&running).await, before, "nothing of it was changed");
    let map = Map::core();
    let about = |name: &str| {
        ABOUT_SESSIONS
            .iter()
            .any(|begin| name == *begin || (begin.ends_with('.') && name.starts_with(begin)))
    };
    let untried: Vec<&str> = map
        .methods()
        .filter(|method| method.access != Access::Admin) // whoever may call those sees all
        .map(|method| method.name.as_str())
        .filter(|name| about(name) && !seen.contains(name) && !REACH_NONE.contains(name))
        .collect();
    assert_eq!(
        untried,
        Vec::<&str>::new(),
        "try it above, or say why it reaches no session"
    );
}

#[tokio::test]
async fn renaming_or_deleting_a_group_leaves_the_private_sessions_of_others_where_they_are() {
    let bench = Bench::new().await;
    let running = bench.run("{}");
    let grpc = grpc(&running);
    let own = ["agent:main:annas", "agent:main:berts"];
    for (key, request) in own
        .into_iter()
        .zip([anna, bert] as [fn(CreateSessionRequest) -> _; 2])
    {
        let create = CreateSessionRequest {
            key: Some(key.into()),
            ..CreateSessionRequest::default()
        };
        grpc.create_session(request(create)).await.unwrap();
    }
    for (key, request) in own
        .into_iter()
        .zip([anna, bert] as [fn(PatchSessionRequest) -> _; 2])
    {
        let work = PatchSessionRequest {
            key: key.into(),
            category: Some("Work".into()),
            ..PatchSessionRequest::default()
        };
        grpc.patch_session(request(work)).await.unwrap();
    }
    let categories = async || {
        let mut found = Vec::new();
        for key in own {
            let key = SessionKey::parse(key).unwrap();
            let session = running.engine.stores().sessions.find(&key).await.unwrap();
            found.push(session.unwrap().category.unwrap_or_default());
        }
        found
    };
    let rename = |from: &str, to: &str| RenameGroupRequest {
        name: from.into(),
        to: to.into(),
    };

    let renamed = grpc.rename_group(bert(rename("Work", "Office"))).await.unwrap();
    assert_eq!(renamed.into_inner().updated_sessions, Some(1));
    assert_eq!(categories().await, ["Work", "Office"]);
    let office = DeleteGroupRequest {
        name: "Office".into(),
    };
    grpc.delete_group(bert(office)).await.unwrap();
    let work = DeleteGroupRequest { name: "Work".into() };
    let none = grpc.delete_group(bert(work)).await.unwrap();
    assert_eq!(none.into_inner().updated_sessions, None);
    assert_eq!(categories().await, ["Work", ""]);

    let all = grpc
        .rename_group(Request::new(rename("Work", "Home")))
        .await
        .unwrap();
    assert_eq!(all.into_inner().updated_sessions, Some(1), "the owner sees all");
    assert_eq!(categories().await, ["Home", ""]);
}
