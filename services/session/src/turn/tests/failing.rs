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

#[tokio::test]
async fn a_chat_gets_what_was_written_before_a_failure_and_plain_words_once() {
    for (run, kind) in [
        ("r1", FailureKind::Auth),
        ("r2", FailureKind::Config),
        ("r3", FailureKind::RateLimit),
        ("r4", FailureKind::Context),
        ("r5", FailureKind::Timeout),
        ("r6", FailureKind::Rejected),
        ("r7", FailureKind::Unavailable),
        ("r8", FailureKind::Unspecified),
    ] {
        let mut bench = Bench::new().await;
        let mut house = bench.run("{}");
        let to_room = Admission {
            reply: Reply::To(room("#a")),
            ..message(run, "hi")
        };
        house.engine.submit(to_room).await.unwrap();
        let call = bench.call().await;
        call.text("Once upon a time ").await;
        let advice = "provider p refused (check models.providers.p.apiKey): see /var/log/p, sk-1";
        call.fail(kind, advice).await;

        let end = house.end_of(run).await;

        assert_eq!(
            end.error_message.as_deref(),
            Some(advice),
            "an operator is told what to do"
        );
        let replies = bench.store.deliveries(i64::MAX, 10).await.unwrap();
        let texts: Vec<&str> = replies.iter().map(|reply| reply.text.as_str()).collect();
        let [text] = texts.as_slice() else {
            panic!("once: {texts:?}")
        };
        let notice = text
            .strip_prefix("Once upon a time\n\n(")
            .expect("the text first");
        for key in ["models", "apiKey", "provider", "/", "sk-", "`"] {
            assert!(!notice.contains(key), "{kind:?}: {text}");
        }
    }
}

#[tokio::test]
async fn a_chat_gets_the_words_of_an_answer_that_broke_off() {
    let mut bench = Bench::new().await;
    let mut house = bench.run("{}");
    let to_room = Admission {
        reply: Reply::To(room("#a")),
        ..message("r1", "hi")
    };
    house.engine.submit(to_room).await.unwrap();
    let call = bench.call().await;
    call.text("half of").await;
    house
        .see("the text", |seen| seen.label().starts_with("chat delta"))
        .await;
    call.break_off().await;
    house.end_of("r1").await;

    let replies = bench.store.deliveries(i64::MAX, 10).await.unwrap();

    assert_eq!(replies.len(), 1);
    assert!(
        replies[0].text.starts_with("half of\n\n(The answer broke off."),
        "{}",
        replies[0].text
    );
}
