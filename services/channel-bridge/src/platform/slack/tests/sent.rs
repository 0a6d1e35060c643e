//! Files that the assistant makes.

use gatehouse_core::content::{Block, Media, MediaSource};

use super::*;
use crate::adapter::contract::files::{Said, Sends, files};

/// A chat with one person.
struct Chat(Scene);

impl Sends for Chat {
    const LAST: &str = "files.completeUploadExternal";

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
        format!("D{ANNA}")
    }

    fn said(&self) -> Vec<Said> {
        let seen = self.0.workspace.seen().into_iter();
        seen.map(|seen| (seen.text, seen.file)).collect()
    }

    fn calls(&self, call: &str) -> usize {
        self.0.workspace.calls(call).len()
    }

    fn refuse(&self) {
        let refusal = json!({"ok": false, "error": "missing_scope", "needed": "files:write"});
        let fault = Fault::Refuse(200, refusal);
        self.0.workspace.fault("files.getUploadURLExternal", fault);
    }

    fn too_fast(&self, call: &str) {
        self.0.workspace.fault(call, Fault::Wait(1));
    }
}

files!(holds_for_files, Chat);

#[tokio::test]
async fn a_file_goes_into_the_thread_that_asked_and_to_a_person_by_their_id() {
    let Chat(scene) = Chat::start().await;
    scene
        .files
        .files
        .lock()
        .unwrap()
        .insert("one".to_owned(), b"bytes".to_vec());
    for (key, to, thread) in [("k", OFFICE, Some("1790000000.000001")), ("l", ANNA, None)] {
        let mut delivery = crate::testing::delivery(key, to, "", scene.bench.clock.now());
        delivery.thread_id = thread.map(str::to_owned);
        let medium = Media {
            source: MediaSource::Id("one".to_owned()),
            mime_type: None,
            name: None,
            size_bytes: None,
        };
        delivery.message = [Block::Media(medium)].into_iter().collect();
        scene.bench.outbox.enqueue(delivery).await.unwrap();
    }

    let seen = scene.seen(2).await;
    let of = |channel: &str| seen.iter().find(|seen| seen.channel == channel).unwrap();
    assert_eq!(of(OFFICE).thread.as_deref(), Some("1790000000.000001"));
    let (name, bytes) = of(&format!("D{ANNA}")).file.clone().unwrap();
    assert_eq!(
        (name.as_str(), bytes.as_slice()),
        ("file.png", b"bytes".as_slice())
    );
    scene.bench.stop().await;
}
