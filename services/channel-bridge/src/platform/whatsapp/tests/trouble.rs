//! What comes back instead of an answer.

use super::*;
use crate::adapter::contract::faults::{Falters, Wrong, faults};

/// Two people.
struct People(Scene);

impl Falters for People {
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
        [ANNA.into(), "491707654321".into()]
    }

    fn said(&self) -> Vec<String> {
        self.0.cloud.seen().into_iter().map(|seen| seen.text).collect()
    }

    fn tried(&self) -> usize {
        self.0.cloud.calls("message").len()
    }

    fn goes(&self, wrong: Wrong) {
        let fault = match wrong {
            Wrong::Foreign(status) => Fault::Gateway(status),
            Wrong::Garbled => Fault::Garble,
            Wrong::Endless => Fault::Wait(u64::MAX),
        };
        self.0.cloud.fault("message", fault);
    }
}

faults!(
    People,
    what_stands_before_the_platform_decides_nothing,
    half_an_answer_says_nothing_of_what_was_done,
);

#[tokio::test]
async fn links_that_have_no_room_in_one_message_come_in_several_and_a_refusal_between_doubles_none() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    let link = |n: usize| format!("[page {n}](https://example.org/{}/{n:03})", "a".repeat(150));
    let links: Vec<String> = (0..40).map(link).collect();
    scene.cloud.fault("message", Fault::Right);
    scene
        .cloud
        .fault("message", refusal(131_016, "Service unavailable"));

    scene.bench.say("k", ANNA, &links.join(" ")).await;
    scene.bench.settled().await;

    let said: Vec<String> = scene.cloud.seen().into_iter().map(|seen| seen.text).collect();
    assert!(said.len() > 1);
    for number in 0..40 {
        let end = format!("/{number:03})");
        let times: usize = said.iter().map(|said| said.matches(&end).count()).sum();
        assert_eq!(times, 1, "{end}");
    }
    scene.bench.stop().await;
}
