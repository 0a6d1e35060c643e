mod told;

use gatehouse_proto::broadcast::v1::Rendition;

use super::*;

#[tokio::test]
async fn an_agent_that_comes_back_in_time_answers() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    running.engine.submit(message("r1", "hi")).await.unwrap();
    bench.call().await.break_off().await;

    let call = bench.call().await;
    call.text("here").await;
    call.done().await;

    assert_eq!(running.end_of("r1").await.state(), State::Final);
}

#[tokio::test]
async fn an_agent_that_stays_away_fails_the_turn_with_a_notice_to_the_chat() {
    let bench = Bench::new().await;
    let (nobody, _) = bench.peer("nobody.sock");
    let mut running = bench.run_with("{}", nobody);
    let to_room = Admission {
        reply: Reply::To(room("#a")),
        ..message("r1", "hi")
    };
    running.engine.submit(to_room).await.unwrap();

    let end = running.end_of("r1").await;

    assert_eq!(end.state(), State::Error);
    assert!(end.error_message.unwrap().contains("cannot be reached"));
    assert_eq!(
        bench
            .stores
            .deliveries
            .waiting(Timestamp::MAX, 10)
            .await
            .unwrap()
            .len(),
        1
    );
}

/// Says something for a chat and answers the first call with half a text, which the screens see.
async fn half_an_answer(bench: &mut Bench, running: &mut Running) -> crate::testing::Call {
    let to_room = Admission {
        reply: Reply::To(room("#a")),
        ..message("r1", "hi")
    };
    running.engine.submit(to_room).await.unwrap();
    let call = bench.call().await;
    call.text("half").await;
    running.sees_text("half").await;
    call
}

async fn replies(bench: &Bench) -> Vec<String> {
    let waiting = bench.stores.deliveries.waiting(Timestamp::MAX, 10).await.unwrap();
    waiting.into_iter().map(|reply| reply.content.words()).collect()
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_begun_again_and_takes_the_place_of_what_was_shown() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    half_an_answer(&mut bench, &mut running).await.break_off().await;

    let call = bench.call().await;
    call.text("the whole").await;
    call.text(" answer").await;
    call.done().await;
    let end = running.end_of("r1").await;

    assert_eq!((end.state(), running.ends("r1")), (State::Final, 1));
    assert_eq!(
        rows(&bench).await,
        [
            (Role::User, "hi".to_owned()),
            (Role::Assistant, "the whole answer".to_owned())
        ]
    );
    assert_eq!(
        replies(&bench).await,
        ["the whole answer"],
        "the chat hears of nothing else"
    );
    for rendition in [Rendition::Increment, Rendition::Cumulative] {
        assert_eq!(
            running.screen("r1", rendition),
            "the whole answer",
            "{rendition:?}"
        );
        let seqs = running.seqs("r1");
        assert!(seqs.is_sorted(), "numbers grow: {seqs:?}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_twice_ends_with_what_was_shown_and_the_reason() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    half_an_answer(&mut bench, &mut running).await.break_off().await;
    let call = bench.call().await;
    call.text("other half").await;
    running.sees_text("other half").await;
    call.break_off().await;

    let end = running.end_of("r1").await;

    assert_eq!((end.state(), running.ends("r1")), (State::Error, 1));
    assert_eq!(state(&bench, "r1").await, TurnState::Interrupted);
    let rows = rows(&bench).await;
    assert_eq!(rows.get(1), Some(&(Role::Assistant, "other half".to_owned())));
    let replies = replies(&bench).await;
    assert!(
        matches!(&*replies, [reply] if reply.starts_with("other half\n\n(") && reply.contains("broke off")),
        "{replies:?}"
    );
    assert!(bench.calls.try_recv().is_err(), "it is not begun a third time");
}

#[tokio::test]
async fn what_a_first_attempt_showed_is_kept_when_the_second_says_nothing() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    half_an_answer(&mut bench, &mut running).await.break_off().await;
    bench
        .call()
        .await
        .fail(FailureKind::RateLimit, "too many requests")
        .await;

    running.end_of("r1").await;

    assert_eq!(
        rows(&bench).await.get(1),
        Some(&(Role::Assistant, "half".to_owned()))
    );
    let replies = replies(&bench).await;
    assert!(
        matches!(&*replies, [reply] if reply.starts_with("half\n\n(")),
        "{replies:?}"
    );
}

#[tokio::test]
async fn an_answer_with_effects_is_not_begun_again() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let call = half_an_answer(&mut bench, &mut running).await;
    let owner = bench
        .stores
        .turns
        .find(&RunId::new("r1"))
        .await
        .unwrap()
        .unwrap()
        .owner
        .unwrap();
    let posted = crate::store::Record {
        run: RunId::new("r1"),
        owner,
        first: 0,
        entries: Vec::new(),
        effects: true,
    };
    bench.stores.turns.record(posted).await.unwrap();
    call.break_off().await;

    assert_eq!(running.end_of("r1").await.state(), State::Error);

    assert_eq!(
        rows(&bench).await.get(1),
        Some(&(Role::Assistant, "half".to_owned()))
    );
    assert!(bench.calls.try_recv().is_err());
}

#[tokio::test]
async fn an_answer_that_somebody_stopped_is_not_begun_again() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    half_an_answer(&mut bench, &mut running).await.break_off().await;
    let call = bench.call().await;

    running.engine.abort(key("main"), None).await.unwrap();

    call.cancelled().await;
    assert_eq!(running.end_of("r1").await.state(), State::Aborted);
    assert_eq!(
        rows(&bench).await.get(1),
        Some(&(Role::Assistant, "half".to_owned())),
        "what stood on the screens"
    );
    assert!(bench.calls.try_recv().is_err());
}
