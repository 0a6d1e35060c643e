use super::*;

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

#[tokio::test]
async fn a_turn_that_was_seen_ends_with_a_notice_after_a_restart() {
    let mut bench = Bench::new().await;
    let mut first = bench.run("{}");
    let to_room = Admission {
        reply: Reply::To(room("#a")),
        ..message("r1", "hi")
    };
    first.engine.submit(to_room).await.unwrap();
    let call = bench.call().await;
    call.text("half").await;
    first
        .see("the text", |seen| seen.label().starts_with("chat delta"))
        .await;
    first.die();

    let mut second = bench.run("{}");
    let end = second.end_of("r1").await;

    assert_eq!(
        (end.state(), end.stop_reason.as_deref()),
        (State::Error, Some("restart"))
    );
    assert_eq!(first.ends("r1"), 0);
    assert_eq!(state(&bench, "r1").await, TurnState::Interrupted);
    let last = first.seen.iter().filter_map(|seen| match seen {
        Seen::Chat(event, _) => Some(event.seq),
        Seen::Agent(..) | Seen::Row(_) | Seen::Changed(_) => None,
    });
    assert!(last.max().unwrap() < end.seq, "numbers grow over the restart");
    let notices = bench.store.deliveries(i64::MAX, 10).await.unwrap();
    assert_eq!(
        notices.iter().map(|notice| &notice.target).collect::<Vec<_>>(),
        [&room("#a")]
    );
    assert!(bench.calls.try_recv().is_err(), "it is not run again");
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
    let mut house = bench.run_timed("{}", bench.agent.clone(), true, Duration::ZERO);
    let other = Admission {
        key: key("other"),
        ..message("r2", "hi")
    };
    house.engine.submit(message("r1", "hi")).await.unwrap();
    let seen = bench.call().await;
    house.engine.submit(other).await.unwrap();
    let _unseen = bench.call().await;
    seen.text("half").await;
    house
        .see("the text", |seen| seen.label().starts_with("chat delta"))
        .await;

    assert!(house.drain.finish(PATIENCE).await);
    house.rest();

    assert_eq!((house.ends("r1"), house.ends("r2")), (1, 0));
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
