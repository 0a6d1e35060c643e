//! What is stopped in one chat, what is taken back, and what is taken in by the turn that is at work.

use super::recovery::shown;
use super::*;

/// Says something in a chat.
async fn ask(store: &Stores, id: &str, to: &str) {
    let asked = Admission {
        reply: Reply::To(chat(to)),
        ..admission(&key("main"), id, id)
    };
    admit(store, asked).await;
}

pub(super) async fn what_is_stopped_in_one_chat_goes_on_in_the_others(store: &Stores) {
    for (id, to) in [("r1", "#a"), ("r2", "#b"), ("r3", "#a"), ("r4", "#b")] {
        ask(store, id, to).await;
    }
    let owner = Owner::new("a");
    claim(store, &owner, T0).await;
    let stop = async |to: &str| {
        let (main, chat) = (key("main"), chat(to));
        let stopped = store
            .turns
            .abort_in_chat(&main, &chat, Origin::Rpc, T0.plus_ms(1));
        let Aborted { ended, asked } = stopped.await.unwrap();
        let ended: Vec<RunId> = ended.into_iter().map(|ended| ended.turn.run).collect();
        (ended, asked)
    };

    assert_eq!(stop("#a").await, (vec![run("r3")], vec![run("r1")]));
    assert_eq!(stop("#c").await, (vec![], vec![]));

    let hold = store
        .turns
        .renew(&run("r1"), &owner, T0.plus_ms(9))
        .await
        .unwrap();
    assert_eq!(hold, Hold::Stop(Origin::Rpc));
    let end = finish("r1", &owner, TurnState::Aborted, "half");
    store.turns.finish(end).await.unwrap().unwrap();
    assert_eq!(claim(store, &owner, T0.plus_ms(2)).await, Some(run("r2")));
    let r3 = store.turns.find(&run("r3")).await.unwrap().unwrap();
    assert_eq!((r3.state, r3.abort), (TurnState::Aborted, Some(Origin::Rpc)));
    let r4 = store.turns.find(&run("r4")).await.unwrap().unwrap();
    assert_eq!(r4.state, TurnState::Queued);
}

pub(super) async fn a_reply_that_is_taken_back_is_handed_to_nobody(store: &Stores) {
    let owner = Owner::new("a");
    for (id, to) in [("r1", "#a"), ("r2", "#a"), ("r3", "#b")] {
        ask(store, id, to).await;
        claim(store, &owner, T0).await;
        let end = finish(id, &owner, TurnState::Done, "answer");
        store.turns.finish(end).await.unwrap().unwrap();
    }
    let recall = async |rest: &str, recalled: Recalled| {
        let count = store.deliveries.recall(key(rest), recalled, T0.plus_ms(6)).await;
        count.unwrap()
    };
    let waiting = async || {
        let rows = store.deliveries.waiting(T0.plus_ms(10), 9).await.unwrap();
        let ids = rows.into_iter().map(|row| (row.run.to_string(), row.id));
        ids.collect::<Vec<_>>()
    };
    let before = waiting().await;
    let of = |run: Option<&str>, to: Option<&str>| Recalled {
        run: run.map(RunId::new),
        chat: to.map(chat),
    };

    assert_eq!(recall("other", of(None, None)).await, 0);
    assert_eq!(
        recall("main", of(Some("r1"), Some("#b"))).await,
        0,
        "all must fit"
    );
    assert_eq!(recall("main", of(Some("r1"), Some("#a"))).await, 1);
    assert_eq!(recall("main", of(Some("r1"), None)).await, 0, "it is gone");

    let left: Vec<String> = waiting().await.into_iter().map(|(run, _)| run).collect();
    assert!(!left.contains(&"r1".to_owned()), "{left:?}");
    let (_, taken_back) = before.iter().find(|(run, _)| run == "r1").unwrap();
    let late = DeliveryOutcome::Taken { now: T0.plus_ms(11) };
    assert!(!store.deliveries.settle(*taken_back, late).await.unwrap());
    assert_eq!(recall("main", of(None, None)).await, 2);
    assert_eq!(waiting().await, []);
}

pub(super) async fn what_steers_the_turn_at_work_is_answered_by_it_behind_what_it_had_said(store: &Stores) {
    let owner = Owner::new("a");
    shown(store, "main", &owner, &[&["first"]]).await;
    let asked = |id: &str, mode: QueueMode| {
        let admission = Admission {
            reply: Reply::To(chat("#main")),
            ..admission(&key("main"), id, id)
        };
        super::mode(admission, mode)
    };
    let take_in = async |owner: &Owner, number: u32, text: &str| {
        let said = row(Role::Assistant, text, Some("main"), T0.plus_ms(2));
        let taken = store.turns.take_in(TakeIn {
            run: run("main"),
            owner: owner.clone(),
            said: Some((number, said)),
            now: T0.plus_ms(2),
        });
        taken.await.unwrap()
    };
    let nothing = take_in(&owner, 0, "first").await;
    assert!(
        nothing.entry.is_none() && nothing.ended.is_empty(),
        "nobody waits"
    );
    for (id, mode) in [
        ("s1", QueueMode::Steer),
        ("s2", QueueMode::Steer),
        ("later", QueueMode::Followup),
        ("s3", QueueMode::Steer),
    ] {
        admit(store, asked(id, mode)).await;
    }

    let foreign = take_in(&Owner::new("b"), 0, "first").await;
    let taken = take_in(&owner, 0, "first").await;

    assert_eq!((foreign.hold, foreign.ended.len()), (Hold::Lost, 0));
    assert_eq!(taken.hold, Hold::Held);
    let ended: Vec<_> = taken
        .ended
        .iter()
        .map(|ended| {
            (
                ended.turn.run.clone(),
                ended.turn.state,
                ended.turn.merged_into.clone(),
            )
        })
        .collect();
    let by = Some(run("main"));
    assert_eq!(
        ended,
        [
            (run("s1"), TurnState::Done, by.clone()),
            (run("s2"), TurnState::Done, by),
        ],
        "nothing that waits before another is overtaken"
    );
    let steps = store.turns.steps(&run("main")).await.unwrap();
    let said = steps
        .iter()
        .map(|step| (step.seq, crate::rows::text_of(&step.row.content)));
    let entry = taken.entry.unwrap();
    assert_eq!(said.collect::<Vec<_>>(), [(entry.seq, "first".to_owned())]);
    assert_eq!(store.turns.kept_text(&run("main")).await.unwrap(), "");
    let later = store.turns.find(&run("later")).await.unwrap().unwrap();
    assert_eq!(later.state, TurnState::Queued);
}
