//! Buttons and lists below a message.

use super::*;
use crate::adapter::contract::choices::{Offers, Said, choices};

/// A chat with a person.
struct Chat(Scene);

impl Offers for Chat {
    async fn start() -> Self {
        let scene = Scene::start().await;
        scene.is(State::Connected).await;
        Self(scene)
    }

    fn bench(&self) -> &Bench {
        &self.0.bench
    }

    fn to(&self) -> String {
        ANNA.to_owned()
    }

    fn said(&self) -> Vec<Said> {
        let seen = self.0.cloud.seen();
        let calls = self.0.cloud.calls("message");
        let buttons = calls.iter().map(|call| {
            let action = &call.body["interactive"]["action"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let buttons = action["buttons"].as_array().into_iter().flatten();
            let rows = action["sections"][0]["rows"].as_array().into_iter().flatten();
            let options = buttons.map(|button| &button["reply"]).chain(rows);
            options
                .map(|option| (text(&option["title"]), text(&option["id"])))
                .collect()
        });
        seen.into_iter().map(|seen| seen.text).zip(buttons).collect()
    }

    async fn press(&self, value: &str) {
        let reply = json!({"type": "button_reply", "button_reply": {"id": value, "title": "No"}});
        let press = json!({"from": ANNA, "id": "wamid.press", "timestamp": "1790000000", "type": "interactive",
            "interactive": reply, "context": {"id": "wamid.1"}});
        assert_eq!(self.0.posts(&post(ANNA, &[press], json!({}))).await.status, 200);
    }

    fn answered(&self) -> Option<usize> {
        None
    }
}

choices!(holds_for_choices, Chat);

#[tokio::test]
async fn choices_that_whatsapp_refuses_or_has_no_room_for_are_words() {
    let Chat(scene) = Chat::start().await;
    let says = async |key: &str, words: &str| {
        let mut delivery = crate::testing::delivery(key, ANNA, words, scene.bench.clock.now());
        let choices = gatehouse_core::content::Choice::read([("Yes".to_owned(), "/ok".to_owned())]).unwrap();
        delivery.message.push(Block::Choices(choices));
        scene.bench.outbox.enqueue(delivery).await.unwrap();
        scene.bench.settled().await;
    };
    scene
        .cloud
        .fault("message", refusal(131_009, "Parameter value is not valid"));

    says("k", "Right?").await;
    says("k2", &"word ".repeat(300)).await;

    let seen = scene.seen(2).await;
    assert_eq!(seen[0].text, "Right?\n\n1. Yes: say /ok");
    assert!(seen[1].text.ends_with("1. Yes: say /ok"), "{:?}", seen[1]);
    scene.bench.stop().await;
}
