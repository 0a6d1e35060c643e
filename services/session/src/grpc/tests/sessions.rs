use super::*;

#[tokio::test]
async fn a_session_is_made_changed_reset_and_forgotten() {
    let mut bench = Bench::new().await;
    let mut running =
        bench.run(r#"{"agents":{"defaults":{"model":"p/m"}},"models":{"providers":{"p":{},"x":{}}}}"#);
    let grpc = grpc(&running);
    let create = || CreateSessionRequest {
        idempotency_key: Some("k".into()),
        label: Some("Home".into()),
        ..CreateSessionRequest::default()
    };
    let made = grpc
        .create_session(Request::new(create()))
        .await
        .unwrap()
        .into_inner();
    let again = grpc
        .create_session(Request::new(create()))
        .await
        .unwrap()
        .into_inner();
    assert!(made.key.starts_with("agent:main:dashboard:"));
    assert_eq!(made.key, again.key);
    for other in [
        CreateSessionRequest {
            label: Some("Work".into()),
            ..create()
        },
        CreateSessionRequest {
            key: Some("elsewhere".into()),
            ..create()
        },
        CreateSessionRequest {
            thinking_level: Some("high".into()),
            ..create()
        },
    ] {
        assert_eq!(
            refusal(grpc.create_session(Request::new(other)).await),
            (Kind::Conflict, Some("chat-request-conflict".to_owned()))
        );
    }
    assert_eq!(made.entry.unwrap().model.as_deref(), Some("m"));

    let patch = PatchSessionRequest {
        key: made.key.clone(),
        model: Some("x/y/z".into()),
        null_fields: vec!["label".into()],
        ..PatchSessionRequest::default()
    };
    let patched = grpc
        .patch_session(Request::new(patch))
        .await
        .unwrap()
        .into_inner()
        .entry
        .unwrap();
    assert_eq!(
        (
            patched.label,
            patched.model_provider.as_deref(),
            patched.model.as_deref()
        ),
        (None, Some("x"), Some("y/z"))
    );
    for model in ["y", "nobody/serves-it"] {
        let wrong = PatchSessionRequest {
            key: made.key.clone(),
            model: Some(model.into()),
            ..PatchSessionRequest::default()
        };
        let failure = Failure::from_status(&grpc.patch_session(Request::new(wrong)).await.unwrap_err());
        assert_eq!(failure.path.as_deref(), Some("/model"), "{model}");
    }

    grpc.send_chat(said(&made.key, "r1", "hi")).await.unwrap();
    let call = bench.call().await;
    assert_eq!(call.request.models, ["x/y/z"]);
    let reset = ResetSessionRequest {
        key: made.key.clone(),
        reason: None,
        agent_id: None,
        expected_session_id: None,
    };
    let reset = grpc
        .reset_session(Request::new(reset))
        .await
        .unwrap()
        .into_inner()
        .entry
        .unwrap();
    call.cancelled().await;
    assert_ne!(reset.session_id, made.session_id);
    let page = grpc
        .get_chat_history(Request::new(history(&made.key)))
        .await
        .unwrap()
        .into_inner();
    let kinds: Vec<_> = page
        .messages
        .iter()
        .map(|row| row.meta.as_ref().and_then(|meta| meta.kind.clone()))
        .collect();
    assert_eq!(kinds, [Some("reset".to_owned())]);

    let foreign = SendChatRequest {
        session_id: Some("another".to_owned()),
        ..said(&made.key, "r2", "hi").into_inner()
    };
    assert_eq!(
        refusal(grpc.send_chat(Request::new(foreign)).await).1.as_deref(),
        Some("session-changed")
    );
    let delete = |expected: Option<String>| {
        Request::new(DeleteSessionRequest {
            key: made.key.clone(),
            expected_session_id: expected,
            ..DeleteSessionRequest::default()
        })
    };
    assert_eq!(
        refusal(grpc.delete_session(delete(Some(made.session_id.clone()))).await).0,
        Kind::Conflict
    );
    assert!(
        grpc.delete_session(delete(None))
            .await
            .unwrap()
            .into_inner()
            .deleted
    );
    assert!(
        !grpc
            .delete_session(delete(None))
            .await
            .unwrap()
            .into_inner()
            .deleted
    );
    running
        .see("the end of the session", |seen| seen.label() == "changed delete")
        .await;
    assert_eq!(running.ends("r1"), 1);
}

#[tokio::test]
async fn lists_show_agents_and_pages_of_sessions() {
    let bench = Bench::new().await;
    let running = bench.run(
        r#"{"agents":{"entries":{"main":{"default":true,"name":"Rusty","identity":{"emoji":"*"}},"b":{"model":{"primary":"p/q"}}}}}"#,
    );
    let grpc = grpc(&running);
    for n in 0..3 {
        let create = CreateSessionRequest {
            key: Some(format!("s{n}")),
            ..CreateSessionRequest::default()
        };
        grpc.create_session(Request::new(create)).await.unwrap();
    }

    let agents = grpc
        .list_agents(Request::new(ListAgentsRequest {}))
        .await
        .unwrap()
        .into_inner();
    let models: Vec<_> = agents
        .agents
        .iter()
        .map(|agent| agent.model.clone().unwrap().primary)
        .collect();
    assert_eq!(
        (agents.default_id.as_str(), models),
        ("main", vec!["echo/echo".to_owned(), "p/q".to_owned()])
    );
    let who = GetAgentIdentityRequest {
        session_key: Some("main".into()),
        agent_id: None,
    };
    let who = grpc
        .get_agent_identity(Request::new(who))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((who.name.as_str(), who.emoji.as_deref()), ("Rusty", Some("*")));

    let list = async |request: ListSessionsRequest| grpc.list_sessions(Request::new(request)).await;
    let page = list(ListSessionsRequest {
        limit: Some(2),
        ..Default::default()
    })
    .await
    .unwrap()
    .into_inner();
    assert_eq!(
        (page.count, page.total_count, page.has_more, page.next_offset),
        (2, 3, true, Some(2))
    );
    let all = list(ListSessionsRequest {
        archived: Some("\"all\"".into()),
        ..Default::default()
    })
    .await
    .unwrap();
    assert_eq!(all.into_inner().count, 3);
    assert!(
        list(ListSessionsRequest {
            archived: Some("7".into()),
            ..Default::default()
        })
        .await
        .is_err()
    );
    let resolve = ResolveSessionRequest {
        key: "Main".into(),
        agent_id: Some("B".into()),
        ..ResolveSessionRequest::default()
    };
    let resolved = grpc
        .resolve_session(Request::new(resolve))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (resolved.key.as_str(), resolved.agent_id.as_str()),
        ("agent:b:main", "b")
    );
    let listen = SubscribeMessagesRequest {
        key: "s1".into(),
        include_approvals: Some(true),
        ..SubscribeMessagesRequest::default()
    };
    let listen = grpc
        .subscribe_messages(Request::new(listen))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((listen.subscribed, listen.key.as_str()), (true, "agent:main:s1"));
    assert_eq!(listen.approval_replay.unwrap().session_key, "agent:main:s1");
}

#[tokio::test]
async fn a_session_that_is_there_takes_over_what_a_request_for_a_new_one_sets() {
    let bench = Bench::new().await;
    let running = bench.run(
        r#"{"agents":{"defaults":{"model":"p/m"}},"models":{"providers":{"p":{"models":[{"id":"m"},{"id":"deep","reasoning":true}]}}}}"#,
    );
    let grpc = grpc(&running);
    let create = async |request: CreateSessionRequest| {
        let key = Some("ex".to_owned());
        let request = CreateSessionRequest { key, ..request };
        grpc.create_session(Request::new(request)).await
    };
    let entry =
        |made: Result<Response<CreateSessionResponse>, Status>| made.unwrap().into_inner().entry.unwrap();
    let first = entry(create(CreateSessionRequest::default()).await);
    let all = || CreateSessionRequest {
        label: Some("Home".into()),
        model: Some("deep".into()),
        thinking_level: Some("high".into()),
        category: Some("Work".into()),
        display_name: Some("Shown".into()),
        idempotency_key: Some("k".into()),
        ..CreateSessionRequest::default()
    };

    let set = entry(create(all()).await);

    assert_eq!(set.session_id, first.session_id);
    assert_eq!(
        (
            set.label.as_deref(),
            set.model.as_deref(),
            set.thinking_level.as_deref(),
            set.category.as_deref()
        ),
        (Some("Home"), Some("deep"), Some("high"), Some("Work"))
    );
    assert_eq!(
        set.display_name, first.display_name,
        "a name to show is a new session's"
    );
    // A repeat says nothing new, and undoes nothing that was said since.
    let renamed = PatchSessionRequest {
        key: "ex".into(),
        label: Some("Elsewhere".into()),
        ..PatchSessionRequest::default()
    };
    grpc.patch_session(Request::new(renamed)).await.unwrap();
    assert_eq!(entry(create(all()).await).label.as_deref(), Some("Elsewhere"));
    let wrong = CreateSessionRequest {
        label: Some("Office".into()),
        model: Some("nothing".into()),
        ..CreateSessionRequest::default()
    };
    assert_eq!(refusal(create(wrong).await).0, Kind::Invalid);
    assert_eq!(
        entry(create(CreateSessionRequest::default()).await)
            .label
            .as_deref(),
        Some("Elsewhere")
    );
}

#[tokio::test]
async fn a_row_is_added_to_a_session_that_there_is_and_a_misspelt_key_makes_none() {
    let bench = Bench::new().await;
    let running = bench.run("{}");
    let grpc = grpc(&running);
    let inject = async |key: &str| {
        let request = InjectChatRequest {
            session_key: key.into(),
            message: "x".into(),
            ..InjectChatRequest::default()
        };
        grpc.inject_chat(Request::new(request)).await
    };

    inject("main").await.unwrap();
    let (kind, reason) = refusal(inject("mian").await);
    assert_eq!(
        (kind, reason.as_deref()),
        (Kind::NotFound, Some("session-not-found"))
    );
    let list = grpc
        .list_sessions(Request::new(ListSessionsRequest::default()))
        .await;
    assert_eq!(list.unwrap().into_inner().count, 1);
}

#[tokio::test]
async fn names_are_bounded_in_letters_and_not_in_bytes() {
    let bench = Bench::new().await;
    let running = bench.run("{}");
    let grpc = grpc(&running);
    let label = async |letters: usize| {
        let request = PatchSessionRequest {
            key: "main".into(),
            label: Some("ü".repeat(letters)),
            ..PatchSessionRequest::default()
        };
        grpc.patch_session(Request::new(request)).await
    };

    label(512).await.unwrap();
    assert_eq!(refusal(label(513).await).0, Kind::Invalid);
}
