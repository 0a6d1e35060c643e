//! Rows of a turn that goes on.

use super::recovery::{LIMITS, reclaim, shown};
use super::*;

fn record(run: &str, owner: &Owner, first: u32, rows: &[(Role, &str)]) -> Record {
    let entries = rows
        .iter()
        .map(|(role, text)| row(*role, text, Some(run), T0.plus_ms(1)));
    Record {
        run: RunId::new(run),
        owner: owner.clone(),
        first,
        entries: entries.collect(),
        effects: false,
    }
}

async fn rows(store: &Stores, rest: &str) -> Vec<(i64, Role, String)> {
    let page = store.transcripts.history(&key(rest), query(50, 0)).await.unwrap();
    let entries = page.entries.into_iter();
    entries
        .map(|entry| {
            (
                entry.seq,
                entry.row.role,
                crate::rows::text_of(&entry.row.content),
            )
        })
        .collect()
}

fn said(rows: &[(i64, Role, &str)]) -> Vec<(i64, Role, String)> {
    rows.iter()
        .map(|(seq, role, text)| (*seq, *role, (*text).to_owned()))
        .collect()
}

pub(super) async fn the_rows_of_a_turn_stand_in_their_order_and_its_end_comes_last(store: &Stores) {
    let owner = Owner::new("a");
    shown(store, "main", &owner, &[&["let me "]]).await;

    let steps = [(Role::Assistant, "let me look"), (Role::Tool, "empty")];
    let recorded = store
        .turns
        .record(record("main", &owner, 0, &steps))
        .await
        .unwrap();
    say(store, &key("main"), "meanwhile", "and?").await;
    let more = [(Role::Assistant, "once more")];
    store
        .turns
        .record(record("main", &owner, 2, &more))
        .await
        .unwrap();
    let ended = store
        .turns
        .finish(finish("main", &owner, TurnState::Done, "nothing"))
        .await
        .unwrap();

    assert_eq!(recorded.hold, Hold::Held);
    let seqs: Vec<i64> = recorded.entries.iter().map(|entry| entry.seq).collect();
    assert_eq!(
        (seqs, recorded.session.unwrap().active_run),
        (vec![2, 3], Some(run("main")))
    );
    assert_eq!(ended.unwrap().turn.answer_seq, Some(6));
    assert_eq!(
        rows(store, "main").await,
        said(&[
            (1, Role::User, "hi"),
            (2, Role::Assistant, "let me look"),
            (3, Role::Tool, "empty"),
            (4, Role::User, "and?"),
            (5, Role::Assistant, "once more"),
            (6, Role::Assistant, "nothing"),
        ])
    );
}

pub(super) async fn a_step_that_is_there_is_not_added_again(store: &Stores) {
    let owner = Owner::new("a");
    shown(store, "main", &owner, &[&[""]]).await;
    let both = [(Role::Assistant, "look"), (Role::Tool, "empty")];
    store
        .turns
        .record(record("main", &owner, 0, &both[..1]))
        .await
        .unwrap();

    for _ in 0..2 {
        let again = store
            .turns
            .record(record("main", &owner, 0, &both))
            .await
            .unwrap();
        let seqs: Vec<i64> = again.entries.iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, [2, 3]);
    }

    assert_eq!(rows(store, "main").await.len(), 3);
}

pub(super) async fn whoever_lost_the_lease_records_nothing(store: &Stores) {
    let (owner, other) = (Owner::new("a"), Owner::new("b"));
    shown(store, "main", &owner, &[&["half"]]).await;
    let one = [(Role::Assistant, "late")];
    let lost = async |owner: &Owner| {
        let late = Record {
            effects: true,
            ..record("main", owner, 0, &one)
        };
        let recorded = store.turns.record(late).await.unwrap();
        assert_eq!((recorded.hold, recorded.entries.len()), (Hold::Lost, 0));
        assert!(recorded.session.is_none());
    };

    lost(&other).await;
    let nobody = store.turns.record(record("none", &owner, 0, &one)).await.unwrap();
    assert_eq!(nobody.hold, Hold::Lost);
    let taken = store
        .turns
        .reclaim(reclaim(&other, true, T0.plus_ms(10)))
        .await
        .unwrap();
    assert_eq!(taken.queued, [run("main")], "it had no effects");
    lost(&owner).await;
    assert_eq!(store.turns.kept_text(&run("main")).await.unwrap(), "half");
    claim(store, &other, T0.plus_ms(20)).await;
    let end = finish("main", &other, TurnState::Done, "done");
    store.turns.finish(end).await.unwrap().unwrap();
    lost(&other).await;

    assert_eq!(
        rows(store, "main").await,
        said(&[(1, Role::User, "hi"), (2, Role::Assistant, "done")])
    );
}

pub(super) async fn what_was_recorded_is_in_flight_no_more_and_outlives_its_process(store: &Stores) {
    let (dead, next) = (Owner::new("dead"), Owner::new("next"));
    shown(store, "main", &dead, &[&["let me ", "look"]]).await;
    let call = [(Role::Assistant, "let me look")];
    store.turns.record(record("main", &dead, 0, &call)).await.unwrap();
    assert_eq!(store.turns.kept_text(&run("main")).await.unwrap(), "");
    store.turns.keep_text(&run("main"), &dead, "so").await.unwrap();
    let answer = [(Role::Tool, "empty")];
    store
        .turns
        .record(record("main", &dead, 1, &answer))
        .await
        .unwrap();
    assert_eq!(
        store.turns.kept_text(&run("main")).await.unwrap(),
        "so",
        "a tool says nothing"
    );

    let reclaimed = store
        .turns
        .reclaim(reclaim(&next, true, T0.plus_ms(10)))
        .await
        .unwrap();
    assert_eq!(reclaimed.queued, [run("main")]);
    assert_eq!(claim(store, &next, T0.plus_ms(20)).await, Some(run("main")));

    // The next attempt reads what this one did, and its steps are counted from 0 again.
    let turn = store.turns.find(&run("main")).await.unwrap().unwrap();
    let context = store.transcripts.context(&turn.key, 50).await.unwrap();
    let read: Vec<_> = context.iter().map(|row| (row.role, row.run.clone())).collect();
    let main = Some(run("main"));
    assert_eq!(
        read,
        [
            (Role::User, main.clone()),
            (Role::Assistant, main.clone()),
            (Role::Tool, main)
        ]
    );
    let other = [(Role::Assistant, "another")];
    let recorded = store
        .turns
        .record(record("main", &next, 0, &other))
        .await
        .unwrap();
    assert_eq!(recorded.entries.first().unwrap().seq, 4);
    assert_eq!(rows(store, "main").await.len(), 4);
}

pub(super) async fn a_turn_that_recorded_an_effect_is_never_run_again(store: &Stores) {
    let (owner, next) = (Owner::new("a"), Owner::new("next"));
    for rest in ["given", "taken"] {
        shown(store, rest, &owner, &[&["posted"]]).await;
        let posted = Record {
            effects: true,
            ..record(rest, &owner, 0, &[(Role::Assistant, "post it")])
        };
        store.turns.record(posted).await.unwrap();
        // A later step without an effect takes nothing back.
        let more = record(rest, &owner, 1, &[(Role::Tool, "posted")]);
        store.turns.record(more).await.unwrap();
    }

    let gave_back = store
        .turns
        .give_back(&run("given"), &owner, LIMITS)
        .await
        .unwrap();
    let reclaimed = store
        .turns
        .reclaim(reclaim(&next, true, T0.plus_ms(10)))
        .await
        .unwrap();

    assert_eq!(gave_back, GaveBack::Spent);
    assert!(reclaimed.queued.is_empty());
    assert!(
        reclaimed
            .ended
            .iter()
            .all(|ended| ended.turn.state == TurnState::Interrupted)
    );
    assert_eq!(reclaimed.ended.len(), 2);
}

pub(super) async fn whoever_is_to_stop_records_what_happened_and_a_dead_transcript_takes_nothing(
    store: &Stores,
) {
    let owner = Owner::new("a");
    let one = [(Role::Tool, "posted")];
    shown(store, "main", &owner, &[&[""]]).await;
    store
        .turns
        .abort(&key("main"), None, Origin::Rpc, T0)
        .await
        .unwrap();

    let stopped = store.turns.record(record("main", &owner, 0, &one)).await.unwrap();

    assert_eq!(
        (stopped.hold, stopped.entries.len()),
        (Hold::Stop(Origin::Rpc), 1)
    );

    shown(store, "reset", &owner, &[&[""]]).await;
    let boundary = row(Role::System, "new", None, T0.plus_ms(2));
    store
        .sessions
        .reset(&key("reset"), boundary, None, T0.plus_ms(2))
        .await
        .unwrap();

    let behind = store
        .turns
        .record(record("reset", &owner, 0, &one))
        .await
        .unwrap();

    assert_eq!((behind.hold, behind.entries.len()), (Hold::Held, 0));
    assert_eq!(rows(store, "reset").await.len(), 1, "the boundary");
}
