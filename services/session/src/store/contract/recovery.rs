//! Dead owners and lost leases.

use gatehouse_core::ForPeople;

use super::*;

const LEASE: i64 = 20_000;

pub(super) const LIMITS: RunLimits = RunLimits {
    attempts_max: 3,
    shown_max: 2,
};

pub(super) fn reclaim(owner: &Owner, others_are_dead: bool, now: Timestamp) -> Reclaim {
    Reclaim {
        owner: owner.clone(),
        others_are_dead,
        held: Vec::new(),
        notice: ForPeople::new("cut short"),
        limits: LIMITS,
        now,
        lease_until: now.plus_ms(LEASE),
    }
}

/// A turn of a chat that is running, and has shown a text in so many attempts.
pub(super) async fn shown(store: &Stores, rest: &str, owner: &Owner, texts: &[&[&str]]) {
    let message = Admission {
        reply: Reply::To(chat(&format!("#{rest}"))),
        ..admission(&key(rest), rest, "hi")
    };
    admit(store, message).await;
    for (attempt, texts) in texts.iter().enumerate() {
        if attempt > 0 {
            let gave_back = store.turns.give_back(&run(rest), owner, LIMITS).await.unwrap();
            assert_eq!(gave_back, GaveBack::Queued);
        }
        claim(store, owner, T0).await;
        let mut texts = texts.iter();
        if let Some(first) = texts.next() {
            assert_eq!(
                store
                    .turns
                    .show(&run(rest), owner, first, Some("p"))
                    .await
                    .unwrap(),
                Hold::Held
            );
        }
        for text in texts {
            assert_eq!(
                store.turns.keep_text(&run(rest), owner, text).await.unwrap(),
                Hold::Held
            );
        }
    }
}

pub(super) async fn the_turns_of_a_dead_owner_run_again_once_or_end_with_what_was_shown(store: &Stores) {
    let (dead, next) = (Owner::new("dead"), Owner::new("next"));
    shown(store, "unseen", &dead, &[&[]]).await;
    shown(store, "seen", &dead, &[&["ha", "lf"]]).await;
    shown(store, "twice", &dead, &[&["one"], &["ha", "lf"]]).await;
    shown(store, "silent", &dead, &[&["half"], &[""]]).await;
    shown(store, "effects", &dead, &[&["posted"]]).await;
    let posted = Record {
        run: run("effects"),
        owner: dead.clone(),
        first: 0,
        entries: Vec::new(),
        effects: true,
    };
    store.turns.record(posted).await.unwrap();
    shown(store, "stopped", &dead, &[&["half"]]).await;
    store
        .turns
        .abort(&key("stopped"), None, Origin::Rpc, T0)
        .await
        .unwrap();

    let untouched = store
        .turns
        .reclaim(reclaim(&next, false, T0.plus_ms(10)))
        .await
        .unwrap();
    assert!(
        untouched.queued.is_empty() && untouched.ended.is_empty(),
        "their leases hold"
    );
    let reclaimed = store
        .turns
        .reclaim(reclaim(&next, true, T0.plus_ms(10)))
        .await
        .unwrap();

    assert_eq!(reclaimed.queued, [run("unseen"), run("seen")]);
    let ended: Vec<_> = reclaimed
        .ended
        .iter()
        .map(|ended| {
            let text = ended
                .entry
                .as_ref()
                .map(|entry| crate::rows::text_of(&entry.row.content));
            (
                ended.turn.run.as_str(),
                ended.turn.state,
                text.unwrap_or_default(),
            )
        })
        .collect();
    let half = || "half".to_owned();
    assert_eq!(
        ended,
        [
            ("twice", TurnState::Interrupted, half()),
            ("silent", TurnState::Interrupted, half()),
            ("effects", TurnState::Interrupted, "posted".to_owned()),
            ("stopped", TurnState::Aborted, half()),
        ]
    );
    for rest in ["twice", "silent", "effects", "stopped"] {
        let rows = store.transcripts.context(&key(rest), 9).await.unwrap();
        let wrote = rows.into_iter().find(|row| row.role == Role::Assistant);
        assert_eq!(
            wrote.unwrap().provider.as_deref(),
            Some("p"),
            "{rest}: whose model wrote it"
        );
    }
    let replies = store.deliveries.waiting(T0.plus_ms(10), 9).await.unwrap();
    let replies: Vec<_> = replies.iter().map(|reply| reply.content.words()).collect();
    assert_eq!(
        replies,
        [
            "half\n\n(cut short)",
            "half\n\n(cut short)",
            "posted\n\n(cut short)"
        ]
    );
    for late in ["unseen", "seen", "twice"] {
        let late = finish(late, &dead, TurnState::Done, "late");
        assert!(store.turns.finish(late).await.unwrap().is_none());
    }
    assert_eq!(
        store.turns.keep_text(&run("seen"), &dead, "late").await.unwrap(),
        Hold::Lost
    );
    assert_eq!(store.turns.kept_text(&run("seen")).await.unwrap(), "half");
    let again = store
        .turns
        .claim(lease(&next, T0.plus_ms(30)), T0.plus_ms(20))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((again.turn.run, again.turn.attempt), (run("unseen"), 2));
}

pub(super) async fn the_text_in_flight_is_that_of_the_last_attempt_and_goes_with_the_turn(store: &Stores) {
    let owner = Owner::new("a");
    shown(store, "main", &owner, &[&["first ", "text"], &[]]).await;
    assert_eq!(
        store.turns.kept_text(&run("main")).await.unwrap(),
        "first text",
        "until the first word of the next"
    );

    store
        .turns
        .show(&run("main"), &owner, "second", None)
        .await
        .unwrap();
    store
        .turns
        .keep_text(&run("main"), &owner, " text")
        .await
        .unwrap();
    assert_eq!(store.turns.kept_text(&run("main")).await.unwrap(), "second text");
    let whole = finish("main", &owner, TurnState::Done, "second text, and its end");
    store.turns.finish(whole).await.unwrap().unwrap();

    assert_eq!(store.turns.kept_text(&run("main")).await.unwrap(), "");
    assert_eq!(
        store.turns.keep_text(&run("main"), &owner, "late").await.unwrap(),
        Hold::Lost
    );
    assert_eq!(store.turns.kept_text(&run("main")).await.unwrap(), "");
}

pub(super) async fn a_turn_is_given_back_as_often_as_the_limits_allow(store: &Stores) {
    let (owner, other) = (Owner::new("a"), Owner::new("b"));
    shown(store, "main", &owner, &[&["one"]]).await;
    let give_back = async |owner: &Owner| store.turns.give_back(&run("main"), owner, LIMITS).await.unwrap();

    assert_eq!(give_back(&other).await, GaveBack::Lost);
    assert_eq!(give_back(&owner).await, GaveBack::Queued);
    assert_eq!(give_back(&owner).await, GaveBack::Lost, "it waits");
    say(store, &key("main"), "behind", "two").await;
    assert_eq!(claim(store, &owner, T0).await, Some(run("main")), "at the head");
    store.turns.show(&run("main"), &owner, "two", None).await.unwrap();
    assert_eq!(give_back(&owner).await, GaveBack::Spent);
    store
        .turns
        .abort(&key("main"), Some(&run("main")), Origin::Rpc, T0)
        .await
        .unwrap();
    assert_eq!(give_back(&owner).await, GaveBack::Spent);
}

pub(super) async fn a_living_turn_is_not_taken_for_a_dead_one_whatever_the_clock_does(store: &Stores) {
    let (me, dead) = (Owner::new("me"), Owner::new("dead"));
    shown(store, "mine", &me, &[&["half"]]).await;
    shown(store, "lost", &dead, &[&[]]).await;
    let later = T0.plus_ms(17_000);

    let look = Reclaim {
        held: vec![run("mine")],
        ..reclaim(&me, false, later)
    };
    let reclaimed = store.turns.reclaim(look).await.unwrap();

    assert_eq!(reclaimed.queued, [run("lost")]);
    assert!(reclaimed.ended.is_empty());
    let mine = store.turns.find(&run("mine")).await.unwrap().unwrap();
    assert_eq!(
        (mine.state, mine.owner, mine.lease_until),
        (TurnState::Running, Some(me.clone()), Some(later.plus_ms(LEASE)))
    );

    // What this process let go of is nobody's, although its name is on it.
    let forgotten = reclaim(&me, false, later.plus_ms(LEASE + 1));
    assert_eq!(
        store.turns.reclaim(forgotten).await.unwrap().queued,
        [run("mine")]
    );
}

pub(super) async fn a_lease_from_before_the_clock_was_set_back_ends_in_the_usual_time(store: &Stores) {
    let (dead, next) = (Owner::new("dead"), Owner::new("next"));
    shown(store, "main", &dead, &[&[]]).await;
    let back = T0.plus_ms(-3_600_000);

    let first = store.turns.reclaim(reclaim(&next, false, back)).await.unwrap();
    assert!(first.queued.is_empty(), "its owner may be alive");

    let second = store
        .turns
        .reclaim(reclaim(&next, false, back.plus_ms(LEASE + 1)))
        .await
        .unwrap();
    assert_eq!(second.queued, [run("main")]);
}

pub(super) async fn nothing_waits_for_a_clock_that_was_set_back(store: &Stores) {
    let owner = Owner::new("a");
    for (n, step) in [1_000, 3_600_000, 31_536_000_000].into_iter().enumerate() {
        let now = T0.plus_ms(-step);
        let name = format!("s{n}");
        shown(store, &name, &owner, &[&[]]).await;
        store
            .turns
            .finish(finish(&name, &owner, TurnState::Done, "reply"))
            .await
            .unwrap();
        say(store, &key(&name), &format!("next{n}"), "hi").await; // at T0, and then the clock is set back
        let replies = store.deliveries.waiting(T0, 9).await.unwrap();
        let not_before = T0 + DELIVERY_LATER;
        for reply in &replies {
            let later = DeliveryOutcome::Later { not_before };
            store.deliveries.settle(reply.id, later).await.unwrap();
        }
        assert!(store.deliveries.waiting(T0, 9).await.unwrap().is_empty());

        assert_eq!(
            claim(store, &owner, now).await,
            Some(run(&format!("next{n}"))),
            "{step}"
        );
        let outlook = store.turns.outlook(Vec::new(), now).await.unwrap();
        assert_eq!(outlook.next_due, None);
        let due = store.deliveries.waiting(now, 9).await.unwrap().len();
        assert_eq!(due, n + 1, "{step}: all that were ever put off");
    }
}

pub(super) async fn a_lease_that_ended_is_lost(store: &Stores) {
    let (a, b) = (Owner::new("a"), Owner::new("b"));
    say(store, &key("main"), "r1", "one").await;
    claim(store, &a, T0).await;
    assert_eq!(
        store
            .turns
            .renew(&run("r1"), &a, T0.plus_ms(20_000))
            .await
            .unwrap(),
        Hold::Held
    );

    assert!(
        store
            .turns
            .reclaim(reclaim(&b, false, T0.plus_ms(16_000)))
            .await
            .unwrap()
            .queued
            .is_empty(),
        "it was renewed"
    );
    assert_eq!(
        store
            .turns
            .reclaim(reclaim(&b, false, T0.plus_ms(20_001)))
            .await
            .unwrap()
            .queued,
        [run("r1")]
    );

    assert_eq!(
        store
            .turns
            .renew(&run("r1"), &a, T0.plus_ms(40_000))
            .await
            .unwrap(),
        Hold::Lost
    );
    assert_eq!(
        store.turns.show(&run("r1"), &a, "late", None).await.unwrap(),
        Hold::Lost
    );
}
