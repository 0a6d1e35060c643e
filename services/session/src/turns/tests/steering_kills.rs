//! Kills around the taking in of a message: whatever was acknowledged is answered, once, and every run has one end.

use gatehouse_proto::broadcast::v1::Rendition;

use super::steering::{in_room, told};
use super::*;
use crate::answer;
use crate::stop::StopReason;
use crate::store::{Admitted, EntryExtra, Lease, NewEntry, TakeIn};

/// When the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Killed {
    /// The message is acknowledged, and waits.
    Before,
    /// It is taken in, and the model is asked again.
    TakenIn,
    /// The model has begun to answer it.
    Answering,
}

/// The text in flight of the first run, kept: what a kill leaves of it.
async fn keeps(bench: &Bench, text: &str) {
    until("the text to be kept", async || {
        bench.stores.turns.kept_text(&RunId::new("r1")).await.unwrap() == text
    })
    .await;
}

/// A process that dies at this moment, with a message of the same chat to steer its run.
async fn dies(bench: &mut Bench, killed: Killed) -> (Running, crate::testing::Call) {
    let mut first = bench.run("{}");
    first.engine.submit(in_room("r1", "one", "#a")).await.unwrap();
    let mut call = bench.call().await;
    call.text("first").await;
    first.sees_text("first").await;
    first.engine.submit(in_room("r2", "two", "#a")).await.unwrap();
    if killed != Killed::Before {
        call.done().await;
        call = bench.call().await;
        first.end_of("r2").await;
    }
    if killed == Killed::Answering {
        call.text("sec").await;
        first.sees_text("sec").await;
        keeps(bench, "sec").await;
    }
    first.die();
    (first, call)
}

#[tokio::test]
async fn a_kill_at_any_step_of_taking_in_loses_no_message_and_answers_none_twice() {
    for killed in [Killed::Before, Killed::TakenIn, Killed::Answering] {
        let mut bench = Bench::new().await;
        let (mut first, _unanswered) = dies(&mut bench, killed).await;

        let mut second = bench.run("{}");
        let mut call = bench.call().await;
        let last = if killed == Killed::Before {
            assert_eq!(call.texts(), ["one"]);
            call.text("first").await;
            call.done().await;
            call = bench.call().await;
            "r2"
        } else {
            "r1"
        };
        assert_eq!(call.texts(), ["one", "first", "two"], "{killed:?}");
        call.text("second").await;
        call.done().await;
        second.end_of(last).await;

        let chat = told(&bench).await;
        if killed == Killed::Before {
            assert_eq!(chat, ["first", "second"]);
        } else {
            assert_eq!(chat, ["first\n\nsecond"], "{killed:?}");
            for rendition in [Rendition::Increment, Rendition::Cumulative] {
                assert_eq!(
                    second.screen("r1", rendition),
                    "first\n\nsecond",
                    "the new text takes the place of all that was shown: {killed:?}"
                );
            }
        }
        let said: Vec<_> = rows(&bench).await.into_iter().map(|(_, text)| text).collect();
        assert_eq!(said, ["one", "two", "first", "second"], "{killed:?}");
        let session = bench.stores.sessions.find(&key("main")).await.unwrap().unwrap();
        assert_eq!(
            (session.input_tokens, session.output_tokens),
            (2, 4),
            "{killed:?}"
        );
        for (run, text) in [("r1", "one"), ("r2", "two")] {
            let again = second.engine.submit(in_room(run, text, "#a")).await.unwrap();
            assert!(again.duplicate && again.turn.state == TurnState::Done);
        }
        for running in [&mut first, &mut second] {
            running.rest();
        }
        for run in ["r1", "r2"] {
            assert_eq!(first.ends(run) + second.ends(run), 1, "{run} {killed:?}");
        }
        assert!(bench.calls.try_recv().is_err(), "{killed:?}");
    }
}

#[tokio::test]
async fn a_message_whose_end_nobody_could_say_any_more_is_answered_and_screens_read_anew() {
    let mut bench = Bench::new().await;
    let (turns, run) = (bench.stores.turns.clone(), RunId::new("r1"));
    let dead = Owner::new("dead");
    let lease = Lease {
        owner: dead.clone(),
        until: bench.clock.now().plus_ms(60_000),
    };
    let one = turns
        .admit(in_room("r1", "one", "#a"), Some(lease))
        .await
        .unwrap();
    assert!(matches!(one, Admitted::New(_)));
    turns.show(&run, &dead, "first", None).await.unwrap();
    turns.admit(in_room("r2", "two", "#a"), None).await.unwrap();
    let content = gatehouse_core::Content::text("first");
    let row = answer::step(&run, Role::Assistant, &content, 0, Timestamp::EPOCH);
    let said = NewEntry {
        extra: EntryExtra {
            stop_reason: Some(StopReason::Stop),
            ..row.extra
        },
        ..row
    };
    let taken = turns
        .take_in(TakeIn {
            run: run.clone(),
            owner: dead,
            said: Some((0, said)),
            now: bench.clock.now(),
        })
        .await
        .unwrap();
    assert_eq!(taken.ended.len(), 1);

    // The process died with that commit.
    let mut next = bench.run("{}");
    let call = bench.call().await;
    assert_eq!(call.texts(), ["one", "first", "two"]);
    call.text("second").await;
    call.done().await;
    next.end_of("r1").await;

    assert_eq!(told(&bench).await, ["first\n\nsecond"]);
    assert_eq!((next.ends("r1"), next.ends("r2")), (1, 0));
    assert!(next.labels().contains(&"changed restart".to_owned()));
    let steered = next.engine.wait(&RunId::new("r2"), PATIENCE).await.unwrap();
    assert_eq!((steered.state, steered.merged_into), (TurnState::Done, Some(run)));
}

#[tokio::test]
async fn a_steered_run_that_may_not_be_run_again_ends_with_all_that_it_said() {
    let mut bench = Bench::new().await;
    let (_first, _unanswered) = dies(&mut bench, Killed::Answering).await;
    let mut second = bench.run("{}");
    let call = bench.call().await;
    call.text("other").await;
    second.sees_text("first\n\nother").await;
    keeps(&bench, "other").await;
    second.die();

    let mut third = bench.run("{}");
    let end = third.end_of("r1").await;

    assert_eq!(end.state(), State::Error);
    let chat = told(&bench).await;
    assert!(
        matches!(&*chat, [reply] if reply.starts_with("first\n\nother\n\n") && reply.contains("restart")),
        "{chat:?}"
    );
    let session = bench.stores.sessions.find(&key("main")).await.unwrap().unwrap();
    assert_eq!((session.input_tokens, session.output_tokens), (1, 2));
}
