//! What comes back instead of an answer.

use super::*;
use crate::adapter::contract::faults::{Falters, Wrong, faults};

/// Two channels.
struct Rooms(Scene);

impl Falters for Rooms {
    const KNOWS_REPEATS: bool = false;

    async fn start() -> Self {
        let scene = Scene::start().await;
        scene.is(State::Connected).await;
        Self(scene)
    }

    fn bench(&self) -> &Bench {
        &self.0.bench
    }

    fn chats(&self) -> [String; 2] {
        [OFFICE.into(), "COTHER".into()]
    }

    fn said(&self) -> Vec<String> {
        self.0
            .workspace
            .seen()
            .into_iter()
            .map(|seen| seen.text)
            .collect()
    }

    fn tried(&self) -> usize {
        self.0.workspace.calls("chat.postMessage").len()
    }

    fn goes(&self, wrong: Wrong) {
        let fault = match wrong {
            Wrong::Foreign(status) => Fault::Gateway(status),
            Wrong::Garbled => Fault::Garble,
            Wrong::Endless => Fault::Wait(u64::MAX),
        };
        self.0.workspace.fault("chat.postMessage", fault);
    }
}

faults!(
    Rooms,
    what_stands_before_the_platform_decides_nothing,
    half_an_answer_says_nothing_of_what_was_done,
    a_silence_without_end_in_one_chat_is_no_end_of_the_account,
);

#[tokio::test]
async fn whoever_could_not_be_asked_for_a_name_is_asked_again_with_their_next_message() {
    let Rooms(scene) = Rooms::start().await;
    scene.workspace.name(ANNA, "Anna");
    scene.workspace.fault("users.info", Fault::Wait(1));

    scene.workspace.says(ANNA, "first");
    scene.hears(1).await;
    scene.workspace.says(ANNA, "second");
    scene.hears(2).await;

    let heard = scene.bench.heard.messages.lock().unwrap().clone();
    let names: Vec<_> = heard.into_iter().map(|heard| heard.sender_name).collect();
    assert_eq!(names, [None, Some("Anna".to_owned())]);
    scene.bench.stop().await;
}
