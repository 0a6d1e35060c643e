//! What comes back instead of an answer, or of an event.

use super::*;
use crate::adapter::contract::faults::{Falters, Wrong, faults};

/// Two channels.
struct Rooms(Scene);

impl Falters for Rooms {
    const KNOWS_REPEATS: bool = true;

    async fn start() -> Self {
        let scene = Scene::start().await;
        scene.is(State::Connected).await;
        Self(scene)
    }

    fn bench(&self) -> &Bench {
        &self.0.bench
    }

    fn chats(&self) -> [String; 2] {
        [OFFICE.into(), "501".into()]
    }

    fn said(&self) -> Vec<String> {
        self.0.discord.seen().into_iter().map(|seen| seen.text).collect()
    }

    fn tried(&self) -> usize {
        let calls = self.0.discord.calls("POST messages");
        calls.len()
    }

    fn goes(&self, wrong: Wrong) {
        let fault = match wrong {
            Wrong::Foreign(status) => Fault::Gateway(status),
            Wrong::Garbled => Fault::Garble,
            Wrong::Endless => Fault::Wait(u64::MAX),
        };
        self.0.discord.fault("POST messages", fault);
    }
}

faults!(
    Rooms,
    what_stands_before_the_platform_decides_nothing,
    half_an_answer_says_nothing_of_what_was_done,
    a_silence_without_end_in_one_chat_is_no_end_of_the_account,
);

#[tokio::test]
async fn what_is_said_in_a_thread_waits_until_discord_says_what_the_thread_hangs_under() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    scene.discord.thread("600", OFFICE);
    for _ in 0..3 {
        scene.discord.fault("GET channels", Fault::Gateway(502));
    }

    let id = scene.discord.number();
    let said = channel("600", ANNA, &id, "<@4242> in a thread", json!({}));
    scene.discord.event("MESSAGE_CREATE", said);

    assert_eq!(scene.hears(1).await, ["in a thread"]);
    let heard = scene.bench.heard.messages.lock().unwrap()[0].clone();
    assert_eq!(heard.origin.parent.expect("a parent").id, OFFICE);
    assert_eq!(scene.discord.resumed().len(), 1, "it is said again");
    scene.bench.stop().await;
}

#[tokio::test]
async fn an_event_of_which_half_comes_is_told_again_over_the_next_connection() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let said = |text: &str| direct(ANNA, &scene.discord.number(), text);

    scene.discord.torn("MESSAGE_CREATE", said("torn"));
    scene.discord.event("MESSAGE_CREATE", said("behind it"));

    assert_eq!(scene.hears(2).await, ["torn", "behind it"]);
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_preview_that_discord_lets_nobody_change_any_more_makes_room_for_the_answer() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let to = OFFICE.into();
    let preview = crate::adapter::Preview {
        run: "r".to_owned(),
        to,
        thread_id: None,
        reply_to_id: None,
        shown: None,
        text: "hel …".to_owned(),
        may_last: true,
    };
    let shown = scene.adapter.preview(&preview).await.unwrap().id;
    let refusal =
        json!({"code": 30_046, "message": "Maximum number of edits to messages older than 1 hour reached"});
    scene.discord.fault("PATCH messages", Fault::Refuse(400, refusal));

    let more = crate::adapter::Preview {
        shown,
        text: "hello …".to_owned(),
        ..preview
    };
    let refused = scene.adapter.preview(&more).await.unwrap_err();

    assert!(
        matches!(refused, crate::adapter::PreviewError::Never(_)),
        "{refused:?}"
    );
    assert_eq!(scene.discord.seen(), [], "it would stand beside the answer");
    scene.bench.stop().await;
}
