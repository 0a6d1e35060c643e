//! Running and ending turns.

use super::*;

pub(super) async fn one_turn_of_a_session_runs_at_a_time_and_in_order(store: &Stores) {
    let (a, b) = (Owner::new("a"), Owner::new("b"));
    say(store, &key("main"), "r1", "one").await;
    say(store, &key("main"), "r2", "two").await;
    say(store, &key("other"), "r3", "three").await;

    assert_eq!(claim(store, &a, T0).await, Some(run("r1")));
    assert_eq!(claim(store, &b, T0).await, Some(run("r3")));
    assert_eq!(claim(store, &b, T0).await, None);
    let session = store.sessions.find(&key("main")).await.unwrap().unwrap();
    assert_eq!(
        (session.status, session.active_run),
        (Some(SessionStatus::Running), Some(run("r1")))
    );

    store
        .turns
        .finish(finish("r1", &a, TurnState::Done, "answer"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(claim(store, &b, T0).await, Some(run("r2")));
}

pub(super) async fn a_turn_ends_once(store: &Stores) {
    let (a, b) = (Owner::new("a"), Owner::new("b"));
    say(store, &key("main"), "r1", "one").await;
    claim(store, &a, T0).await;

    assert!(
        store
            .turns
            .finish(finish("r1", &b, TurnState::Failed, "no"))
            .await
            .unwrap()
            .is_none()
    );
    let ended = store
        .turns
        .finish(finish("r1", &a, TurnState::Done, "answer"))
        .await
        .unwrap()
        .unwrap();
    assert!(
        store
            .turns
            .finish(finish("r1", &a, TurnState::Failed, "no"))
            .await
            .unwrap()
            .is_none()
    );

    assert_eq!(ended.entry.map(|entry| entry.seq), Some(2));
    let session = ended.session.unwrap();
    assert_eq!(
        (session.status, session.active_run),
        (Some(SessionStatus::Done), None)
    );
    assert_eq!((session.input_tokens, session.output_tokens), (3, 4));
    assert_eq!(session.answered_by, Some(("p".into(), "m".into())));
    assert!(
        store
            .turns
            .abort(&key("main"), None, Origin::Rpc, T0)
            .await
            .unwrap()
            .ended
            .is_empty()
    );
    assert_eq!(store.turns.renew(&run("r1"), &a, T0).await.unwrap(), Hold::Lost);
    assert!(
        store
            .deliveries
            .waiting(T0.plus_ms(10), 10)
            .await
            .unwrap()
            .is_empty(),
        "a turn from a screen has no chat"
    );
}

pub(super) async fn a_reply_is_kept_with_all_that_it_says(store: &Stores) {
    let a = Owner::new("a");
    let replies = [
        r#"[{"type":"text","text":"see"},{"type":"image","url":"u","mimeType":"image/png","name":"cat.png"}]"#,
        r#""[{\"type\":\"text\"}]""#,
        r#"[{"type":"hologram",  "of":[1.0]}]"#,
    ];
    for (n, json) in replies.iter().enumerate() {
        let id = format!("r{n}");
        let to = Admission {
            reply: Reply::To(chat("#a")),
            ..admission(&key("main"), &id, "hi")
        };
        admit(store, to).await;
        claim(store, &a, T0).await;
        let finish = Finish {
            summary: None,
            reply: Some(Content::from_json(json).unwrap()),
            ..finish(&id, &a, TurnState::Done, "answer")
        };
        store.turns.finish(finish).await.unwrap().unwrap();
    }

    let waiting = store.deliveries.waiting(T0.plus_ms(9), 9).await.unwrap();

    let kept: Vec<String> = waiting.iter().map(|reply| reply.content.to_json()).collect();
    assert_eq!(kept, replies);
}

pub(super) async fn the_reply_of_a_turn_waits_for_the_bridge(store: &Stores) {
    let a = Owner::new("a");
    for id in ["r1", "r2"] {
        let to = Admission {
            reply: Reply::To(chat("#a")),
            ..admission(&key("main"), id, "hi")
        };
        admit(store, to).await;
        claim(store, &a, T0).await;
        store
            .turns
            .finish(finish(id, &a, TurnState::Done, "answer"))
            .await
            .unwrap()
            .unwrap();
    }
    let made = async |id: &str| store.deliveries.is_made(&run(id)).await.unwrap();
    assert!(made("r1").await && made("r2").await && !made("r3").await);
    let to_session = Admission {
        reply: Reply::SessionChat,
        ..admission(&key("main"), "r3", "hi")
    };
    assert_eq!(admit(store, to_session).await.turn.target, Some(chat("#a")));
    let nowhere = Admission {
        reply: Reply::SessionChat,
        ..admission(&key("new"), "r4", "hi")
    };
    assert!(matches!(
        store.turns.admit(nowhere, None).await,
        Err(Error::NoTarget(_))
    ));
    assert!(
        store.sessions.find(&key("new")).await.unwrap().is_none(),
        "a refusal leaves nothing behind"
    );

    let waiting = store.deliveries.waiting(T0.plus_ms(10), 10).await.unwrap();
    assert_eq!(
        waiting
            .iter()
            .map(|delivery| delivery.key.as_str())
            .collect::<Vec<_>>(),
        ["r1/0", "r2/0"]
    );
    let first = waiting.first().unwrap().id;
    store
        .deliveries
        .settle(
            first,
            DeliveryOutcome::Later {
                not_before: T0.plus_ms(100),
            },
        )
        .await
        .unwrap();
    assert!(
        store
            .deliveries
            .waiting(T0.plus_ms(10), 10)
            .await
            .unwrap()
            .is_empty(),
        "the second waits behind the first"
    );
    assert_eq!(
        store.deliveries.next_due(T0.plus_ms(10)).await.unwrap(),
        Some(T0.plus_ms(100))
    );
    assert_eq!(
        store.deliveries.next_due(T0.plus_ms(100)).await.unwrap(),
        None,
        "it is due"
    );
    assert_eq!(
        store.deliveries.waiting(T0.plus_ms(100), 10).await.unwrap().len(),
        2
    );
    store
        .deliveries
        .settle(first, DeliveryOutcome::Taken { now: T0.plus_ms(100) })
        .await
        .unwrap();
    assert_eq!(
        store.deliveries.waiting(T0.plus_ms(100), 10).await.unwrap().len(),
        1
    );
    assert!(made("r1").await && made("r2").await, "also once it was taken");
}

pub(super) async fn the_end_of_a_turn_begins_the_next_in_the_same_commit(store: &Stores) {
    let (me, other) = (Owner::new("me"), Owner::new("other"));
    for (key, id) in [("a", "r1"), ("a", "r2"), ("b", "r3")] {
        say(store, &self::key(key), id, id).await;
    }
    claim(store, &me, T0).await;
    let until = T0.plus_ms(20_000);

    let end = |run, owner| finish(run, owner, TurnState::Done, "answer");
    let not_mine = store
        .turns
        .finish_and_claim(end("r1", &other), lease(&other, until))
        .await;
    let (ended, next) = not_mine.unwrap();
    assert!(ended.is_none(), "S2");
    assert_eq!(
        next.map(|next| next.turn.run),
        Some(run("r3")),
        "session a is busy"
    );

    let (ended, next) = store
        .turns
        .finish_and_claim(end("r1", &me), lease(&me, until))
        .await
        .unwrap();
    let next = next.unwrap();
    assert_eq!(ended.unwrap().turn.state, TurnState::Done);
    assert_eq!(
        (next.turn.run, next.turn.state, next.turn.lease_until),
        (run("r2"), TurnState::Running, Some(until))
    );
    assert_eq!(next.session.active_run, Some(run("r2")));
    let (_, nothing) = store
        .turns
        .finish_and_claim(end("r2", &me), lease(&me, until))
        .await
        .unwrap();
    assert!(nothing.is_none());
}

pub(super) async fn what_waits_and_runs_is_counted_with_the_oldest(store: &Stores) {
    assert_eq!(store.upkeep.depths().await.unwrap(), Depths::default());
    let me = Owner::new("me");
    say(store, &key("main"), "r1", "one").await;
    claim(store, &me, T0).await;
    say(store, &key("main"), "r2", "two").await;
    say(store, &key("main"), "r3", "three").await;

    let depths = store.upkeep.depths().await.unwrap();

    assert_eq!(
        depths,
        Depths {
            turns_waiting: 2,
            turns_running: 1,
            oldest_turn: Some(T0),
            ..Depths::default()
        }
    );
}

pub(super) async fn the_outlook_tells_what_waits_and_what_others_hold(store: &Stores) {
    let me = Owner::new("me");
    let outlook = async |held: &[&str]| {
        let held = held.iter().copied().map(RunId::new).collect();
        store.turns.outlook(held, T0).await.unwrap()
    };
    assert_eq!(
        outlook(&[]).await,
        Outlook::default(),
        "nothing will happen by itself"
    );
    say(store, &key("main"), "r1", "one").await;
    claim(store, &me, T0).await;

    assert!(!outlook(&["r1"]).await.leased_elsewhere && outlook(&["r2"]).await.leased_elsewhere);
    say(store, &key("main"), "r2", "two").await;
    let behind = outlook(&["r1"]).await;

    assert_eq!(
        (behind.waiting, behind.next_due),
        (true, None),
        "no time lets it begin"
    );
}
