//! Buttons below a message.

use super::*;
use crate::adapter::contract::choices::{Offers, Said, choices};

/// A channel.
struct Room(Scene);

impl Offers for Room {
    async fn start() -> Self {
        let scene = Scene::start().await;
        scene.is(State::Connected).await;
        Self(scene)
    }

    fn bench(&self) -> &Bench {
        &self.0.bench
    }

    fn to(&self) -> String {
        OFFICE.to_owned()
    }

    fn said(&self) -> Vec<Said> {
        let seen = self.0.discord.seen();
        let calls = self.0.discord.calls("POST messages");
        let buttons = calls.iter().map(|call| {
            let rows = call.body["components"].as_array().into_iter().flatten();
            let buttons = rows.filter_map(|row| row["components"].as_array()).flatten();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let value = |button: &Value| text(&button["custom_id"]).replace("choice:", "");
            buttons
                .map(|button| (text(&button["label"]), value(button)))
                .collect()
        });
        seen.into_iter().map(|seen| seen.text).zip(buttons).collect()
    }

    async fn press(&self, value: &str) {
        let anna = json!({"id": ANNA, "username": "anna"});
        let press = json!({"id": self.0.discord.number(), "token": "a-token", "type": 3, "application_id": "4242",
            "guild_id": "9000", "channel_id": OFFICE, "member": {"user": anna, "roles": ["r1"]},
            "data": {"custom_id": format!("choice:{value}"), "component_type": 2}});
        self.0.discord.event("INTERACTION_CREATE", press);
    }

    fn answered(&self) -> Option<usize> {
        let answers = self.0.discord.calls("POST callback");
        let silent = answers.iter().filter(|call| call.body["type"] == json!(6));
        Some(silent.count())
    }
}

choices!(holds_for_choices, Room);
