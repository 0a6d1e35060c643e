//! What clients of the published protocol see of many sessions: lists, groups, previews.

use prost::Message as _;

use super::clients::{created, listed, patch_of, patched};
use super::*;

#[tokio::test]
async fn lists_are_filtered_by_what_clients_ask_for() {
    let bench = Bench::new().await;
    let running = bench.run("{}");
    let grpc = grpc(&running);
    for key in ["global", "a", "b"] {
        let create = CreateSessionRequest {
            key: Some(key.into()),
            parent_session_key: (key == "b").then(|| "agent:main:a".to_owned()),
            ..CreateSessionRequest::default()
        };
        created(&grpc, create).await;
    }
    let all = ListSessionsRequest::default;

    let children = ListSessionsRequest {
        spawned_by: Some("a".into()),
        ..all()
    };
    assert_eq!(listed(&grpc, children).await, ["agent:main:b"]);
    for (request, count) in [
        (all(), 3),
        (
            ListSessionsRequest {
                has_board: Some(true),
                ..all()
            },
            0,
        ),
        (
            ListSessionsRequest {
                board_face: Some("dashboard".into()),
                ..all()
            },
            0,
        ),
        (
            ListSessionsRequest {
                include_global: Some(false),
                ..all()
            },
            2,
        ),
        (
            ListSessionsRequest {
                kind: Some("global".into()),
                ..all()
            },
            1,
        ),
        (
            ListSessionsRequest {
                kind: Some("direct".into()),
                ..all()
            },
            2,
        ),
        (
            ListSessionsRequest {
                kind: Some("group".into()),
                ..all()
            },
            0,
        ),
        (
            ListSessionsRequest {
                channel: Some("irc".into()),
                ..all()
            },
            0,
        ),
        (
            ListSessionsRequest {
                require_last_interaction: Some(true),
                ..all()
            },
            0,
        ),
        (
            ListSessionsRequest {
                configured_agents_only: Some(true),
                ..all()
            },
            3,
        ),
        (
            ListSessionsRequest {
                sort_by: Some("lastInteractionAt".into()),
                ..all()
            },
            3,
        ),
    ] {
        assert_eq!(listed(&grpc, request.clone()).await.len(), count, "{request:?}");
    }
    for wrong in [
        ListSessionsRequest {
            kind: Some("other".into()),
            ..all()
        },
        ListSessionsRequest {
            sort_by: Some("name".into()),
            ..all()
        },
    ] {
        assert!(grpc.list_sessions(Request::new(wrong)).await.is_err());
    }
    let orphan = CreateSessionRequest {
        parent_session_key: Some("agent:main:nobody".into()),
        ..CreateSessionRequest::default()
    };
    let refused = grpc.create_session(Request::new(orphan)).await.unwrap_err();
    assert!(refused.message().contains("unknown parent session"));
}

#[tokio::test]
async fn groups_are_ordered_renamed_and_forgotten_with_what_their_sessions_say() {
    let bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&running);
    let put = |names: &[&str]| PutGroupsRequest {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        section_order: Vec::new(),
    };
    let names =
        |groups: &[SessionGroup]| -> Vec<String> { groups.iter().map(|group| group.name.clone()).collect() };
    let work = PatchSessionRequest {
        category: Some("Work".into()),
        ..patch_of("main")
    };
    patched(&grpc, work).await.unwrap();
    let listed = async || {
        let request = Request::new(ListGroupsRequest {});
        names(&grpc.list_groups(request).await.unwrap().into_inner().groups)
    };
    assert_eq!(listed().await, ["Work"], "what a session is put into is a group");
    let (kind, reason) = refusal(grpc.put_groups(Request::new(put(&["Home"]))).await);
    assert_eq!(
        (kind, reason.as_deref()),
        (Kind::Precondition, Some("group-in-use"))
    );
    assert_eq!(listed().await, ["Work"]);
    let nobody = RenameGroupRequest {
        name: "Nobody".into(),
        to: "Somebody".into(),
    };
    let (kind, reason) = refusal(grpc.rename_group(Request::new(nobody)).await);
    assert_eq!(
        (kind, reason.as_deref()),
        (Kind::NotFound, Some("group-not-found"))
    );

    let groups = grpc
        .put_groups(Request::new(put(&["Home", "Work", "Home"])))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(names(&groups.groups), ["Home", "Work"]);
    let rename = RenameGroupRequest {
        name: "Work".into(),
        to: "Office".into(),
    };
    let groups = grpc
        .rename_group(Request::new(rename))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (names(&groups.groups), groups.updated_sessions),
        (vec!["Home".to_owned(), "Office".to_owned()], Some(1))
    );
    running
        .see("the session in its group", |seen| {
            seen.label() == "changed groups"
        })
        .await;
    let delete = DeleteGroupRequest {
        name: "Office".into(),
    };
    let groups = grpc
        .delete_group(Request::new(delete))
        .await
        .unwrap()
        .into_inner();

    assert_eq!(names(&groups.groups), ["Home"]);
    assert_eq!(listed().await, ["Home"]);
    assert!(patched(&grpc, patch_of("main")).await.unwrap().category.is_none());
}

#[tokio::test]
async fn previews_and_branches_show_the_newest_words() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let grpc = grpc(&running);
    grpc.send_chat(said("main", "r1", "how are\nyou")).await.unwrap();
    bench.call().await.done().await;
    running.end_of("r1").await;
    let preview = PreviewSessionsRequest {
        keys: vec!["main".into(), "agent:main:nothing".into()],
        ..PreviewSessionsRequest::default()
    };

    let previews = grpc
        .preview_sessions(Request::new(preview))
        .await
        .unwrap()
        .into_inner()
        .previews;
    let branches = ListBranchesRequest {
        session_key: "main".into(),
        agent_id: None,
    };
    let branches = grpc
        .list_branches(Request::new(branches))
        .await
        .unwrap()
        .into_inner()
        .branches;

    assert_eq!(
        (previews[0].status.as_str(), previews[1].status.as_str()),
        ("ok", "missing")
    );
    assert_eq!(previews[0].items[0].text, "how are you");
    assert_eq!((branches.len(), branches[0].active), (1, true));
    assert!(
        branches[0]
            .updated_at
            .as_deref()
            .is_some_and(|at| at.ends_with('Z'))
    );
}

#[tokio::test]
async fn who_listens_to_all_sessions_is_told_those_that_he_asks_for_and_otherwise_none() {
    let bench = Bench::new().await;
    let running = bench.run("{}");
    let grpc = grpc(&running);
    for key in ["a", "b"] {
        let create = CreateSessionRequest {
            key: Some(key.into()),
            ..CreateSessionRequest::default()
        };
        created(&grpc, create).await;
    }
    let subscribed = async |request| {
        let answer = grpc.subscribe_sessions(Request::new(request)).await;
        answer.map(|answer| answer.into_inner().list)
    };

    let nothing = SubscribeSessionsRequest::default();
    assert_eq!(subscribed(nothing).await.unwrap(), None);
    let first = SubscribeSessionsRequest {
        limit: Some(1),
        ..SubscribeSessionsRequest::default()
    };
    let list = subscribed(first).await.unwrap().unwrap();
    assert_eq!((list.count, list.total_count, list.has_more), (1, 2, true));
    let wrong = SubscribeSessionsRequest {
        sort_by: Some("colour".into()),
        ..SubscribeSessionsRequest::default()
    };
    assert!(subscribed(wrong).await.is_err(), "as sessions.list refuses it");
}

#[test]
fn what_is_said_of_sessions_at_a_subscription_is_what_is_said_of_a_list() {
    let text = || Some("x".to_owned());
    let all = ListSessionsRequest {
        limit: Some(1),
        offset: Some(2),
        agent_id: text(),
        active_minutes: Some(3),
        search: text(),
        label: text(),
        include_derived_titles: Some(true),
        include_last_message: Some(true),
        archived: text(),
        kind: text(),
        channel: text(),
        spawned_by: text(),
        include_global: Some(true),
        include_unknown: Some(true),
        configured_agents_only: Some(true),
        sort_by: text(),
        require_last_interaction: Some(true),
        has_board: Some(true),
        board_face: text(),
        pinned: Some(true),
        group: text(),
        active_only: Some(true),
        exclude_cron: Some(true),
    };
    let said = SubscribeSessionsRequest::decode(&*all.encode_to_vec()).unwrap();
    assert_eq!(
        said.encode_to_vec(),
        all.encode_to_vec(),
        "the same fields under the same numbers"
    );
}

#[tokio::test]
async fn names_in_lists_are_one_line() {
    let bench = Bench::new().await;
    let running = bench.run("{}");
    let grpc = grpc(&running);
    let twisted = || Some("a\nb".to_owned());
    for request in [
        PatchSessionRequest {
            label: twisted(),
            ..patch_of("main")
        },
        PatchSessionRequest {
            display_name: Some("a\u{0}".into()),
            ..patch_of("main")
        },
        PatchSessionRequest {
            category: twisted(),
            ..patch_of("main")
        },
    ] {
        assert!(patched(&grpc, request).await.is_err());
    }
    let create = CreateSessionRequest {
        label: twisted(),
        ..CreateSessionRequest::default()
    };
    assert!(grpc.create_session(Request::new(create)).await.is_err());
    let put = PutGroupsRequest {
        names: vec!["Work\r".into()],
        section_order: Vec::new(),
    };
    assert!(grpc.put_groups(Request::new(put)).await.is_err());
    let rename = RenameGroupRequest {
        name: "Work".into(),
        to: "\t".into(),
    };
    assert!(grpc.rename_group(Request::new(rename)).await.is_err());
}
