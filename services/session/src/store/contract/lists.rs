//! Sessions as lists, labels, forgetting, contexts.

use super::*;

pub(super) async fn a_list_is_filtered_paged_and_counted(store: &Stores) {
    for n in 0..6 {
        let key = SessionKey::parse(&format!("agent:{}:s{n}", if n % 2 == 0 { "a" } else { "b" })).unwrap();
        store
            .sessions
            .create(&key, SessionPatch::default(), None, T0.plus_ms(n))
            .await
            .unwrap();
    }
    let archive = SessionPatch {
        archived: Some(true),
        ..SessionPatch::default()
    };
    store
        .sessions
        .patch(&SessionKey::parse("agent:a:s0").unwrap(), archive, T0.plus_ms(10))
        .await
        .unwrap();
    let list = async |filter: SessionFilter| {
        let page = store.sessions.list(filter).await.unwrap();
        (
            page.sessions
                .iter()
                .map(|s| s.key.rest().to_owned())
                .collect::<Vec<_>>()
                .join(" "),
            page.total,
        )
    };
    let all = SessionFilter {
        archived: Some(false),
        limit: 10,
        ..SessionFilter::default()
    };

    assert_eq!(list(all.clone()).await, ("s5 s4 s3 s2 s1".to_owned(), 5));
    assert_eq!(
        list(SessionFilter {
            limit: 2,
            offset: 1,
            ..all.clone()
        })
        .await,
        ("s4 s3".to_owned(), 5)
    );
    assert_eq!(
        list(SessionFilter {
            archived: None,
            ..all.clone()
        })
        .await
        .1,
        6
    );
    assert_eq!(
        list(SessionFilter {
            archived: Some(true),
            ..all.clone()
        })
        .await,
        ("s0".to_owned(), 1)
    );
    let of_a = Some(crate::key::AgentId::normalise("a").unwrap());
    assert_eq!(
        list(SessionFilter {
            agent: of_a,
            ..all.clone()
        })
        .await,
        ("s4 s2".to_owned(), 2)
    );
    assert_eq!(
        list(SessionFilter {
            since: Some(T0.plus_ms(4)),
            ..all.clone()
        })
        .await,
        ("s5 s4".to_owned(), 2)
    );
    assert_eq!(
        list(SessionFilter {
            search: Some("S3".into()),
            ..all.clone()
        })
        .await,
        ("s3".to_owned(), 1)
    );
    store
        .sessions
        .delete(&SessionKey::parse("agent:b:s5").unwrap(), None)
        .await
        .unwrap();
    assert_eq!(list(all).await.1, 4);
}

pub(super) async fn a_label_is_unique(store: &Stores) {
    let named = || SessionPatch {
        label: Some(Some("Home".into())),
        ..SessionPatch::default()
    };
    store.sessions.create(&key("a"), named(), None, T0).await.unwrap();
    let (again, made) = store
        .sessions
        .create(&key("a"), SessionPatch::default(), None, T0)
        .await
        .unwrap();
    assert!(made == Made::Found && again.label.as_deref() == Some("Home"));

    assert!(matches!(
        store.sessions.create(&key("b"), named(), None, T0).await,
        Err(Error::LabelTaken(_))
    ));
    assert!(store.sessions.find(&key("b")).await.unwrap().is_none());
    let cleared = SessionPatch {
        label: Some(None),
        ..SessionPatch::default()
    };
    assert_eq!(
        store.sessions.patch(&key("a"), cleared, T0).await.unwrap().label,
        None
    );
    store.sessions.create(&key("b"), named(), None, T0).await.unwrap();
    assert!(matches!(
        store.sessions.patch(&key("c"), named(), T0).await,
        Err(Error::NoSession(_))
    ));
}

pub(super) async fn a_session_is_forgotten_with_its_rows(store: &Stores) {
    let main = key("main");
    let session = say(store, &main, "r1", "one").await.session;

    assert!(matches!(
        store.sessions.delete(&main, None).await,
        Err(Error::StillStopping(_))
    ));
    store.turns.abort(&main, None, Origin::Rpc, T0).await.unwrap();
    assert!(matches!(
        store.sessions.delete(&main, Some(SessionId::new("x"))).await,
        Err(Error::SessionMoved(_))
    ));
    assert!(
        store
            .sessions
            .delete(&main, Some(session.session_id))
            .await
            .unwrap()
    );

    assert!(!store.sessions.delete(&main, None).await.unwrap());
    say(store, &main, "r2", "again").await;
    assert_eq!(
        store
            .transcripts
            .history(&main, query(9, 0))
            .await
            .unwrap()
            .entries
            .len(),
        1
    );
}

pub(super) async fn old_rows_are_forgotten_and_young_ones_kept(store: &Stores) {
    let a = Owner::new("a");
    let inbound = |message: &str| {
        Some(InboundKey {
            channel: "irc".into(),
            account: "a".into(),
            message: message.into(),
        })
    };
    admit(
        store,
        Admission {
            inbound: inbound("m1"),
            ..admission(&key("main"), "r1", "x")
        },
    )
    .await;
    claim(store, &a, T0).await;
    store
        .turns
        .finish(finish("r1", &a, TurnState::Done, "x"))
        .await
        .unwrap()
        .unwrap();

    assert_eq!(store.upkeep.prune(T0).await.unwrap(), 0);
    assert_eq!(store.upkeep.prune(T0.plus_ms(100)).await.unwrap(), 2);

    assert!(store.turns.find(&run("r1")).await.unwrap().is_none());
    admit(
        store,
        Admission {
            inbound: inbound("m1"),
            ..admission(&key("main"), "r2", "x")
        },
    )
    .await;
    assert_eq!(
        store
            .transcripts
            .history(&key("main"), query(9, 0))
            .await
            .unwrap()
            .entries
            .len(),
        3,
        "transcripts stay"
    );
}

pub(super) async fn the_context_knows_what_waits_and_what_was_merged(store: &Stores) {
    let a = Owner::new("a");
    for id in ["r1", "r2"] {
        admit(store, mode(admission(&key("main"), id, id), QueueMode::Collect)).await;
    }
    let head = store
        .turns
        .claim(lease(&a, T0.plus_ms(20_000)), T0.plus_ms(9_000))
        .await
        .unwrap()
        .unwrap()
        .turn;
    say(store, &key("main"), "r3", "later").await;

    let rows = store.transcripts.context(&head.key, 10).await.unwrap();

    let seen: Vec<_> = rows
        .iter()
        .map(|row| (row.answered_in.clone().unwrap(), row.waiting))
        .collect();
    assert_eq!(seen, [(run("r1"), false), (run("r1"), false), (run("r3"), true)]);
    assert_eq!(store.transcripts.context(&head.key, 1).await.unwrap().len(), 1);
}
