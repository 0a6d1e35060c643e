//! Turns whose agent service goes away in the middle.

use super::*;

/// Begins r1 with half an answer, whose agent service then goes away.
async fn half_an_answer(
    bench: &mut Bench,
    running: &Running,
    request: StreamTurnRequest,
) -> StreamTurnStream {
    let mut stream = begin(running, request).await.unwrap();
    let call = bench.call().await;
    call.event(Event::ToolCallDelta(ToolCallDelta {
        index: 0,
        id: Some("c1".to_owned()),
        name: Some("ls".to_owned()),
        arguments: "{".to_owned(),
    }))
    .await;
    call.text("half").await;
    while next(&mut stream).await.text.is_none() {}
    call.break_off().await;
    stream
}

#[tokio::test]
async fn an_answer_that_is_begun_anew_takes_back_what_was_told_of_it() {
    let mut bench = Bench::new().await;
    let running = bench.run("{}");
    let request = StreamTurnRequest {
        takes_back: Some(true),
        ..asks("r1", "hi")
    };
    let mut stream = half_an_answer(&mut bench, &running, request).await;
    let call = bench.call().await;
    call.text("the whole").await;
    call.done().await;

    while next(&mut stream).await.begun_anew != Some(true) {}

    let (texts, calls, end) = rest(&mut stream).await;
    assert_eq!(
        (texts, calls, end.status.as_str()),
        (vec!["the whole".to_owned()], vec![], "ok")
    );
}

#[tokio::test]
async fn who_cannot_take_back_what_was_told_is_told_and_its_run_is_stopped_unless_somebody_may_come_back() {
    for (linger_ms, state) in [(None, TurnState::Aborted), (Some(60_000), TurnState::Done)] {
        let mut bench = Bench::new().await;
        let running = bench.run("{}");
        let request = StreamTurnRequest {
            linger_ms,
            ..asks("r1", "hi")
        };
        let mut stream = half_an_answer(&mut bench, &running, request).await;
        let call = bench.call().await;

        let status = loop {
            match within("a piece", stream.next()).await.unwrap() {
                Ok(_) => {}
                Err(status) => break status,
            }
        };

        let failure = Failure::from_status(&status);
        assert_eq!(
            (failure.kind, failure.reason.as_deref()),
            (Kind::Unavailable, Some("answer-begun-anew"))
        );
        assert!(stream.next().await.is_none());
        drop(stream);
        if linger_ms.is_some() {
            call.text("whole").await;
            call.done().await;
        } else {
            call.cancelled().await;
        }
        until("the end", async || state_of(&running, "r1").await == Some(state)).await;
    }
}

#[tokio::test]
async fn a_turn_whose_agent_service_stays_away_ends_as_one_that_may_be_asked_for_again() {
    let bench = Bench::new().await;
    let (nobody, _) = bench.peer("nobody.sock");
    let running = bench.run_with("{}", nobody);

    let mut stream = begin(&running, asks("r1", "hi")).await.unwrap();

    let (_, _, end) = rest(&mut stream).await;
    assert_eq!(
        (end.status.as_str(), end.failure.as_deref()),
        ("error", Some("unavailable"))
    );
}
