//! Answers that are still being written.

use super::*;
use crate::{
    adapter::contract::previews::{Stage, Wrong, previews},
    preview::Place,
};

previews!(in_a_channel, Room);

/// A channel, in which a message shows the answer.
struct Room(Scene);

impl Stage for Room {
    const GROWS: &str = "PATCH messages";
    const BECOMES: &str = "PATCH messages";

    async fn start() -> Self {
        let scene = Scene::start().await;
        scene.is(State::Connected).await;
        Self(scene)
    }

    fn bench(&self) -> &Bench {
        &self.0.bench
    }

    fn adapter(&self) -> &Arc<dyn Adapter> {
        &self.0.adapter
    }

    fn place(&self) -> Place {
        Place {
            to: OFFICE.into(),
            thread_id: None,
            reply_to_id: Some(format!("{OFFICE}/123").as_str().into()),
            shared: true,
        }
    }

    fn seen(&self) -> Vec<(String, String)> {
        let seen = self.0.discord.seen().into_iter();
        seen.map(|seen| (seen.id, seen.text)).collect()
    }

    fn calls(&self, method: &str) -> usize {
        self.0.discord.calls(method).len()
    }

    fn fault(&self, method: &str, wrong: Wrong) {
        let fault = match wrong {
            Wrong::Wait(seconds) => Fault::Wait(seconds),
            Wrong::Lose => Fault::Lose,
            Wrong::Late(after) => Fault::Late(after),
        };
        self.0.discord.fault(method, fault);
    }

    fn delete(&self, id: &str) {
        self.0.discord.delete(id);
    }

    async fn again(self) -> Self {
        Self(self.0.again(|_| {}).await)
    }
}

#[tokio::test]
async fn a_preview_whose_receipt_was_lost_is_known_by_its_nonce_and_the_answer_takes_its_place() {
    let room = Room::start().await;
    room.0.discord.fault("POST messages", Fault::Lose);
    room.0.bench.shows(&room.0.adapter, "run", room.place());
    room.0.bench.writes("half").await;
    until("the second try", async || {
        (room.calls("POST messages") == 2).then_some(())
    })
    .await;
    room.0.bench.keeps_a_preview().await;

    room.0.bench.say("k", OFFICE, "whole").await;
    room.0.bench.settled().await;

    let seen = room.0.discord.seen();
    assert_eq!((seen.len(), seen[0].text.as_str()), (1, "whole"));
    room.0.bench.stop().await;
}

#[tokio::test]
async fn a_preview_calls_nobody_and_is_the_answer_to_the_question() {
    let scene = Scene::with(json!({"replyToMode": "first"})).await;
    scene.is(State::Connected).await;
    let room = Room(scene);
    room.0.bench.shows(&room.0.adapter, "run", room.place());
    room.0.bench.writes("**half** @everyone").await;

    let seen = room.0.seen(1).await.remove(0);

    assert_eq!(
        (seen.text.as_str(), seen.answers.as_deref()),
        ("**half** @everyone …", Some("123"))
    );
    let call = room.0.discord.calls("POST messages").remove(0);
    assert_eq!(call.body["allowed_mentions"]["parse"], json!([]));
    room.0.bench.stop().await;
}
