//! History, cursors, resets.

use super::*;

pub(super) async fn a_page_of_history_is_bounded_and_a_cursor_brings_what_is_new(store: &Stores) {
    let main = key("main");
    for n in 1..=5 {
        store
            .transcripts
            .append(&main, row(Role::User, &format!("m{n}"), None, T0.plus_ms(n)))
            .await
            .unwrap();
    }
    let seqs = |page: &HistoryPage| page.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>();

    let page = store.transcripts.history(&main, query(2, 0)).await.unwrap();
    assert_eq!((seqs(&page), page.has_more), (vec![4, 5], true));
    let page = store.transcripts.history(&main, query(2, 4)).await.unwrap();
    assert_eq!((seqs(&page), page.has_more), (vec![1], false));
    let tight = HistoryQuery {
        bytes_max: 9,
        ..query(10, 0)
    };
    assert_eq!(
        seqs(&store.transcripts.history(&main, tight).await.unwrap()),
        [4, 5]
    );

    let session = page.session.unwrap().session_id;
    let since = async |id: &SessionId, seq: i64, limit: u32, bytes_max: usize| {
        let query = HistoryQuery {
            after: Some((id.clone(), seq)),
            bytes_max,
            ..query(limit, 0)
        };
        let page = store.transcripts.history(&main, query).await.unwrap();
        assert!(!page.has_more, "there is no second page behind a cursor");
        page.joins.then(|| seqs(&page))
    };
    let much = 1 << 20;
    assert_eq!(since(&session, 3, 2, much).await, Some(vec![4, 5]));
    assert_eq!(since(&session, 5, 1, much).await, Some(Vec::new()));
    assert_eq!(since(&session, 0, 9, much).await, Some(vec![1, 2, 3, 4, 5]));
    // More than the bounds allow would leave a hole, whichever part of it were answered.
    assert_eq!(since(&session, 2, 2, much).await, None);
    assert_eq!(since(&session, 3, 9, 7).await, None);
    assert_eq!(since(&session, 6, 9, much).await, None, "no row has this number");
    assert_eq!(since(&SessionId::new("old"), 3, 9, much).await, None);
    assert!(
        store
            .transcripts
            .history(&key("nobody"), query(1, 0))
            .await
            .unwrap()
            .session
            .is_none()
    );
    assert_eq!(
        store
            .transcripts
            .entry(&main, 2)
            .await
            .unwrap()
            .unwrap()
            .row
            .content,
        "\"m2\""
    );
}

fn boundary() -> NewEntry {
    NewEntry {
        boundary: true,
        in_context: false,
        preview: String::new(),
        ..row(Role::System, "reset", None, T0.plus_ms(9))
    }
}

pub(super) async fn a_reset_begins_a_new_transcript(store: &Stores) {
    let main = key("main");
    let before = say(store, &main, "r1", "one").await.session;

    let (after, entry) = store
        .sessions
        .reset(&main, boundary(), None, T0.plus_ms(9))
        .await
        .unwrap();

    assert_eq!(entry.seq, 2);
    assert_ne!(before.session_id, after.session_id);
    assert_ne!(before.lifecycle_revision, after.lifecycle_revision);
    assert_eq!((&after.preview, &after.derived_title), (&None, &None));
    let page = store.transcripts.history(&main, query(10, 0)).await.unwrap();
    assert_eq!((page.entries.len(), page.has_more), (1, false));
    assert!(page.entries.first().unwrap().row.boundary);
    let had = async |id: &SessionId| store.sessions.had(&after, id).await.unwrap();
    assert!(had(&before.session_id).await && had(&after.session_id).await);
    assert!(!had(&SessionId::new("another")).await);
    let late = store
        .sessions
        .reset(&main, boundary(), Some(before.session_id.clone()), T0.plus_ms(10));
    assert!(
        matches!(late.await, Err(Error::SessionMoved(_))),
        "another one was meant"
    );
    let same = store
        .sessions
        .reset(&main, boundary(), Some(after.session_id.clone()), T0.plus_ms(11));
    assert!(same.await.is_ok());
    // Who looked at the transcript before says something in the one that there is; another session is another one.
    let late = |key: &SessionKey, run: &str| Admission {
        expected_session: Some(before.session_id.clone()),
        ..admission(key, run, "late")
    };
    let said = store.turns.admit(late(&main, "r2"), None).await;
    assert!(matches!(said, Ok(Admitted::New(_))), "{said:?}");
    say(store, &key("other"), "r3", "hi").await;
    let elsewhere = store.turns.admit(late(&key("other"), "r4"), None).await;
    assert!(matches!(elsewhere, Err(Error::SessionMoved(_))));
}

pub(super) async fn what_a_dead_transcript_has_to_say_is_not_said_into_the_new_one(store: &Stores) {
    let a = Owner::new("a");
    say(store, &key("main"), "r1", "one").await;
    claim(store, &a, T0).await;
    store
        .sessions
        .reset(&key("main"), boundary(), None, T0.plus_ms(1))
        .await
        .unwrap();

    let ended = store
        .turns
        .finish(finish("r1", &a, TurnState::Done, "late"))
        .await
        .unwrap()
        .unwrap();

    assert!(ended.entry.is_none());
    assert_eq!(ended.session.unwrap().last_seq, 2);
}
