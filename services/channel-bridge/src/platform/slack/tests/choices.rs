//! Buttons below a message.

use gatehouse_fakes::slack::pressed;

use super::*;
use crate::adapter::contract::choices::{Offers, Said, choices};

/// A channel.
struct Room(Scene);

impl Offers for Room {
    async fn start() -> Self {
        let scene = Scene::with(json!({"replyToMode": "off"})).await;
        scene.is(State::Connected).await;
        Self(scene)
    }

    fn bench(&self) -> &Bench {
        &self.0.bench
    }

    fn to(&self) -> String {
        "C1".to_owned()
    }

    fn said(&self) -> Vec<Said> {
        let seen = self.0.workspace.seen();
        let calls = self.0.workspace.calls("chat.postMessage");
        let buttons = calls.iter().map(|call| {
            let blocks = call.body["blocks"].as_array().into_iter().flatten();
            let elements = blocks.filter_map(|block| block["elements"].as_array()).flatten();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            elements
                .map(|button| (text(&button["text"]["text"]), text(&button["value"])))
                .collect()
        });
        seen.into_iter().map(|seen| seen.text).zip(buttons).collect()
    }

    async fn press(&self, value: &str) {
        let ts = self.0.workspace.seen().pop().unwrap().ts;
        let press = pressed("C1", ANNA, &ts, ("choice-1", value), json!({}));
        self.0.workspace.envelope("interactive", press);
    }

    fn answered(&self) -> Option<usize> {
        None
    }
}

choices!(holds_for_choices, Room);

#[tokio::test]
async fn a_press_is_acknowledged_behind_the_commit_and_answered_in_its_thread() {
    let Room(scene) = Room::start().await;
    let below = json!({"message": {"ts": "1.2", "thread_ts": "1.1"}});
    let press = pressed("C1", ANNA, "1.2", ("choice-0", "yes"), below);

    scene.workspace.envelope("interactive", press.clone());
    scene.workspace.envelope("interactive", press);
    assert_eq!(scene.hears(1).await, ["yes"]);

    until("both to be acknowledged", async || {
        (scene.workspace.unread() == 0).then_some(())
    })
    .await;
    let heard = scene.bench.heard.messages.lock().unwrap().clone();
    assert_eq!(heard.len(), 1, "said again it is known");
    assert_eq!(heard[0].thread_id.as_deref(), Some("1.1"));
    assert_eq!(heard[0].sender_id.as_str(), ANNA);
    scene.bench.stop().await;
}

#[tokio::test]
async fn what_is_no_button_of_ours_says_nothing() {
    let Room(scene) = Room::start().await;
    let foreign = pressed("C1", ANNA, "1.2", ("theirs", "yes"), json!({}));
    let view = pressed(
        "C1",
        ANNA,
        "1.2",
        ("choice-0", "yes"),
        json!({"type": "view_submission"}),
    );

    scene.workspace.envelope("interactive", foreign);
    scene.workspace.envelope("interactive", view);
    scene.workspace.envelope("interactive", json!({"type": 7}));
    scene.workspace.says(ANNA, "hello there");

    assert_eq!(scene.hears(1).await, ["hello there"]);
    scene.bench.stop().await;
}

#[tokio::test]
async fn buttons_that_slack_refuses_are_words() {
    let Room(scene) = Room::start().await;
    let refusal = json!({"ok": false, "error": "invalid_blocks"});
    scene
        .workspace
        .fault("chat.postMessage", Fault::Refuse(200, refusal));
    let mut delivery = crate::testing::delivery("k", "C1", "Right?", scene.bench.clock.now());
    let choices = gatehouse_core::content::Choice::read([("Yes".to_owned(), String::new())]).unwrap();
    delivery
        .message
        .push(gatehouse_core::content::Block::Choices(choices));

    scene.bench.outbox.enqueue(delivery).await.unwrap();

    assert_eq!(scene.seen(1).await[0].text, "Right?\n\n1. Yes");
    scene.bench.stop().await;
}

#[tokio::test]
async fn an_answer_whose_buttons_slack_refuses_stands_in_words_where_its_beginning_stood() {
    let Room(scene) = Room::start().await;
    let place = crate::preview::Place {
        to: "C1".into(),
        thread_id: None,
        reply_to_id: None,
        shared: true,
    };
    scene.bench.shows(&scene.adapter, "run", place);
    scene.bench.writes("Right").await;
    scene.seen(1).await;
    scene.bench.keeps_a_preview().await;
    let refusal = json!({"ok": false, "error": "invalid_blocks"});
    scene.workspace.fault("chat.update", Fault::Refuse(200, refusal));
    let mut delivery = crate::testing::delivery("k", "C1", "Right?", scene.bench.clock.now());
    let choices = gatehouse_core::content::Choice::read([("Yes".to_owned(), String::new())]).unwrap();
    delivery
        .message
        .push(gatehouse_core::content::Block::Choices(choices));

    scene.bench.outbox.enqueue(delivery).await.unwrap();
    scene.bench.settled().await;

    let seen = scene.workspace.seen();
    assert_eq!((seen.len(), seen[0].text.as_str()), (1, "Right?\n\n1. Yes"));
    scene.bench.stop().await;
}
