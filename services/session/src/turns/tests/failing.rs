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
        bench.stores.deliveries.waiting(i64::MAX, 10).await.unwrap().len(),
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
    let waiting = bench.stores.deliveries.waiting(i64::MAX, 10).await.unwrap();
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

#[tokio::test]
async fn a_failure_says_its_kind() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    running.engine.submit(message("r1", "hi")).await.unwrap();
    bench
        .call()
        .await
        .fail(FailureKind::RateLimit, "too many requests: wait a minute")
        .await;

    let end = running.end_of("r1").await;

    assert_eq!(end.error_kind.as_deref(), Some("rate_limit"));
    assert_eq!(
        end.error_message.as_deref(),
        Some("too many requests: wait a minute")
    );
    running.engine.submit(message("r2", "next")).await.unwrap();
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
        ("r9", FailureKind::Moderation),
        ("r10", FailureKind::ModelMissing),
        ("r11", FailureKind::Empty),
    ] {
        let mut bench = Bench::new().await;
        let mut running = bench.run("{}");
        let to_room = Admission {
            reply: Reply::To(room("#a")),
            ..message(run, "hi")
        };
        running.engine.submit(to_room).await.unwrap();
        let call = bench.call().await;
        call.text("Once upon a time ").await;
        let advice = "provider p refused (check models.providers.p.apiKey): see /var/log/p, sk-1";
        call.fail(kind, advice).await;

        let end = running.end_of(run).await;

        assert_eq!(
            end.error_message.as_deref(),
            Some(advice),
            "an operator is told what to do"
        );
        let replies = bench.stores.deliveries.waiting(i64::MAX, 10).await.unwrap();
        let texts: Vec<String> = replies.iter().map(|reply| reply.content.words()).collect();
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
    let mut running = bench.run("{}");
    let to_room = Admission {
        reply: Reply::To(room("#a")),
        ..message("r1", "hi")
    };
    running.engine.submit(to_room).await.unwrap();
    for _ in 0..2 {
        let call = bench.call().await;
        call.text("half of").await;
        running.sees_text("half of").await;
        call.break_off().await;
    }
    running.end_of("r1").await;

    let replies = bench.stores.deliveries.waiting(i64::MAX, 10).await.unwrap();

    assert_eq!(replies.len(), 1);
    assert!(
        replies[0]
            .content
            .words()
            .starts_with("half of\n\n(The answer broke off."),
        "{:?}",
        replies[0].content
    );
}

#[tokio::test]
async fn a_chat_is_told_when_an_answer_was_cut_off_by_its_length_or_a_filter() {
    for (stop_reason, words) in [
        ("length", "longest length"),
        ("content_filter", "withheld by a filter"),
    ] {
        let mut bench = Bench::new().await;
        let mut running = bench.run("{}");
        let call = half_an_answer(&mut bench, &mut running).await;
        call.cut_off(stop_reason).await;

        let end = running.end_of("r1").await;

        assert_eq!(
            (end.state(), end.stop_reason.as_deref()),
            (State::Final, Some(stop_reason))
        );
        let replies = replies(&bench).await;
        assert!(
            matches!(&*replies, [reply] if reply.starts_with("half\n") && reply.contains(words)),
            "{replies:?}"
        );
        assert_eq!(
            rows(&bench).await.get(1),
            Some(&(Role::Assistant, "half".to_owned())),
            "the transcript has what the model said"
        );
    }
}

#[tokio::test]
async fn the_thoughts_of_the_next_model_take_the_place_of_those_that_led_to_nothing() {
    use gatehouse_proto::agent::v1::{ModelStarted, ThinkingDelta, run_turn_response::Event};
    let think = |text: &str| Event::ThinkingDelta(ThinkingDelta { text: text.into() });
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    running.engine.submit(message("r1", "hi")).await.unwrap();
    let call = bench.call().await;
    call.event(think("in vain")).await;
    call.event(Event::ModelStarted(ModelStarted::default())).await;
    call.event(think("better")).await;
    call.text("yes").await;
    call.done().await;
    running.end_of("r1").await;

    let mut screen = String::new();
    for seen in &running.seen {
        if let Seen::Agent(event, Rendition::Increment) = seen
            && event.stream == "thinking"
        {
            let data: serde_json::Value = serde_json::from_str(&event.data).unwrap();
            if data["replace"] == true {
                screen.clear();
            }
            screen.push_str(data["delta"].as_str().unwrap());
        }
    }
    assert_eq!(screen, "better");
}
