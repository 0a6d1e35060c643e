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
        [ANNA.into(), "+491701234567".into()]
    }

    fn said(&self) -> Vec<String> {
        self.0.daemon.seen().into_iter().map(|seen| seen.text).collect()
    }

    fn tried(&self) -> usize {
        self.0.daemon.calls("send").len()
    }

    fn goes(&self, wrong: Wrong) {
        let fault = match wrong {
            Wrong::Foreign(status) => Fault::Gateway(status),
            Wrong::Garbled => Fault::Garble,
            Wrong::Endless => Fault::Wait(u64::MAX),
        };
        self.0.daemon.fault("send", fault);
    }
}

faults!(
    People,
    what_stands_before_the_platform_decides_nothing,
    half_an_answer_says_nothing_of_what_was_done,
);
