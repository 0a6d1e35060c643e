//! Answers that are still being written.

use std::time::Duration;

use gatehouse_document::channels::Streaming;
use gatehouse_proto::session::v1::FollowRunResponse;

use super::*;
use crate::preview::Place;

impl Scene {
    /// A run begins to be shown in this chat.
    fn begin(&self, run: &str, to: &str) {
        let place = Place {
            to: to.into(),
            thread_id: None,
            reply_to_id: Some(format!("{to}/33").as_str().into()),
            shared: to.starts_with('-'),
        };
        let previews = &self.bench.previews;
        previews.begin(&key("a"), &self.adapter, Streaming::Preview, run, place);
    }

    async fn writes(&self, text: &str) {
        let writes = until("somebody who reads along", async || {
            let followed = self.bench.session.followed.lock().unwrap();
            followed.last().map(|(_, _, writes)| writes.clone())
        })
        .await;
        let _ = writes.try_send(FollowRunResponse {
            text: text.into(),
            ..FollowRunResponse::default()
        });
    }

    async fn answer(&self, to: &str, text: &str) {
        self.bench.say("k", to, text).await;
        self.bench.settled().await;
    }

    async fn calls(&self, method: &str, count: usize) {
        until(method, async || {
            (self.api.calls(method).len() >= count).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn one_person_sees_drafts_and_then_one_message() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    scene.begin("run", "7");
    scene.writes("**Hel").await;
    scene.calls("sendMessageDraft", 1).await;
    scene.writes("lo** there").await;
    scene.calls("sendMessageDraft", 2).await;

    scene.answer("7", "**Hello** there").await;

    let drafts = scene.api.drafts();
    assert_eq!(
        (drafts[0].2.as_str(), drafts[1].2.as_str()),
        ("**Hel …", "Hello there …")
    );
    assert_eq!(drafts[0].1, drafts[1].1, "one draft that grows");
    let seen = scene.api.seen();
    assert_eq!((seen.len(), seen[0].text.as_str()), (1, "Hello there"));
    assert!(
        !scene.bench.session.followed.lock().unwrap()[0].1,
        "nothing of it stays"
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_telegram_without_drafts_is_shown_a_message_that_changes() {
    let scene = Scene::with(json!({"replyToMode": "first"})).await;
    scene.api.knows_no_drafts();
    scene.is(State::Connected).await;
    scene.begin("run", "7");
    scene.writes("half").await;
    scene.calls("sendMessageDraft", 1).await;
    until("reading along anew", async || {
        (scene.bench.session.followed.lock().unwrap().len() == 2).then_some(())
    })
    .await;
    scene.writes("half").await;
    let preview = scene.seen(1).await.remove(0);
    assert_eq!((preview.text.as_str(), preview.answers), ("half …", Some(33)));

    scene.answer("7", "whole").await;

    let seen = scene.api.seen();
    assert_eq!((seen.len(), seen[0].text.as_str()), (1, "whole"));
    assert_eq!((seen[0].id, seen[0].answers), (preview.id, Some(33)));
    scene.bench.stop().await;
}

/// A group in which a preview stands.
async fn shown_in_a_group() -> (Scene, gatehouse_fakes::telegram::Seen) {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    scene.begin("run", "-5");
    scene.writes("half").await;
    let preview = scene.seen(1).await.remove(0);
    until("it to be kept", async || {
        let kept = scene.stores.previews.previews(key("a")).await.unwrap();
        (!kept.is_empty()).then_some(())
    })
    .await;
    (scene, preview)
}

#[tokio::test]
async fn in_a_group_one_message_changes_into_the_answer() {
    let (scene, preview) = shown_in_a_group().await;
    assert_eq!(preview.text, "half …");
    scene.writes(" and more").await;
    scene.calls("editMessageText", 1).await;

    scene.answer("-5", "whole").await;

    let seen = scene.api.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!((seen[0].id, seen[0].text.as_str()), (preview.id, "whole"));
    assert!(
        scene.bench.session.followed.lock().unwrap()[0].1,
        "what stays is told before it does"
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_change_that_arrives_after_the_answer_finds_nothing_to_change() {
    let (scene, preview) = shown_in_a_group().await;
    let late = Duration::from_secs(11);
    scene.api.fault("editMessageText", Fault::Late(late));
    scene.writes(" and a late word").await;
    scene.calls("editMessageText", 1).await;
    let called = tokio::time::Instant::now();

    scene.answer("-5", "whole").await;
    tokio::time::sleep_until(called + late + Duration::from_millis(300)).await;

    let seen = scene.api.seen();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0].text, "whole");
    assert_ne!(
        seen[0].id, preview.id,
        "the message that it was to change is gone"
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn the_answer_waits_as_long_as_telegram_asks_while_a_preview_was_refused_for_being_too_fast() {
    let (scene, preview) = shown_in_a_group().await;
    scene.api.fault("editMessageText", Fault::Wait(2));
    scene.writes(" and more").await;
    scene.calls("editMessageText", 1).await;
    let refused = tokio::time::Instant::now();

    scene.answer("-5", "whole").await;

    assert!(
        refused.elapsed() >= Duration::from_millis(1900),
        "{:?}",
        refused.elapsed()
    );
    let seen = scene.api.seen();
    assert_eq!(
        (seen.len(), seen[0].id, seen[0].text.as_str()),
        (1, preview.id, "whole")
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn an_answer_whose_place_was_lost_on_the_way_is_put_there_again_and_one_that_was_deleted_is_sent() {
    let (scene, preview) = shown_in_a_group().await;
    scene.api.fault("editMessageText", Fault::Lose);
    scene.answer("-5", "whole").await;
    let seen = scene.api.seen();
    assert_eq!(
        (seen.len(), seen[0].id, seen[0].text.as_str()),
        (1, preview.id, "whole")
    );
    scene.bench.stop().await;

    let (scene, preview) = shown_in_a_group().await;
    scene.api.delete(preview.id);
    scene.answer("-5", "whole").await;
    let seen = scene.api.seen();
    assert_eq!((seen.len(), seen[0].text.as_str()), (1, "whole"));
    assert!(seen[0].id > preview.id);
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_new_process_finds_the_preview_and_takes_it_back_when_no_answer_comes() {
    let (scene, _) = shown_in_a_group().await;
    let scene = scene.again().await;
    let writes = until("somebody who reads along", async || {
        let followed = scene.bench.session.followed.lock().unwrap();
        followed.last().map(|(_, _, writes)| writes.clone())
    })
    .await;

    let end = gatehouse_proto::session::v1::RunEnd { replies: false };
    let _ = writes.try_send(FollowRunResponse {
        end: Some(end),
        ..FollowRunResponse::default()
    });

    until("an empty chat", async || {
        scene.api.seen().is_empty().then_some(())
    })
    .await;
    scene.bench.stop().await;
}
