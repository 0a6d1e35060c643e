//! Dead owners and lost leases.

use super::*;

fn reclaim(owner: &Owner, others_are_dead: bool, now: i64) -> Reclaim {
    Reclaim {
        owner: owner.clone(),
        others_are_dead,
        notice: "cut short".into(),
        attempts_max: 3,
        now,
    }
}

pub(super) async fn the_turns_of_a_dead_owner_run_again_or_end_with_a_notice<S: Store>(store: &S) {
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

pub(super) async fn a_lease_that_ended_is_lost<S: Store>(store: &S) {
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
