//! What every store must do, whatever it is made of. An implementation's test calls [`all`] with a way to open an empty
//! store; the first half of the pair is whatever must outlive it.

use super::*;
use crate::error::Error;
use crate::id::EntryId;
use crate::queue::{DropPolicy, QueueMode, QueueRule};

const T0: i64 = 1_800_000_000_000;

/// Runs the suite, each part on a store of its own.
pub(crate) async fn all<S: Store, G>(open: impl Fn() -> (G, S)) {
    macro_rules! each {
        ($($part:ident),* $(,)?) => { $( { let (_keep, store) = open(); $part(&store).await; } )* };
    }
    each!(
        a_message_its_turn_and_its_session_are_stored_together,
        a_repeat_is_known_and_another_message_under_its_key_is_a_conflict,
        a_platform_message_is_taken_once,
        one_turn_of_a_session_runs_at_a_time_and_in_order,
        a_turn_ends_once,
        the_reply_of_a_turn_waits_for_the_bridge,
        what_waits_together_is_answered_together_but_never_across_chats,
        collected_messages_wait_for_a_quiet_moment,
        an_interrupting_message_ends_what_waits_and_stops_what_runs,
        a_full_queue_refuses_or_gives_up_the_oldest,
        the_turns_of_a_dead_owner_run_again_or_end_with_a_notice,
        a_lease_that_ended_is_lost,
        a_page_of_history_is_bounded_and_a_cursor_brings_what_is_new,
        a_reset_begins_a_new_transcript,
        what_a_dead_transcript_has_to_say_is_not_said_into_the_new_one,
        a_list_is_filtered_paged_and_counted,
        a_label_is_unique,
        a_session_is_forgotten_with_its_rows,
        old_rows_are_forgotten_and_young_ones_kept,
        the_context_knows_what_waits_and_what_was_merged,
    );
}

/// Opens a store that its last owner may still be closing.
pub(crate) async fn reopen<S>(open: impl Fn() -> Result<S, Error>) -> S {
    for _ in 0..500 {
        if let Ok(store) = open() {
            return store;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    open().unwrap()
}

fn key(rest: &str) -> SessionKey {
    SessionKey::parse(&format!("agent:main:{rest}")).unwrap()
}

fn run(id: &str) -> RunId {
    RunId::new(id)
}

fn chat(to: &str) -> Target {
    Target {
        channel: "irc".into(),
        account_id: "home".into(),
        to: to.into(),
        thread_id: None,
        reply_to_id: None,
    }
}

fn row(role: Role, text: &str, run: Option<&str>, now: i64) -> NewEntry {
    NewEntry {
        id: EntryId::generate(),
        role,
        content: crate::rows::plain(text),
        preview: text.to_owned(),
        timestamp: now,
        run: run.map(RunId::new),
        boundary: false,
        in_context: true,
        extra: EntryExtra::default(),
    }
}

fn admission(key: &SessionKey, run: &str, text: &str) -> Admission {
    Admission {
        key: key.clone(),
        run: RunId::new(run),
        entry: row(Role::User, text, Some(run), T0),
        fingerprint: text.as_bytes().to_vec(),
        queue: QueueRule {
            mode: QueueMode::Followup,
            quiet_ms: 500,
            cap: 20,
            drop: DropPolicy::New,
        },
        reply: Reply::Screens,
        seed: Seed::default(),
        expected_session: None,
        inbound: None,
        model: None,
        thinking: None,
        timeout_ms: None,
        traceparent: None,
        now: T0,
    }
}

fn mode(admission: Admission, mode: QueueMode) -> Admission {
    Admission {
        queue: QueueRule {
            mode,
            ..admission.queue
        },
        ..admission
    }
}

async fn admit<S: Store>(store: &S, admission: Admission) -> NewTurn {
    match store.admit(admission).await.unwrap() {
        Admitted::New(new) => *new,
        Admitted::Known(turn) => panic!("{} was known", turn.run),
    }
}

/// Says something and stores it.
pub(crate) async fn say<S: Store>(store: &S, key: &SessionKey, run: &str, text: &str) -> NewTurn {
    admit(store, admission(key, run, text)).await
}

fn finish(run: &str, owner: &Owner, state: TurnState, text: &str) -> Finish {
    Finish {
        run: RunId::new(run),
        owner: owner.clone(),
        state,
        entry: Some(row(Role::Assistant, text, Some(run), T0 + 5)),
        reply: Some(text.to_owned()),
        stop_reason: Some("stop".into()),
        error: None,
        usage: Some(Tokens { input: 3, output: 4 }),
        answered_by: Some(("p".into(), "m".into())),
        now: T0 + 5,
    }
}

async fn claim<S: Store>(store: &S, owner: &Owner, now: i64) -> Option<RunId> {
    let claimed = store.claim(owner, now, now + 15_000).await.unwrap()?;
    store.start(&claimed.turn.run, owner, now).await.unwrap();
    Some(claimed.turn.run)
}

fn query(limit: u32, offset: u32) -> HistoryQuery {
    HistoryQuery {
        limit,
        offset,
        after: None,
        bytes_max: 1 << 20,
    }
}

async fn a_message_its_turn_and_its_session_are_stored_together<S: Store>(store: &S) {
    let main = key("main");
    let new = say(store, &main, "r1", "hello\nthere").await;

    assert_eq!((new.turn.state, new.entry.seq), (TurnState::Queued, 1));
    let session = store.session(&main).await.unwrap().unwrap();
    assert_eq!(session.preview.as_deref(), Some("hello there"));
    assert_eq!(session.derived_title.as_deref(), Some("hello there"));
    assert_eq!(session.status.as_deref(), Some("queued"));
    assert_eq!(session, new.session);
    assert_eq!(store.turn(&run("r1")).await.unwrap(), Some(new.turn));
    assert!(store.turn(&run("r2")).await.unwrap().is_none());
    store.probe().await.unwrap();
}

async fn a_repeat_is_known_and_another_message_under_its_key_is_a_conflict<S: Store>(store: &S) {
    let main = key("main");
    say(store, &main, "r1", "hello").await;

    assert!(matches!(
        store.admit(admission(&main, "r1", "hello")).await.unwrap(),
        Admitted::Known(_)
    ));
    assert!(matches!(
        store.admit(admission(&main, "r1", "other")).await,
        Err(Error::RequestConflict)
    ));
    let moved = Admission {
        expected_session: Some(SessionId::new("gone")),
        ..admission(&main, "r2", "x")
    };
    assert!(matches!(store.admit(moved).await, Err(Error::SessionMoved(_))));
    assert_eq!(store.session(&main).await.unwrap().unwrap().last_seq, 1);
}

async fn a_platform_message_is_taken_once<S: Store>(store: &S) {
    let inbound = InboundKey {
        channel: "irc".into(),
        account: "home".into(),
        message: "m1".into(),
    };
    let message = |run: &str| Admission {
        inbound: Some(inbound.clone()),
        reply: Reply::To(chat("#a")),
        ..admission(&key("irc:channel:#a"), run, "hi")
    };
    admit(store, message("r1")).await;

    let Admitted::Known(turn) = store.admit(message("r2")).await.unwrap() else {
        panic!("taken twice")
    };

    assert_eq!(turn.run, run("r1"));
    assert!(store.turn(&run("r2")).await.unwrap().is_none());
    assert_eq!(
        store.session(&turn.key).await.unwrap().unwrap().target,
        Some(chat("#a"))
    );
}

async fn one_turn_of_a_session_runs_at_a_time_and_in_order<S: Store>(store: &S) {
    let (a, b) = (Owner::new("a"), Owner::new("b"));
    say(store, &key("main"), "r1", "one").await;
    say(store, &key("main"), "r2", "two").await;
    say(store, &key("other"), "r3", "three").await;

    assert_eq!(claim(store, &a, T0).await, Some(run("r1")));
    assert_eq!(claim(store, &b, T0).await, Some(run("r3")));
    assert_eq!(claim(store, &b, T0).await, None);
    let session = store.session(&key("main")).await.unwrap().unwrap();
    assert_eq!(
        (session.status.as_deref(), session.active_run),
        (Some("running"), Some(run("r1")))
    );

    store
        .finish(finish("r1", &a, TurnState::Done, "answer"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(claim(store, &b, T0).await, Some(run("r2")));
}

async fn a_turn_ends_once<S: Store>(store: &S) {
    let (a, b) = (Owner::new("a"), Owner::new("b"));
    say(store, &key("main"), "r1", "one").await;
    claim(store, &a, T0).await;

    assert!(
        store
            .finish(finish("r1", &b, TurnState::Failed, "no"))
            .await
            .unwrap()
            .is_none()
    );
    let ended = store
        .finish(finish("r1", &a, TurnState::Done, "answer"))
        .await
        .unwrap()
        .unwrap();
    assert!(
        store
            .finish(finish("r1", &a, TurnState::Failed, "no"))
            .await
            .unwrap()
            .is_none()
    );

    assert_eq!(ended.entry.map(|entry| entry.seq), Some(2));
    let session = ended.session.unwrap();
    assert_eq!(
        (session.status.as_deref(), session.active_run),
        (Some("done"), None)
    );
    assert_eq!((session.input_tokens, session.output_tokens), (3, 4));
    assert_eq!(session.answered_by, Some(("p".into(), "m".into())));
    assert!(
        store
            .abort(&key("main"), None, Origin::Rpc, T0)
            .await
            .unwrap()
            .ended
            .is_empty()
    );
    assert_eq!(store.renew(&run("r1"), &a, T0).await.unwrap(), Hold::Lost);
    assert!(
        store.deliveries(T0 + 10, 10).await.unwrap().is_empty(),
        "a turn from a screen has no chat"
    );
}

async fn the_reply_of_a_turn_waits_for_the_bridge<S: Store>(store: &S) {
    let a = Owner::new("a");
    for id in ["r1", "r2"] {
        let to = Admission {
            reply: Reply::To(chat("#a")),
            ..admission(&key("main"), id, "hi")
        };
        admit(store, to).await;
        claim(store, &a, T0).await;
        store
            .finish(finish(id, &a, TurnState::Done, "answer"))
            .await
            .unwrap()
            .unwrap();
    }
    let to_session = Admission {
        reply: Reply::SessionChat,
        ..admission(&key("main"), "r3", "hi")
    };
    assert_eq!(admit(store, to_session).await.turn.target, Some(chat("#a")));
    let nowhere = Admission {
        reply: Reply::SessionChat,
        ..admission(&key("new"), "r4", "hi")
    };
    assert!(matches!(store.admit(nowhere).await, Err(Error::NoTarget(_))));
    assert!(
        store.session(&key("new")).await.unwrap().is_none(),
        "a refusal leaves nothing behind"
    );

    let waiting = store.deliveries(T0 + 10, 10).await.unwrap();
    assert_eq!(
        waiting
            .iter()
            .map(|delivery| delivery.key.as_str())
            .collect::<Vec<_>>(),
        ["r1/0", "r2/0"]
    );
    let first = waiting.first().unwrap().id;
    store
        .settle(first, DeliveryOutcome::Later { not_before: T0 + 100 })
        .await
        .unwrap();
    assert!(
        store.deliveries(T0 + 10, 10).await.unwrap().is_empty(),
        "the second waits behind the first"
    );
    assert_eq!(store.deliveries(T0 + 100, 10).await.unwrap().len(), 2);
    store
        .settle(first, DeliveryOutcome::Taken { now: T0 + 100 })
        .await
        .unwrap();
    assert_eq!(store.deliveries(T0 + 100, 10).await.unwrap().len(), 1);
}

async fn what_waits_together_is_answered_together_but_never_across_chats<S: Store>(store: &S) {
    let a = Owner::new("a");
    for (id, to) in [("r1", "#a"), ("r2", "#a"), ("r3", "#b"), ("r4", "#a")] {
        let message = Admission {
            reply: Reply::To(chat(to)),
            ..admission(&key("main"), id, id)
        };
        admit(store, mode(message, QueueMode::Collect)).await;
    }

    let claimed = store.claim(&a, T0 + 10_000, T0 + 20_000).await.unwrap().unwrap();

    assert_eq!(claimed.turn.run, run("r1"));
    let merged: Vec<_> = claimed
        .merged
        .iter()
        .map(|ended| ended.turn.run.as_str().to_owned())
        .collect();
    assert_eq!(merged, ["r2"]);
    let second = store.turn(&run("r2")).await.unwrap().unwrap();
    assert_eq!(
        (second.state, second.merged_into),
        (TurnState::Done, Some(run("r1")))
    );
    assert_eq!(
        store.turn(&run("r3")).await.unwrap().unwrap().state,
        TurnState::Queued
    );
    assert_eq!(
        store.session(&key("main")).await.unwrap().unwrap().active_run,
        Some(run("r1"))
    );
}

async fn collected_messages_wait_for_a_quiet_moment<S: Store>(store: &S) {
    let a = Owner::new("a");
    let message = |id: &str, now: i64| Admission {
        now,
        ..mode(admission(&key("main"), id, id), QueueMode::Collect)
    };
    admit(store, message("r1", T0)).await;
    assert_eq!(
        claim(store, &a, T0).await,
        Some(run("r1")),
        "an idle session answers at once"
    );
    admit(store, message("r2", T0)).await;
    admit(store, message("r3", T0 + 300)).await;
    store
        .finish(finish("r1", &a, TurnState::Done, "x"))
        .await
        .unwrap()
        .unwrap();

    assert_eq!(claim(store, &a, T0 + 600).await, None);
    assert_eq!(store.next_due(T0 + 600).await.unwrap(), Some(T0 + 800));
    let claimed = store.claim(&a, T0 + 800, T0 + 20_000).await.unwrap().unwrap();
    assert_eq!((claimed.turn.run, claimed.merged.len()), (run("r2"), 1));
}

async fn an_interrupting_message_ends_what_waits_and_stops_what_runs<S: Store>(store: &S) {
    let a = Owner::new("a");
    say(store, &key("main"), "r1", "one").await;
    claim(store, &a, T0).await;
    say(store, &key("main"), "r2", "two").await;

    let new = admit(
        store,
        mode(admission(&key("main"), "r3", "three"), QueueMode::Interrupt),
    )
    .await;

    assert_eq!(
        new.gave_way
            .ended
            .iter()
            .map(|ended| ended.turn.run.clone())
            .collect::<Vec<_>>(),
        [run("r2")]
    );
    assert_eq!(new.gave_way.asked, [run("r1")]);
    assert_eq!(
        store.renew(&run("r1"), &a, T0 + 9).await.unwrap(),
        Hold::Stop(Origin::Interrupt)
    );
    store
        .finish(finish("r1", &a, TurnState::Aborted, "part"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(claim(store, &a, T0).await, Some(run("r3")));
}

async fn a_full_queue_refuses_or_gives_up_the_oldest<S: Store>(store: &S) {
    let small = |id: &str, drop| {
        let message = admission(&key("main"), id, id);
        Admission {
            queue: QueueRule {
                cap: 2,
                drop,
                ..message.queue
            },
            ..message
        }
    };
    admit(store, small("r1", DropPolicy::New)).await;
    admit(store, small("r2", DropPolicy::New)).await;

    assert!(matches!(
        store.admit(small("r3", DropPolicy::New)).await,
        Err(Error::QueueFull { cap: 2 })
    ));
    let new = admit(store, small("r4", DropPolicy::Old)).await;

    assert_eq!(new.gave_way.ended.len(), 1);
    assert_eq!(
        store.turn(&run("r1")).await.unwrap().unwrap().state,
        TurnState::Aborted
    );
    assert!(store.turn(&run("r3")).await.unwrap().is_none());
}

fn reclaim(owner: &Owner, others_are_dead: bool, now: i64) -> Reclaim {
    Reclaim {
        owner: owner.clone(),
        others_are_dead,
        notice: "cut short".into(),
        attempts_max: 3,
        now,
    }
}

async fn the_turns_of_a_dead_owner_run_again_or_end_with_a_notice<S: Store>(store: &S) {
    let (dead, next) = (Owner::new("dead"), Owner::new("next"));
    say(store, &key("a"), "unseen", "one").await;
    claim(store, &dead, T0).await;
    let seen = Admission {
        reply: Reply::To(chat("#a")),
        ..admission(&key("b"), "seen", "two")
    };
    admit(store, seen).await;
    claim(store, &dead, T0).await;
    assert_eq!(store.show(&run("seen"), &dead).await.unwrap(), Hold::Held);
    say(store, &key("c"), "stopped", "three").await;
    claim(store, &dead, T0).await;
    store.abort(&key("c"), None, Origin::Rpc, T0).await.unwrap();

    let untouched = store.reclaim(reclaim(&next, false, T0 + 10)).await.unwrap();
    assert!(
        untouched.queued.is_empty() && untouched.ended.is_empty(),
        "their leases hold"
    );
    let reclaimed = store.reclaim(reclaim(&next, true, T0 + 10)).await.unwrap();

    assert_eq!(reclaimed.queued, [run("unseen")]);
    let states: Vec<_> = reclaimed
        .ended
        .iter()
        .map(|ended| (ended.turn.run.as_str(), ended.turn.state))
        .collect();
    assert_eq!(
        states,
        [("seen", TurnState::Interrupted), ("stopped", TurnState::Aborted)]
    );
    assert_eq!(
        store
            .deliveries(T0 + 10, 9)
            .await
            .unwrap()
            .first()
            .map(|d| d.text.clone()),
        Some("cut short".into())
    );
    assert!(
        store
            .finish(finish("unseen", &dead, TurnState::Done, "late"))
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        store
            .finish(finish("seen", &dead, TurnState::Done, "late"))
            .await
            .unwrap()
            .is_none()
    );
    let again = store.claim(&next, T0 + 20, T0 + 30).await.unwrap().unwrap();
    assert_eq!((again.turn.run, again.turn.attempt), (run("unseen"), 2));
}

async fn a_lease_that_ended_is_lost<S: Store>(store: &S) {
    let (a, b) = (Owner::new("a"), Owner::new("b"));
    say(store, &key("main"), "r1", "one").await;
    claim(store, &a, T0).await;
    assert_eq!(
        store.renew(&run("r1"), &a, T0 + 20_000).await.unwrap(),
        Hold::Held
    );

    assert!(
        store
            .reclaim(reclaim(&b, false, T0 + 16_000))
            .await
            .unwrap()
            .queued
            .is_empty(),
        "it was renewed"
    );
    assert_eq!(
        store
            .reclaim(reclaim(&b, false, T0 + 20_001))
            .await
            .unwrap()
            .queued,
        [run("r1")]
    );

    assert_eq!(
        store.renew(&run("r1"), &a, T0 + 40_000).await.unwrap(),
        Hold::Lost
    );
    assert_eq!(store.show(&run("r1"), &a).await.unwrap(), Hold::Lost);
}

async fn a_page_of_history_is_bounded_and_a_cursor_brings_what_is_new<S: Store>(store: &S) {
    let main = key("main");
    for n in 1..=5 {
        store
            .append(&main, row(Role::User, &format!("m{n}"), None, T0 + n))
            .await
            .unwrap();
    }
    let seqs = |page: &HistoryPage| page.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>();

    let page = store.history(&main, query(2, 0)).await.unwrap();
    assert_eq!((seqs(&page), page.has_more), (vec![4, 5], true));
    let page = store.history(&main, query(2, 4)).await.unwrap();
    assert_eq!((seqs(&page), page.has_more), (vec![1], false));
    let tight = HistoryQuery {
        bytes_max: 9,
        ..query(10, 0)
    };
    assert_eq!(seqs(&store.history(&main, tight).await.unwrap()), [4, 5]);

    let session = page.session.unwrap().session_id;
    let since = |id: &SessionId, seq| HistoryQuery {
        after: Some((id.clone(), seq)),
        ..query(1, 0)
    };
    assert_eq!(
        seqs(&store.history(&main, since(&session, 3)).await.unwrap()),
        [4, 5]
    );
    assert_eq!(
        seqs(&store.history(&main, since(&session, 5)).await.unwrap()),
        [] as [i64; 0]
    );
    assert_eq!(
        seqs(
            &store
                .history(&main, since(&SessionId::new("old"), 3))
                .await
                .unwrap()
        ),
        [5]
    );
    assert!(
        store
            .history(&key("nobody"), query(1, 0))
            .await
            .unwrap()
            .session
            .is_none()
    );
    assert_eq!(
        store.entry(&main, 2).await.unwrap().unwrap().row.content,
        "\"m2\""
    );
}

fn boundary() -> NewEntry {
    NewEntry {
        boundary: true,
        in_context: false,
        preview: String::new(),
        ..row(Role::System, "reset", None, T0 + 9)
    }
}

async fn a_reset_begins_a_new_transcript<S: Store>(store: &S) {
    let main = key("main");
    let before = say(store, &main, "r1", "one").await.session;

    let (after, entry) = store.reset(&main, boundary(), T0 + 9).await.unwrap();

    assert_eq!(entry.seq, 2);
    assert_ne!(before.session_id, after.session_id);
    assert_ne!(before.lifecycle_revision, after.lifecycle_revision);
    assert_eq!((after.preview, after.derived_title), (None, None));
    let page = store.history(&main, query(10, 0)).await.unwrap();
    assert_eq!((page.entries.len(), page.has_more), (1, false));
    assert!(page.entries.first().unwrap().row.boundary);
}

async fn what_a_dead_transcript_has_to_say_is_not_said_into_the_new_one<S: Store>(store: &S) {
    let a = Owner::new("a");
    say(store, &key("main"), "r1", "one").await;
    claim(store, &a, T0).await;
    store.reset(&key("main"), boundary(), T0 + 1).await.unwrap();

    let ended = store
        .finish(finish("r1", &a, TurnState::Done, "late"))
        .await
        .unwrap()
        .unwrap();

    assert!(ended.entry.is_none());
    assert_eq!(ended.session.unwrap().last_seq, 2);
}

async fn a_list_is_filtered_paged_and_counted<S: Store>(store: &S) {
    for n in 0..6 {
        let key = SessionKey::parse(&format!("agent:{}:s{n}", if n % 2 == 0 { "a" } else { "b" })).unwrap();
        store.create(&key, SessionPatch::default(), T0 + n).await.unwrap();
    }
    let archive = SessionPatch {
        archived: Some(true),
        ..SessionPatch::default()
    };
    store
        .patch(&SessionKey::parse("agent:a:s0").unwrap(), archive, T0 + 10)
        .await
        .unwrap();
    let list = async |filter: SessionFilter| {
        let page = store.sessions(filter).await.unwrap();
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
            since: Some(T0 + 4),
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
        .delete(&SessionKey::parse("agent:b:s5").unwrap(), None)
        .await
        .unwrap();
    assert_eq!(list(all).await.1, 4);
}

async fn a_label_is_unique<S: Store>(store: &S) {
    let named = || SessionPatch {
        label: Some(Some("Home".into())),
        ..SessionPatch::default()
    };
    store.create(&key("a"), named(), T0).await.unwrap();
    let (again, is_new) = store
        .create(&key("a"), SessionPatch::default(), T0)
        .await
        .unwrap();
    assert!(!is_new && again.label.as_deref() == Some("Home"));

    assert!(matches!(
        store.create(&key("b"), named(), T0).await,
        Err(Error::LabelTaken(_))
    ));
    assert!(store.session(&key("b")).await.unwrap().is_none());
    let cleared = SessionPatch {
        label: Some(None),
        ..SessionPatch::default()
    };
    assert_eq!(store.patch(&key("a"), cleared, T0).await.unwrap().label, None);
    store.create(&key("b"), named(), T0).await.unwrap();
    assert!(matches!(
        store.patch(&key("c"), named(), T0).await,
        Err(Error::NoSession(_))
    ));
}

async fn a_session_is_forgotten_with_its_rows<S: Store>(store: &S) {
    let main = key("main");
    let session = say(store, &main, "r1", "one").await.session;

    assert!(matches!(
        store.delete(&main, None).await,
        Err(Error::StillStopping(_))
    ));
    store.abort(&main, None, Origin::Rpc, T0).await.unwrap();
    assert!(matches!(
        store.delete(&main, Some(SessionId::new("x"))).await,
        Err(Error::SessionMoved(_))
    ));
    assert!(store.delete(&main, Some(session.session_id)).await.unwrap());

    assert!(!store.delete(&main, None).await.unwrap());
    say(store, &main, "r2", "again").await;
    assert_eq!(store.history(&main, query(9, 0)).await.unwrap().entries.len(), 1);
}

async fn old_rows_are_forgotten_and_young_ones_kept<S: Store>(store: &S) {
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
        .finish(finish("r1", &a, TurnState::Done, "x"))
        .await
        .unwrap()
        .unwrap();

    assert_eq!(store.prune(T0).await.unwrap(), 0);
    assert_eq!(store.prune(T0 + 100).await.unwrap(), 2);

    assert!(store.turn(&run("r1")).await.unwrap().is_none());
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
            .history(&key("main"), query(9, 0))
            .await
            .unwrap()
            .entries
            .len(),
        3,
        "transcripts stay"
    );
}

async fn the_context_knows_what_waits_and_what_was_merged<S: Store>(store: &S) {
    let a = Owner::new("a");
    for id in ["r1", "r2"] {
        admit(store, mode(admission(&key("main"), id, id), QueueMode::Collect)).await;
    }
    let head = store
        .claim(&a, T0 + 9_000, T0 + 20_000)
        .await
        .unwrap()
        .unwrap()
        .turn;
    say(store, &key("main"), "r3", "later").await;

    let rows = store.context(&head, 10).await.unwrap();

    let seen: Vec<_> = rows
        .iter()
        .map(|row| (row.answered_in.clone().unwrap(), row.waiting))
        .collect();
    assert_eq!(seen, [(run("r1"), false), (run("r1"), false), (run("r3"), true)]);
    assert_eq!(store.context(&head, 1).await.unwrap().len(), 1);
}
