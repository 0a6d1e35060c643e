//! Files that the assistant makes.

use super::*;
use crate::adapter::contract::files::{Said, Sends, files};

/// A chat with a person.
struct Chat(Scene);

impl Sends for Chat {
    const LAST: &str = "message";

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
        ANNA.to_owned()
    }

    fn said(&self) -> Vec<Said> {
        let seen = self.0.cloud.seen().into_iter();
        seen.map(|seen| (seen.text, seen.file.map(|(_, name, bytes)| (name, bytes))))
            .collect()
    }

    fn calls(&self, call: &str) -> usize {
        self.0.cloud.calls(call).len()
    }

    fn refuse(&self) {
        self.0
            .cloud
            .fault("upload", refusal(131_053, "Media upload error"));
    }

    fn too_fast(&self, call: &str) {
        self.0.cloud.fault(call, refusal(131_056, "pair rate limit hit"));
    }
}

files!(holds_for_files, Chat);

#[tokio::test]
async fn a_picture_is_brought_with_its_type_and_shown_as_one() {
    let chat = Chat::start().await;
    chat.keeps("one", b"bytes");
    let mut delivery = crate::testing::delivery("k", ANNA, "", chat.0.bench.clock.now());
    let medium = gatehouse_core::content::Media {
        source: MediaSource::Id("one".to_owned()),
        mime_type: None,
        name: Some("cat.png".to_owned()),
        size_bytes: None,
    };
    delivery.message = [Block::Media(medium)].into_iter().collect();
    chat.0.bench.outbox.enqueue(delivery).await.unwrap();

    let seen = chat.0.seen(1).await.remove(0);

    assert_eq!(seen.file.unwrap().0, "image");
    assert_eq!(chat.0.cloud.calls("upload")[0].body["type"], "image/png");
    chat.0.bench.stop().await;
}

#[tokio::test]
async fn a_recording_in_opus_is_a_voice_note_and_other_ogg_a_file_to_be_saved() {
    let chat = Chat::start().await;
    chat.keeps("note", b"OggS\0\x02 and so on OpusHead\x01");
    chat.keeps("song", b"OggS\0\x02 and so on \x01vorbis");
    *chat.files().mime_type.lock().unwrap() = Some("audio/ogg".to_owned());
    let mut delivery = crate::testing::delivery("k", ANNA, "", chat.0.bench.clock.now());
    let medium = |id: &str| {
        Block::Media(gatehouse_core::content::Media {
            source: MediaSource::Id(id.to_owned()),
            mime_type: Some("audio/ogg".to_owned()),
            name: None,
            size_bytes: None,
        })
    };
    delivery.message = [medium("note"), medium("song")].into_iter().collect();
    chat.0.bench.outbox.enqueue(delivery).await.unwrap();

    let seen = chat.0.seen(2).await;

    let shown: Vec<String> = seen.into_iter().map(|seen| seen.file.unwrap().0).collect();
    assert_eq!(shown, ["audio", "document"]);
    let calls = chat.0.cloud.calls("message");
    assert_eq!(calls[0].body["audio"]["voice"], json!(true));
    chat.0.bench.stop().await;
}
