//! Running and ending turns.

use super::*;

pub(super) async fn one_turn_of_a_session_runs_at_a_time_and_in_order<S: Store>(store: &S) {
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

pub(super) async fn a_turn_ends_once<S: Store>(store: &S) {
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

pub(super) async fn the_reply_of_a_turn_waits_for_the_bridge<S: Store>(store: &S) {
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
