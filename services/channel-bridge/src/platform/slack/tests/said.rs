//! What the assistant says.

use std::time::Duration;

use super::*;
use crate::outbox::store::NewDelivery;

async fn say(scene: &Scene, id: &str, change: impl FnOnce(&mut NewDelivery)) {
    let mut delivery = crate::testing::delivery(id, OFFICE, "an answer", scene.bench.clock.now());
    change(&mut delivery);
    scene.bench.outbox.enqueue(delivery).await.unwrap();
}

#[tokio::test]
async fn an_answer_goes_into_the_thread_that_asked_with_its_markup() {
    let scene = Scene::start().await;

    say(&scene, "k", |delivery| {
        delivery.thread_id = Some("1790000000.000001".into());
        delivery.message = gatehouse_core::Content::text("**yes**, a < b <!channel>");
    })
    .await;

    let seen = scene.seen(1).await;
    assert_eq!(seen[0].thread.as_deref(), Some("1790000000.000001"));
    assert_eq!(seen[0].channel, OFFICE);
    assert_eq!(seen[0].text, "*yes*, a < b <!channel>");
    assert!(seen[0].sent.contains("&lt;!channel&gt;"), "{seen:?}");
    let body = &scene.workspace.calls("chat.postMessage")[0].body;
    assert_eq!(
        (&body["unfurl_links"], &body["unfurl_media"]),
        (&json!(false), &json!(false))
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn only_the_first_part_begins_a_thread_where_the_operator_wants_that() {
    let scene = Scene::with(json!({"replyToMode": "first"})).await;

    say(&scene, "k", |delivery| {
        delivery.reply_to_id = Some(format!("{OFFICE}/1790000000.000007").as_str().into());
        delivery.message = gatehouse_core::Content::text("word ".repeat(1500));
    })
    .await;

    let seen = scene.seen(2).await;
    assert_eq!(seen[0].thread.as_deref(), Some("1790000000.000007"));
    assert_eq!(seen[1].thread, None);
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_channel_that_wants_silence_holds_up_no_other() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;

    scene.workspace.fault("chat.postMessage", Fault::Wait(2));
    say(&scene, "slow", |delivery| {
        delivery.message = gatehouse_core::Content::text("slow")
    })
    .await;
    until("the refusal", async || {
        (!scene.workspace.calls("chat.postMessage").is_empty()).then_some(())
    })
    .await;
    say(&scene, "other", |delivery| {
        delivery.to = "D2".into();
        delivery.message = gatehouse_core::Content::text("other");
    })
    .await;

    let seen = scene.seen(2).await;
    assert_eq!([seen[0].text.as_str(), seen[1].text.as_str()], ["other", "slow"]);
    let calls = scene.workspace.calls("chat.postMessage");
    let (first, last) = (calls[0].at, calls.last().unwrap().at);
    assert!(
        last - first >= Duration::from_secs(2),
        "no earlier than Slack wants"
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_channel_that_the_bot_is_not_in_is_told_with_the_next_step_and_ends_nothing_else() {
    let scene = Scene::start().await;
    scene.workspace.members(&["CIN"]);

    say(&scene, "out", |_| {}).await;
    say(&scene, "in", |delivery| delivery.to = "CIN".into()).await;

    scene.seen(1).await;
    let counts = until("the failure", async || {
        let counts = scene.stores.outbox.counts(key("a")).await.unwrap();
        (counts.waiting == 0).then_some(counts)
    })
    .await;
    assert_ne!(counts, Counts::default(), "it is dead, and stays to be seen");
    assert_eq!(scene.bench.progress.snapshot().state, State::Connected);
    scene.bench.stop().await;
}

#[tokio::test]
async fn typing_is_shown_below_a_thread_and_given_up_where_slack_does_not_show_it() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let hint = || Typing {
        to: OFFICE.into(),
        thread_id: Some("1790000000.000001".into()),
    };
    let shown = || scene.workspace.calls("assistant.threads.setStatus");

    scene.bench.hints.hint(hint());
    until("it is shown", async || (shown().len() == 1).then_some(())).await;
    assert_eq!(shown()[0].body["thread_ts"], "1790000000.000001");
    let refusal = json!({"ok": false, "error": "missing_scope", "needed": "assistant:write"});
    scene
        .workspace
        .fault("assistant.threads.setStatus", Fault::Refuse(200, refusal));
    scene.bench.hints.hint(hint());
    until("the refusal", async || (shown().len() == 2).then_some(())).await;
    scene.bench.say("k", OFFICE, "the answer").await;
    scene.seen(1).await;

    assert_eq!(scene.bench.progress.snapshot().state, State::Connected);
    scene.bench.stop().await;
}

#[tokio::test]
async fn what_may_have_been_taken_is_said_again_with_a_label_and_what_was_not_without() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;

    scene.workspace.fault("chat.postMessage", Fault::Lose);
    say(&scene, "k", |_| {}).await;

    let seen = scene.seen(2).await;
    assert_eq!(seen[0].text, "an answer");
    assert!(seen[1].text.starts_with("(resent)"), "{seen:?}");
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_message_is_reacted_to_once_by_the_name_that_slack_has_for_it() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let react = async |message: &str, emoji: &str| {
        let message = message.into();
        scene.adapter.react(&OFFICE.into(), None, &message, emoji).await
    };

    react("COFFICE/1790000000.000007", "👀").await.unwrap();
    react("COFFICE/1790000000.000007", ":eyes:").await.unwrap();
    react("COFFICE/1790000000.000007/1790000000.000009", "🤔")
        .await
        .unwrap();
    react("COTHER/1790000000.000007", "👀").await.unwrap_err();
    react("COFFICE/command/7", "👀").await.unwrap_err();
    let unknown = react("COFFICE/1790000000.000007", "🐙").await.unwrap_err();

    let of = |name: &str| (OFFICE.to_owned(), "1790000000.000007".to_owned(), name.to_owned());
    assert_eq!(scene.workspace.reactions(), [of("eyes"), of("thinking_face")]);
    assert!(unknown.contains("write its name"), "{unknown}");
    scene.bench.stop().await;
}
