//! Taking messages.

use super::*;

pub(super) async fn a_message_its_turn_and_its_session_are_stored_together<S: Store>(store: &S) {
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

pub(super) async fn a_repeat_is_known_and_another_message_under_its_key_is_a_conflict<S: Store>(store: &S) {
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

pub(super) async fn a_platform_message_is_taken_once<S: Store>(store: &S) {
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
    let other = InboundKey {
        message: "never".into(),
        ..inbound.clone()
    };
    assert_eq!(
        store.unknown(vec![other.clone(), inbound, other]).await.unwrap(),
        [0, 2]
    );
}
