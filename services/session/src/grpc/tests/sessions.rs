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

    let stale = SendChatRequest {
        session_id: Some(made.session_id.clone()),
        ..said(&made.key, "r2", "hi").into_inner()
    };
    assert_eq!(
        refusal(grpc.send_chat(Request::new(stale)).await).1.as_deref(),
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
