use super::*;
use crate::turns::queue::{DropPolicy, QueueRule};

#[tokio::test]
async fn a_turn_of_which_nothing_was_seen_runs_again_after_a_restart() {
    let mut bench = Bench::new().await;
    let mut first = bench.run("{}");
    first.engine.submit(message("r1", "hi")).await.unwrap();
    let _unanswered = bench.call().await;
    first.die();
    assert_eq!(state(&bench, "r1").await, TurnState::Running);

    let mut second = bench.run("{}");
    let call = bench.call().await;
    call.text("again").await;
    call.done().await;
    second.end_of("r1").await;

    assert_eq!((first.ends("r1"), second.ends("r1")), (0, 1));
    assert_eq!(rows(&bench).await.len(), 2);
}

/// A message from a chat, whose answer is begun and seen on the screens.
async fn seen_half(bench: &mut Bench, running: &mut Running) -> crate::testing::Call {
    let to_room = Admission {
        reply: Reply::To(room("#a")),
        ..message("r1", "hi")
    };
    running.engine.submit(to_room).await.unwrap();
    see_half(bench, running).await
}

async fn see_half(bench: &mut Bench, running: &mut Running) -> crate::testing::Call {
    let call = bench.call().await;
    call.text("ha").await;
    call.text("lf").await;
    running.sees_text("lf").await;
    until("the text to be kept", async || {
        bench.stores.turns.kept_text(&RunId::new("r1")).await.unwrap() == "half"
    })
    .await;
    call
}

#[tokio::test]
async fn a_turn_that_was_seen_runs_again_once_after_a_restart() {
    let mut bench = Bench::new().await;
    let mut first = bench.run("{}");
    let _unanswered = seen_half(&mut bench, &mut first).await;
    first.die();

    let mut second = bench.run("{}");
    let call = bench.call().await;
    call.text("whole").await;
    call.done().await;
    let end = second.end_of("r1").await;

    assert_eq!((end.state(), first.ends("r1")), (State::Final, 0));
    assert_eq!(
        rows(&bench).await.get(1),
        Some(&(Role::Assistant, "whole".to_owned()))
    );
    let replaced = second.seen.iter().find_map(|seen| match seen {
        Seen::Chat(event, _) if event.delta_text.is_some() => event.replace,
        Seen::Chat(..) | Seen::Agent(..) | Seen::Row(_) | Seen::Changed(_) | Seen::Aside(_) => None,
    });
    assert_eq!(replaced, Some(true), "the screens drop what they had");
    assert!(
        first.seqs("r1").last() < second.seqs("r1").first(),
        "numbers grow over the restart"
    );
    let replies = bench.stores.deliveries.waiting(Timestamp::MAX, 10).await.unwrap();
    assert_eq!(
        replies
            .iter()
            .map(|reply| (reply.target.clone(), reply.content.words()))
            .collect::<Vec<_>>(),
        [(room("#a"), "whole".to_owned())],
        "the chat gets one reply"
    );
}

#[tokio::test]
async fn a_turn_whose_second_run_dies_too_ends_with_the_text_that_was_shown_and_a_notice() {
    let mut bench = Bench::new().await;
    let mut first = bench.run("{}");
    let _first = seen_half(&mut bench, &mut first).await;
    first.die();
    let mut second = bench.run("{}");
    let _second = see_half(&mut bench, &mut second).await;
    second.die();

    let mut third = bench.run("{}");
    let end = third.end_of("r1").await;

    assert_eq!(
        (end.state(), end.stop_reason.as_deref()),
        (State::Error, Some("restart"))
    );
    assert_eq!((first.ends("r1"), second.ends("r1"), third.ends("r1")), (0, 0, 1));
    assert_eq!(state(&bench, "r1").await, TurnState::Interrupted);
    assert_eq!(
        rows(&bench).await.get(1),
        Some(&(Role::Assistant, "half".to_owned()))
    );
    let replies = bench.stores.deliveries.waiting(Timestamp::MAX, 10).await.unwrap();
    assert!(
        matches!(&*replies, [reply] if reply.content.words().starts_with("half\n\n") && reply.content.words().contains("restart")),
        "{replies:?}"
    );
    assert!(bench.calls.try_recv().is_err(), "it is not run a third time");
}

#[tokio::test]
async fn queued_turns_run_after_a_restart() {
    let mut bench = Bench::new().await;
    let mut first = bench.run("{}");
    first.engine.submit(message("r1", "one")).await.unwrap();
    let _unanswered = bench.call().await;
    first.engine.submit(message("r2", "two")).await.unwrap();
    first.die();

    let mut second = bench.run("{}");
    for run in ["r1", "r2"] {
        bench.call().await.done().await;
        second.end_of(run).await;
    }
}

#[tokio::test]
async fn a_process_that_ends_in_order_says_what_it_could_not_finish() {
    let mut bench = Bench::new().await;
    let mut running = bench.run_timed("{}", bench.agent.clone(), Duration::ZERO);
    let other = Admission {
        key: key("other"),
        ..message("r2", "hi")
    };
    running.engine.submit(message("r1", "hi")).await.unwrap();
    let seen = bench.call().await;
    running.engine.submit(other).await.unwrap();
    let _unseen = bench.call().await;
    seen.text("half").await;
    running
        .see("the text", |seen| seen.label().starts_with("chat delta"))
        .await;

    assert!(running.drain.finish(PATIENCE).await);
    running.rest();

    assert_eq!((running.ends("r1"), running.ends("r2")), (1, 0));
    assert_eq!(state(&bench, "r1").await, TurnState::Interrupted);
    assert_eq!(
        rows(&bench).await.get(1),
        Some(&(Role::Assistant, "half".to_owned())),
        "what was said is kept"
    );
    let mut next = bench.run("{}");
    bench.call().await.done().await;
    assert_eq!(next.end_of("r2").await.state(), State::Final);
}

#[tokio::test]
async fn after_a_restart_the_screens_hear_how_the_last_sessions_stand() {
    let mut bench = Bench::new().await;
    let mut first = bench.run("{}");
    first.engine.submit(message("r1", "hi")).await.unwrap();
    bench.call().await.done().await;
    first.end_of("r1").await;
    first.die();

    let mut second = bench.run("{}");
    let Seen::Changed(event) = second
        .see("the news", |seen| seen.label() == "changed restart")
        .await
    else {
        unreachable!()
    };

    assert_eq!(event.session.unwrap().status.as_deref(), Some("done"));
    second.rest();
    assert_eq!(second.ends("r1"), 0, "an end is not said twice");
}

#[tokio::test]
async fn a_process_that_ends_lets_answers_end_and_takes_and_begins_nothing_new() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    running.engine.submit(message("r1", "one")).await.unwrap();
    let call = bench.call().await;
    running.engine.submit(message("r2", "two")).await.unwrap();

    running.drain.start();
    let refused = running.engine.submit(message("r3", "three")).await.unwrap_err();
    call.text("whole").await;
    call.done().await;
    let end = running.end_of("r1").await;
    assert!(running.drain.finish(PATIENCE).await);

    assert_eq!(
        (refused.kind().retryable(), refused.reason()),
        (true, Some("stopping"))
    );
    assert_eq!((end.state(), running.ends("r1")), (State::Final, 1));
    assert_eq!(state(&bench, "r2").await, TurnState::Queued);
    assert!(
        bench
            .stores
            .turns
            .find(&RunId::new("r3"))
            .await
            .unwrap()
            .is_none()
    );
    let mut next = bench.run("{}");
    bench.call().await.done().await;
    next.end_of("r2").await;
}

#[tokio::test]
async fn a_process_that_ends_does_not_wait_for_an_agent_service_that_is_away() {
    let bench = Bench::new().await;
    let (nobody, _) = bench.peer("nobody.sock");
    let mut running = bench.run_with("{}", nobody);
    running.engine.submit(message("r1", "hi")).await.unwrap();
    until("the run to begin", async || {
        state(&bench, "r1").await == TurnState::Running
    })
    .await;

    assert!(running.drain.finish(PATIENCE).await);

    running.rest();
    assert_eq!(running.ends("r1"), 0, "the next process asks again");
    assert_eq!(state(&bench, "r1").await, TurnState::Running);
}

#[tokio::test]
async fn what_was_joined_in_a_full_queue_is_answered_together_by_the_next_process() {
    let mut bench = Bench::new().await;
    let mut first = bench.run("{}");
    let to_room = |run: &str| {
        let message = queued_as(QueueMode::Followup, message(run, run));
        Admission {
            reply: Reply::To(room("#a")),
            queue: QueueRule {
                cap: 2,
                drop: DropPolicy::Summarize,
                ..message.queue
            },
            ..message
        }
    };
    for run in ["r1", "r2", "r3", "r4"] {
        first.engine.submit(to_room(run)).await.unwrap();
    }
    let _unanswered = bench.call().await;
    assert_eq!(
        state(&bench, "r3").await,
        TurnState::Done,
        "the second answers it"
    );
    first.die();

    let _second = bench.run("{}");

    for asked in [&["r1"][..], &["r2", "r3"], &["r4"]] {
        let call = bench.call().await;
        let texts = call.texts();
        let last = texts.len().saturating_sub(asked.len());
        assert_eq!(texts[last..], *asked);
        call.text("yes").await;
        call.done().await;
    }
}
