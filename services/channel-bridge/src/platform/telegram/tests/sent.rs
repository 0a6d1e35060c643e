//! Files that the assistant makes.

use gatehouse_core::{
    Content,
    content::{Block, Media, MediaSource},
};
use gatehouse_fakes::telegram::Seen;

use super::*;
use crate::adapter::contract::files::{Said, Sends, files};

const PNG: &[u8] = b"\x89PNG a cat";

fn medium(id: &str, name: &str) -> Block {
    Block::Media(Media {
        source: MediaSource::Id(id.to_owned()),
        mime_type: None,
        name: Some(name.to_owned()),
        size_bytes: None,
    })
}

impl Scene {
    fn keep(&self, id: &str, bytes: &[u8]) {
        self.files
            .files
            .lock()
            .unwrap()
            .insert(id.to_owned(), bytes.to_vec());
    }

    async fn says(&self, to: &str, blocks: Vec<Block>) -> Vec<Seen> {
        let mut delivery = crate::testing::delivery("k", to, "", Clock::system().now());
        delivery.message = blocks.into_iter().collect::<Content>();
        self.bench.outbox.enqueue(delivery).await.unwrap();
        self.bench.settled().await;
        self.api.seen()
    }
}

fn files(seen: &[Seen]) -> Vec<(&str, &str, &[u8])> {
    let files = seen.iter().filter_map(|seen| seen.file.as_ref());
    files
        .map(|(method, name, bytes)| (method.as_str(), name.as_str(), bytes.as_slice()))
        .collect()
}

#[tokio::test]
async fn what_the_assistant_makes_comes_behind_its_words_each_file_as_a_message_of_its_own() {
    let scene = Scene::start().await;
    scene.keep("one", PNG);
    scene.keep("two", PNG);

    let seen = scene
        .says(
            "-5:topic:42",
            vec![
                Block::text("see"),
                medium("one", "cat.png"),
                medium("two", "../dog.png"),
            ],
        )
        .await;

    assert_eq!(seen.len(), 3);
    assert_eq!((seen[0].text.as_str(), seen[0].file.is_none()), ("see", true));
    assert_eq!(
        files(&seen),
        [("sendPhoto", "cat.png", PNG), ("sendPhoto", "dog.png", PNG)]
    );
    assert!(
        seen.iter()
            .all(|seen| (seen.chat.as_str(), seen.topic) == ("-5", Some(42)))
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_picture_that_telegram_cannot_draw_is_sent_to_be_saved_and_what_is_gone_is_named() {
    let scene = Scene::start().await;
    scene.keep("odd", b"no picture at all");

    let seen = scene
        .says("7", vec![medium("odd", "odd.png"), medium("gone", "gone.png")])
        .await;

    assert_eq!(
        files(&seen),
        [("sendDocument", "odd.png", b"no picture at all".as_slice())]
    );
    assert_eq!(
        seen[1].text,
        "[image: gone.png] (it is not kept any more)".replace("image", "file")
    );
    assert_eq!(seen.len(), 2);
    scene.bench.stop().await;
}

/// A chat with one person.
struct Chat(Scene);

impl Sends for Chat {
    const LAST: &str = "sendPhoto";

    async fn start() -> Self {
        let scene = Scene::start().await;
        scene.is(State::Connected).await;
        Self(scene)
    }

    fn bench(&self) -> &Bench {
        &self.0.bench
    }

    fn files(&self) -> &Memory {
        &self.0.files
    }

    fn to(&self) -> String {
        "7".to_owned()
    }

    fn said(&self) -> Vec<Said> {
        let seen = self.0.api.seen().into_iter();
        seen.map(|seen| (seen.text, seen.file.map(|(_, name, bytes)| (name, bytes))))
            .collect()
    }

    fn calls(&self, call: &str) -> usize {
        self.0.api.calls(call).len()
    }

    fn refuse(&self) {
        self.0
            .api
            .fault("sendPhoto", Fault::Refuse(413, "Request Entity Too Large"));
    }

    fn too_fast(&self, call: &str) {
        self.0.api.fault(call, Fault::Wait(1));
    }
}

files!(holds_for_files, Chat);
