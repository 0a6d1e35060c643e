//! Buttons below a message.

use super::*;
use crate::adapter::{
    ChatKind,
    contract::choices::{Offers, Said, choices},
};

/// A topic of a group.
struct Topic(Scene);

impl Offers for Topic {
    async fn start() -> Self {
        let scene = Scene::start().await;
        scene.is(State::Connected).await;
        Self(scene)
    }

    fn bench(&self) -> &Bench {
        &self.0.bench
    }

    fn to(&self) -> String {
        format!("{FAMILY}:topic:42")
    }

    fn said(&self) -> Vec<Said> {
        let seen = self.0.api.seen();
        let calls = self.0.api.calls("sendMessage");
        let keys = calls.iter().map(|call| {
            let rows = call.body["reply_markup"]["inline_keyboard"].as_array();
            let keys = rows.into_iter().flatten().filter_map(Value::as_array).flatten();
            let text = |key: &Value, name: &str| key[name].as_str().unwrap_or_default().to_owned();
            keys.map(|key| (text(key, "text"), text(key, "callback_data")))
                .collect()
        });
        seen.into_iter().map(|seen| seen.text).zip(keys).collect()
    }

    async fn press(&self, value: &str) {
        let below = self.0.api.seen().pop().unwrap().id;
        self.0.api.presses(ANNA, below, value);
    }

    fn answered(&self) -> Option<usize> {
        Some(self.0.api.calls("answerCallbackQuery").len())
    }
}

choices!(holds_for_choices, Topic);

#[tokio::test]
async fn a_press_in_a_topic_is_said_there_and_telegram_is_told_behind_the_commit() {
    let Topic(scene) = Topic::start().await;
    scene
        .bench
        .say("k", &format!("{FAMILY}:topic:42"), "Right?")
        .await;
    let below = scene.seen(1).await[0].id;
    *scene.bench.heard.failures.lock().unwrap() = 1;

    let press = scene.api.presses(ANNA, below, "yes");
    assert_eq!(scene.hears(1).await, ["yes"]);

    let message = scene.bench.heard.messages.lock().unwrap()[0].clone();
    assert_eq!(
        (
            message.chat_kind,
            message.chat_id.as_str(),
            message.sender_id.as_str()
        ),
        (ChatKind::Group, format!("{FAMILY}:topic:42").as_str(), "7")
    );
    assert_eq!(message.message_id.as_str(), format!("{FAMILY}/press/{press}"));
    until("the wheel to stop", async || {
        let answers = scene.api.calls("answerCallbackQuery");
        let answered = answers
            .iter()
            .any(|call| call.body["callback_query_id"] == json!(press));
        (answers.len() == 1 && answered).then_some(())
    })
    .await;
    scene.bench.stop().await;
}
