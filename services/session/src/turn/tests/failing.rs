use super::*;

#[tokio::test]
async fn an_agent_that_comes_back_in_time_answers() {
    let mut bench = Bench::new().await;
    let mut house = bench.run("{}");
    house.engine.submit(message("r1", "hi")).await.unwrap();
    bench.call().await.break_off().await;

    let call = bench.call().await;
    call.text("here").await;
    call.done().await;

    assert_eq!(house.end_of("r1").await.state(), State::Final);
}

#[tokio::test]
async fn an_agent_that_stays_away_fails_the_turn_with_a_notice_to_the_chat() {
    let bench = Bench::new().await;
    let (nobody, _) = bench.peer("nobody.sock");
    let mut house = bench.run_with("{}", nobody, true);
    let to_room = Admission {
        reply: Reply::To(room("#a")),
        ..message("r1", "hi")
    };
    house.engine.submit(to_room).await.unwrap();

    let end = house.end_of("r1").await;

    assert_eq!(end.state(), State::Error);
    assert!(end.error_message.unwrap().contains("cannot be reached"));
    assert_eq!(bench.store.deliveries(i64::MAX, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_kept_and_not_begun_again() {
    let mut bench = Bench::new().await;
    let mut house = bench.run("{}");
    house.engine.submit(message("r1", "hi")).await.unwrap();
    let call = bench.call().await;
    call.text("half").await;
    house
        .see("the text", |seen| seen.label().starts_with("chat delta"))
        .await;
    call.break_off().await;

    assert_eq!(house.end_of("r1").await.state(), State::Error);

    assert_eq!(state(&bench, "r1").await, TurnState::Interrupted);
    assert_eq!(
        rows(&bench).await.get(1),
        Some(&(Role::Assistant, "half".to_owned()))
    );
    assert!(bench.calls.try_recv().is_err());
}

#[tokio::test]
async fn a_failure_says_its_kind() {
    let mut bench = Bench::new().await;
    let mut house = bench.run("{}");
    house.engine.submit(message("r1", "hi")).await.unwrap();
    bench
        .call()
        .await
        .fail(FailureKind::RateLimit, "too many requests: wait a minute")
        .await;

    let end = house.end_of("r1").await;

    assert_eq!(end.error_kind.as_deref(), Some("rate_limit"));
    assert_eq!(
        end.error_message.as_deref(),
        Some("too many requests: wait a minute")
    );
    house.engine.submit(message("r2", "next")).await.unwrap();
    assert_eq!(
        bench.call().await.texts(),
        ["hi", "next"],
        "a notice is not read by a model"
    );
}
