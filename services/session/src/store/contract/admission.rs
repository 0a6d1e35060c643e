//! Taking messages.

use super::*;
use crate::routing::PeerKind;

pub(super) async fn a_message_its_turn_and_its_session_are_stored_together(store: &Stores) {
    let main = key("main");
    let new = say(store, &main, "r1", "hello\nthere").await;

    assert_eq!((new.turn.state, new.entry.seq), (TurnState::Queued, 1));
    let session = store.sessions.find(&main).await.unwrap().unwrap();
    assert_eq!(session.preview.as_deref(), Some("hello there"));
    assert_eq!(session.derived_title.as_deref(), Some("hello there"));
    assert_eq!(session.status, Some(SessionStatus::Queued));
    assert_eq!(session, new.session);
    assert_eq!(store.turns.find(&run("r1")).await.unwrap(), Some(new.turn));
    assert!(store.turns.find(&run("r2")).await.unwrap().is_none());
}

pub(super) async fn a_repeat_is_known_and_another_message_under_its_key_is_a_conflict(store: &Stores) {
    let main = key("main");
    say(store, &main, "r1", "hello").await;

    assert!(matches!(
        store
            .turns
            .admit(admission(&main, "r1", "hello"), None)
            .await
            .unwrap(),
        Admitted::Known(_)
    ));
    assert!(matches!(
        store.turns.admit(admission(&main, "r1", "other"), None).await,
        Err(Error::RequestConflict)
    ));
    let moved = Admission {
        expected_session: Some(SessionId::new("gone")),
        ..admission(&main, "r2", "x")
    };
    assert!(matches!(
        store.turns.admit(moved, None).await,
        Err(Error::SessionMoved(_))
    ));
    assert_eq!(store.sessions.find(&main).await.unwrap().unwrap().last_seq, 1);
}

pub(super) async fn a_session_made_by_its_key_belongs_to_the_first_chat_that_speaks_in_it(store: &Stores) {
    let room = key("irc:channel:#a");
    let made = store
        .sessions
        .create(&room, SessionPatch::default(), None, T0)
        .await
        .unwrap()
        .0;
    assert_eq!((made.channel, made.kind), (None, Some(SessionKind::Direct)));
    let from = |channel: &str, chat: PeerKind, run: &str| Admission {
        seed: Seed {
            channel: Some(channel.into()),
            chat_type: Some(chat),
            user: None,
        },
        ..admission(&room, run, "hi")
    };

    let new = admit(store, from("irc", PeerKind::Channel, "r1")).await;
    let belongs = (
        Some("irc".to_owned()),
        Some(PeerKind::Channel),
        Some(SessionKind::Group),
    );
    let standing = |session: SessionRecord| (session.channel, session.chat_type, session.kind);
    assert_eq!(standing(new.session), belongs);

    say(store, &room, "r2", "from a screen").await;
    let later = admit(store, from("telegram", PeerKind::Direct, "r3")).await;
    assert_eq!(standing(later.session), belongs, "the first chat's it stays");
}

pub(super) async fn a_platform_message_is_taken_once(store: &Stores) {
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

    let Admitted::Known(turn) = store.turns.admit(message("r2"), None).await.unwrap() else {
        panic!("taken twice")
    };

    assert_eq!(turn.run, run("r1"));
    assert!(store.turns.find(&run("r2")).await.unwrap().is_none());
    assert_eq!(
        store.sessions.find(&turn.key).await.unwrap().unwrap().target,
        Some(chat("#a"))
    );
    let other = InboundKey {
        message: "never".into(),
        ..inbound.clone()
    };
    assert_eq!(
        store
            .turns
            .unknown(vec![other.clone(), inbound, other])
            .await
            .unwrap(),
        [0, 2]
    );
}

pub(super) async fn a_message_for_a_free_session_begins_in_the_commit_that_takes_it(store: &Stores) {
    let me = Owner::new("me");
    let begin = async |key: &SessionKey, run: &str| {
        let admitted = store
            .turns
            .admit(admission(key, run, run), Some(lease(&me, T0.plus_ms(15_000))))
            .await;
        let Admitted::New(new) = admitted.unwrap() else {
            panic!("{run} was known")
        };
        *new
    };
    let first = begin(&key("main"), "r1").await;
    let behind = begin(&key("main"), "r2").await;

    assert_eq!(
        (
            first.turn.state,
            first.turn.owner,
            first.turn.attempt,
            first.turn.started_at
        ),
        (TurnState::Running, Some(me.clone()), 1, Some(T0))
    );
    assert_eq!(
        (
            first.session.status,
            first.session.active_run,
            first.session.started_at
        ),
        (Some(SessionStatus::Running), Some(run("r1")), Some(T0))
    );
    assert_eq!(
        (behind.turn.state, behind.turn.owner, behind.turn.attempt),
        (TurnState::Queued, None, 0)
    );

    // What came before is not overtaken, in whichever session it is.
    say(store, &key("other"), "r3", "three").await;
    assert_eq!(begin(&key("third"), "r4").await.turn.state, TurnState::Queued);
    assert_eq!(claim(store, &me, T0).await, Some(run("r3")));
    assert_eq!(claim(store, &me, T0).await, Some(run("r4")));
    let end = finish("r1", &me, TurnState::Done, "answer");
    assert!(store.turns.finish(end).await.unwrap().is_some());
}
