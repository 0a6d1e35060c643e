//! What chats and screens are told of an answer that failed.

use super::*;

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
        ("r12", FailureKind::Silent),
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
        let replies = bench.stores.deliveries.waiting(Timestamp::MAX, 10).await.unwrap();
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

    let replies = bench.stores.deliveries.waiting(Timestamp::MAX, 10).await.unwrap();

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
