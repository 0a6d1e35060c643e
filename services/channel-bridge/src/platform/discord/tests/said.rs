//! What the assistant says.

use std::time::Duration;

use super::*;
use crate::outbox::store::NewDelivery;

async fn say(scene: &Scene, id: &str, text: &str, change: impl FnOnce(&mut NewDelivery)) {
    let mut delivery = crate::testing::delivery(id, OFFICE, text, scene.bench.clock.now());
    change(&mut delivery);
    scene.bench.outbox.enqueue(delivery).await.unwrap();
}

#[tokio::test]
async fn what_may_have_been_taken_is_sent_again_and_known_by_its_nonce() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;

    scene.discord.fault("POST messages", Fault::Lose);
    say(&scene, "k", "an answer", |_| {}).await;
    scene.bench.settled().await;

    until("the second try", async || {
        (scene.discord.calls("POST messages").len() == 2).then_some(())
    })
    .await;
    let texts: Vec<String> = scene.seen(1).await.into_iter().map(|seen| seen.text).collect();
    assert_eq!(texts, ["an answer"]);
    let counts = scene.stores.outbox.counts(key("a")).await.unwrap();
    assert_eq!((counts.waiting, counts.dead), (0, 0));
    scene.bench.stop().await;
}

#[tokio::test]
async fn nobody_is_called_by_an_answer_and_it_goes_where_it_is_to_go() {
    let scene = Scene::with(json!({"replyToMode": "first"})).await;

    say(&scene, "k", "**yes** @everyone <@7>", |delivery| {
        delivery.reply_to_id = Some(format!("{OFFICE}/123").as_str().into());
    })
    .await;
    say(&scene, "p", "to a person", |delivery| {
        delivery.to = "user:8".into()
    })
    .await;
    say(&scene, "t", "in a thread", |delivery| {
        delivery.thread_id = Some("600".into())
    })
    .await;

    let seen = scene.seen(3).await;
    let of = |text: &str| seen.iter().find(|seen| seen.text.contains(text)).unwrap().clone();
    assert_eq!(of("yes").sent, "**yes** @everyone \\<@7>");
    assert_eq!(of("yes").answers.as_deref(), Some("123"));
    assert_eq!(of("to a person").channel, "18");
    assert_eq!(of("in a thread").channel, "600");
    let calls = scene.discord.calls("POST messages");
    assert!(
        calls
            .iter()
            .all(|call| call.body["allowed_mentions"]["parse"] == json!([]))
    );
    assert!(calls.iter().all(|call| call.body["flags"] == json!(4)));
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_channel_that_wants_silence_holds_up_no_other_and_a_silence_for_all_does() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;

    scene.discord.fault("POST messages", Fault::Wait(2));
    say(&scene, "slow", "slow", |_| {}).await;
    until("the refusal", async || {
        (!scene.discord.calls("POST messages").is_empty()).then_some(())
    })
    .await;
    say(&scene, "other", "other", |delivery| delivery.to = "17".into()).await;
    let seen = scene.seen(2).await;
    assert_eq!([seen[0].text.as_str(), seen[1].text.as_str()], ["other", "slow"]);

    let global = json!({"message": "You are being rate limited.", "retry_after": 1.5, "global": true});
    scene.discord.fault("POST messages", Fault::Refuse(429, global));
    say(&scene, "all", "all", |_| {}).await;
    until("the refusal", async || {
        (scene.discord.calls("POST messages").len() == 4).then_some(())
    })
    .await;
    say(&scene, "after", "after", |delivery| delivery.to = "17".into()).await;

    scene.seen(4).await;
    let calls = scene.discord.calls("POST messages");
    assert!(calls[4].at - calls[3].at >= Duration::from_millis(1500));
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_channel_that_takes_nothing_is_told_with_the_next_step_and_ends_nothing_else() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let refusal = json!({"message": "Missing Permissions", "code": 50_013});

    scene.discord.fault("POST messages", Fault::Refuse(403, refusal));
    say(&scene, "out", "out", |_| {}).await;
    until("the failure", async || {
        let counts = scene.stores.outbox.counts(key("a")).await.unwrap();
        (counts.waiting == 0 && counts != Counts::default()).then_some(())
    })
    .await;
    say(&scene, "in", "in", |delivery| delivery.to = "17".into()).await;

    scene.seen(1).await;
    assert_eq!(scene.bench.progress.snapshot().state, State::Connected);
    scene.bench.stop().await;
}

#[tokio::test]
async fn typing_is_shown_where_the_answer_will_come() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;

    scene.bench.hints.hint(Typing {
        to: "channel:600".into(),
        thread_id: None,
    });

    until("it is shown", async || {
        scene
            .discord
            .calls("POST typing")
            .first()
            .map(|call| assert_eq!(call.method, "POST channels/600/typing"))
    })
    .await;
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_message_is_reacted_to_in_its_own_channel() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let react = async |to: &str, message: &str| {
        let message = message.into();
        scene.adapter.react(&to.into(), None, &message, "👀").await
    };

    react(OFFICE, "500/123").await.unwrap();
    react("user:7", "17/124/2026-11-28T10:00:05+00:00").await.unwrap();
    react(OFFICE, "600/123").await.unwrap_err();

    let of = |channel: &str, message: &str| [channel, message, "👀"].map(str::to_owned);
    assert_eq!(scene.discord.reactions(), [of(OFFICE, "123"), of("17", "124")]);
    scene.bench.stop().await;
}
