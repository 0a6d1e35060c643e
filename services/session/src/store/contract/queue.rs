//! What waits.

use super::*;

pub(super) async fn what_waits_together_is_answered_together_but_never_across_chats(store: &Stores) {
    let a = Owner::new("a");
    for (id, to) in [("r1", "#a"), ("r2", "#a"), ("r3", "#b"), ("r4", "#a")] {
        let message = Admission {
            reply: Reply::To(chat(to)),
            ..admission(&key("main"), id, id)
        };
        admit(store, mode(message, QueueMode::Collect)).await;
    }

    let claimed = store
        .turns
        .claim(lease(&a, T0.plus_ms(20_000)), T0.plus_ms(10_000))
        .await
        .unwrap()
        .unwrap();

    assert_eq!(claimed.turn.run, run("r1"));
    let merged: Vec<_> = claimed
        .merged
        .iter()
        .map(|ended| ended.turn.run.as_str().to_owned())
        .collect();
    assert_eq!(merged, ["r2"]);
    let second = store.turns.find(&run("r2")).await.unwrap().unwrap();
    assert_eq!(
        (second.state, second.merged_into),
        (TurnState::Done, Some(run("r1")))
    );
    assert_eq!(
        store.turns.find(&run("r3")).await.unwrap().unwrap().state,
        TurnState::Queued
    );
    assert_eq!(
        store
            .sessions
            .find(&key("main"))
            .await
            .unwrap()
            .unwrap()
            .active_run,
        Some(run("r1"))
    );
}

pub(super) async fn collected_messages_wait_for_a_quiet_moment(store: &Stores) {
    let a = Owner::new("a");
    let message = |id: &str, now: Timestamp| Admission {
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
    admit(store, message("r3", T0.plus_ms(300))).await;
    store
        .turns
        .finish(finish("r1", &a, TurnState::Done, "x"))
        .await
        .unwrap()
        .unwrap();

    assert_eq!(claim(store, &a, T0.plus_ms(600)).await, None);
    let outlook = store.turns.outlook(Vec::new(), T0.plus_ms(600)).await.unwrap();
    assert_eq!((outlook.waiting, outlook.next_due), (true, Some(T0.plus_ms(800))));
    let claimed = store
        .turns
        .claim(lease(&a, T0.plus_ms(20_000)), T0.plus_ms(800))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((claimed.turn.run, claimed.merged.len()), (run("r2"), 1));
}

pub(super) async fn an_interrupting_message_ends_what_waits_and_stops_what_runs(store: &Stores) {
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
        store.turns.renew(&run("r1"), &a, T0.plus_ms(9)).await.unwrap(),
        Hold::Stop(Origin::Interrupt)
    );
    store
        .turns
        .finish(finish("r1", &a, TurnState::Aborted, "part"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(claim(store, &a, T0).await, Some(run("r3")));
}

pub(super) async fn a_full_queue_refuses_or_gives_up_the_oldest(store: &Stores) {
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
        store.turns.admit(small("r3", DropPolicy::New), None).await,
        Err(Error::QueueFull { cap: 2 })
    ));
    let new = admit(store, small("r4", DropPolicy::Old)).await;

    assert_eq!(new.gave_way.ended.len(), 1);
    assert_eq!(
        store.turns.find(&run("r1")).await.unwrap().unwrap().state,
        TurnState::Aborted
    );
    assert!(store.turns.find(&run("r3")).await.unwrap().is_none());
}

/// A message of a chat, in a queue that joins two when more than two wait.
fn joined(id: &str) -> Admission {
    let message = admission(&key("main"), id, id);
    Admission {
        queue: QueueRule {
            mode: QueueMode::Followup,
            cap: 2,
            drop: DropPolicy::Summarize,
            ..message.queue
        },
        reply: Reply::To(chat("#a")),
        sender: Some("anna".to_owned()),
        ..message
    }
}

pub(super) async fn no_more_messages_are_answered_together_than_a_model_reads(store: &Stores) {
    let a = Owner::new("a");
    admit(store, joined("r0")).await;
    assert_eq!(claim(store, &a, T0).await, Some(run("r0")));
    let mut taken = Vec::new();
    for number in 1..400 {
        let id = format!("r{number}");
        let admitted = store.turns.admit(joined(&id), None).await;
        if matches!(admitted, Err(Error::QueueFull { cap: 2 })) {
            break;
        }
        admitted.unwrap();
        taken.push(run(&id));
    }

    let end = finish("r0", &a, TurnState::Done, "x");
    store.turns.finish(end).await.unwrap().unwrap();

    assert_eq!(claim(store, &a, T0).await, Some(run("r1")));
    let read = store.transcripts.context(&key("main"), 400).await.unwrap();
    let together = read
        .iter()
        .filter(|row| row.answered_in == Some(run("r1")))
        .count();
    assert!((50..=100).contains(&together), "{together}");
    assert_eq!(
        taken.len(),
        together + 1,
        "one waits behind them, and the next one is refused"
    );
}

pub(super) async fn in_a_full_queue_of_a_chat_two_messages_are_answered_together(store: &Stores) {
    let a = Owner::new("a");
    let small = |id: &str, reply: Reply, sender: Option<&str>| {
        let message = admission(&key("main"), id, id);
        Admission {
            queue: QueueRule {
                mode: QueueMode::Followup,
                cap: 3,
                drop: DropPolicy::Summarize,
                ..message.queue
            },
            reply,
            sender: sender.map(str::to_owned),
            ..message
        }
    };
    let said = |id: &str, to: &str| small(id, Reply::To(chat(to)), Some(to));
    admit(store, said("r0", "#a")).await;
    assert_eq!(claim(store, &a, T0).await, Some(run("r0")));
    for (id, to) in [("r1", "#b"), ("r2", "#a"), ("r3", "#a")] {
        assert!(admit(store, said(id, to)).await.gave_way.ended.is_empty());
    }

    let fourth = admit(store, said("r4", "#a")).await;
    let fifth = admit(store, said("r5", "#b")).await;

    let joined = |new: &NewTurn| {
        let ended = new.gave_way.ended.iter();
        ended
            .map(|ended| {
                (
                    ended.turn.run.clone(),
                    ended.turn.state,
                    ended.turn.merged_into.clone(),
                )
            })
            .collect::<Vec<_>>()
    };
    let into = |run: &str, head: &str| (RunId::new(run), TurnState::Done, Some(RunId::new(head)));
    assert_eq!(joined(&fourth), [into("r3", "r2")], "never across chats");
    assert_eq!(
        joined(&fifth),
        [into("r4", "r2")],
        "the earlier one answers all of them"
    );
    let waits = store.transcripts.context(&key("main"), 100).await.unwrap();
    let waiting = |row: &&ContextRow| row.waiting;
    assert_eq!(
        waits.iter().filter(waiting).count(),
        5,
        "nothing of it is read before its time"
    );

    // On screens whoever asks is told.
    let screen = small("s1", Reply::Clients, None);
    let again = admit(store, said("r6", "#b")).await;
    assert_eq!(joined(&again), [into("r5", "r1")]);
    admit(store, said("r7", "#c")).await;
    assert!(matches!(
        store.turns.admit(screen, None).await,
        Err(Error::QueueFull { cap: 3 })
    ));

    // The run of the first answers what was joined with it.
    let end = finish("r0", &a, TurnState::Done, "x");
    store.turns.finish(end).await.unwrap().unwrap();
    assert_eq!(claim(store, &a, T0).await, Some(run("r1")));
    let read = store.transcripts.context(&key("main"), 100).await.unwrap();
    let of_first: Vec<_> = read
        .iter()
        .filter(|row| row.answered_in == Some(run("r1")))
        .filter_map(|row| row.run.clone())
        .collect();
    assert_eq!(of_first, [run("r1"), run("r5"), run("r6")]);
}
