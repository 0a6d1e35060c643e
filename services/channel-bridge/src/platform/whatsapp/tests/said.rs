//! What the assistant says, and how the account is.

use super::*;

#[tokio::test]
async fn an_answer_is_marked_up_and_shows_no_preview() {
    let scene = Scene::start().await;

    scene
        .bench
        .say("k", "+49 170 1234567", "**yes**, see [there](https://a.b)")
        .await;

    let seen = scene.seen(1).await;
    assert_eq!(
        (seen[0].to.as_str(), seen[0].text.as_str()),
        (ANNA, "*yes*, see there (https://a.b)")
    );
    assert_eq!(
        scene.cloud.calls("message")[0].body["text"]["preview_url"],
        json!(false)
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn outside_of_the_window_the_answer_is_dead_with_the_reason_and_others_go_on() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;

    scene
        .cloud
        .fault("message", refusal(131_047, "more than 24 hours have passed"));
    scene.bench.say("late", ANNA, "too late").await;
    until("the failure", async || {
        let counts = scene.stores.outbox.counts(key("a")).await.unwrap();
        (counts.waiting == 0 && counts != Counts::default()).then_some(())
    })
    .await;
    scene.bench.say("other", "491709999999", "in time").await;

    assert_eq!(scene.seen(1).await[0].text, "in time");
    assert_eq!(scene.cloud.calls("message").len(), 2, "it is not tried again");
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_person_who_is_written_to_too_fast_is_left_alone_and_others_are_not() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;

    scene
        .cloud
        .fault("message", refusal(131_056, "pair rate limit hit"));
    scene.bench.say("slow", ANNA, "slow").await;
    until("the refusal", async || {
        (!scene.cloud.calls("message").is_empty()).then_some(())
    })
    .await;
    scene.bench.say("other", "491709999999", "other").await;

    let seen = scene.seen(2).await;
    assert_eq!([seen[0].text.as_str(), seen[1].text.as_str()], ["other", "slow"]);
    let calls = scene.cloud.calls("message");
    assert!(calls.last().unwrap().at - calls[0].at >= Duration::from_secs(6));
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_token_that_ran_out_ends_the_account_with_the_next_step_and_is_shown_nowhere() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let token = scene.cloud.token();

    scene.cloud.revoke();
    scene.bench.say("k", ANNA, "an answer").await;

    let error = scene.failed().await;
    assert!(
        error.contains("190") && error.contains("system user") && !error.contains(&token),
        "{error}"
    );
    let answer = scene.post("{}", Vec::new()).await;
    assert_eq!(answer.status, 401, "what is not signed is not looked at");
}

#[tokio::test]
async fn typing_marks_the_last_message_of_the_person_as_read() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let hint = || Typing {
        to: ANNA.into(),
        thread_id: None,
    };

    scene.bench.hints.hint(Typing {
        to: "491709999999".into(),
        thread_id: None,
    });
    scene
        .posts(&post(ANNA, &[text(ANNA, "wamid.7", "hello")], json!({})))
        .await;
    scene.bench.hints.hint(hint());

    until("it is shown", async || {
        (scene.cloud.calls("typing").len() == 1).then_some(())
    })
    .await;
    assert_eq!(scene.cloud.calls("typing")[0].body["message_id"], "wamid.7");
    scene.bench.stop().await;
}

#[tokio::test]
async fn where_nothing_can_be_reached_the_account_says_so_without_the_address() {
    let scene = Scene::with(json!({"apiRoot": "http://127.0.0.1:1/v26.0"})).await;

    scene.is(State::Backoff).await;

    let error = scene.bench.progress.snapshot().last_error.unwrap();
    assert!(
        error.contains("WhatsApp cannot be reached") && !error.contains("/v26"),
        "{error}"
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn what_may_have_been_taken_is_said_again_with_a_label() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;

    scene.cloud.fault("message", Fault::Lose);
    scene.bench.say("k", ANNA, "an answer").await;

    let seen = scene.seen(2).await;
    assert!(seen[1].text.starts_with("(resent)"), "{seen:?}");
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_message_is_reacted_to_by_its_id() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let react = async |to: &str| {
        let message = "wamid.7".into();
        scene.adapter.react(&to.into(), None, &message, "👀").await
    };

    react(ANNA).await.unwrap();
    react("user:DE.a1").await.unwrap();

    let calls = scene.cloud.calls("reaction");
    assert_eq!(
        calls[0].body,
        json!({"messaging_product": "whatsapp", "recipient_type": "individual", "to": ANNA, "type": "reaction",
            "reaction": {"message_id": "wamid.7", "emoji": "👀"}})
    );
    assert_eq!(calls[1].body["recipient"], "DE.a1");
    scene.bench.stop().await;
}
