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
        ["7".into(), "8".into()]
    }

    fn said(&self) -> Vec<String> {
        self.0.api.seen().into_iter().map(|seen| seen.text).collect()
    }

    fn tried(&self) -> usize {
        self.0.api.calls("sendMessage").len()
    }

    fn goes(&self, wrong: Wrong) {
        let fault = match wrong {
            Wrong::Foreign(status) => Fault::Gateway(status),
            Wrong::Garbled => Fault::Garble,
            Wrong::Endless => Fault::Wait(u64::MAX),
        };
        self.0.api.fault("sendMessage", fault);
    }
}

faults!(
    People,
    what_stands_before_the_platform_decides_nothing,
    half_an_answer_says_nothing_of_what_was_done,
    a_silence_without_end_in_one_chat_is_no_end_of_the_account,
);

#[tokio::test]
async fn half_of_the_answer_to_a_question_for_updates_loses_none_of_them() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;
    scene.api.fault("getUpdates", Fault::Garble);

    scene.api.says(ANNA, "behind it");

    assert_eq!(scene.hears(1).await, ["behind it"]);
    scene.bench.stop().await;
}

#[tokio::test]
async fn messages_that_come_twice_and_in_another_order_are_each_heard_once() {
    let scene = Scene::start().await;
    scene.is(State::Connected).await;

    for (number, text) in [
        (2, "second"),
        (1, "first"),
        (2, "second"),
        (3, "third"),
        (1, "first"),
    ] {
        scene.api.update("message", direct(ANNA, number, text));
    }

    until("all to be acknowledged", async || {
        (scene.api.unread() == 0).then_some(())
    })
    .await;
    assert_eq!(scene.bench.heard.texts(), ["second", "first", "third"]);
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_file_for_a_group_that_moved_comes_under_its_new_number() {
    let scene = Scene::start().await;
    scene
        .files
        .files
        .lock()
        .unwrap()
        .insert("one".to_owned(), b"\x89PNG a cat".to_vec());
    scene.api.fault("sendPhoto", Fault::Moved(FAMILY));
    let mut delivery = crate::testing::delivery("k", "-5", "", Clock::system().now());
    let cat = gatehouse_core::content::Media {
        source: gatehouse_core::content::MediaSource::Id("one".to_owned()),
        mime_type: None,
        name: Some("cat.png".to_owned()),
        size_bytes: None,
    };
    delivery.message = [gatehouse_core::content::Block::Media(cat)].into_iter().collect();

    scene.bench.outbox.enqueue(delivery).await.unwrap();
    scene.bench.settled().await;

    let chats: Vec<String> = scene.api.seen().into_iter().map(|seen| seen.chat).collect();
    assert_eq!(chats, [FAMILY.to_string()]);
    scene.bench.stop().await;
}

mod apart {
    use super::*;

    #[tokio::test]
    async fn a_refusal_of_markup_is_counted_by_the_bridge() {
        let bot = Bot::new().await;
        let run = tempfile::tempdir().unwrap();
        let deps = deps(&bot.stores, Clock::system(), &Arc::default());
        let adapter = isolated::tests::open::<Telegram>(bot.config(), deps, run.path());
        let bench = Bench::run(&bot.stores, Clock::system(), adapter);
        let refusal = Fault::Refuse(400, "Bad Request: can't parse entities: byte offset 1");
        bot.api.fault("sendMessage", refusal);

        bench.say("k", "7", "**bold**").await;
        bench.settled().await;

        assert_eq!(bot.api.seen()[0].sent, "bold");
        assert_eq!(bench.metrics.markup_refusals(&key("a")), 1);
        bench.stop().await;
    }
}
