//! Files that the assistant makes.

use super::*;
use crate::adapter::contract::files::{Said, Sends, files};

/// A channel.
struct Room(Scene);

impl Sends for Room {
    const LAST: &str = "POST messages";

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
        OFFICE.to_owned()
    }

    fn said(&self) -> Vec<Said> {
        let seen = self.0.discord.seen().into_iter();
        seen.map(|seen| (seen.text, seen.file)).collect()
    }

    fn calls(&self, call: &str) -> usize {
        self.0.discord.calls(call).len()
    }

    fn refuse(&self) {
        let refusal = json!({"message": "Request entity too large", "code": 40_005});
        self.0.discord.fault("POST messages", Fault::Refuse(413, refusal));
    }

    fn too_fast(&self, call: &str) {
        self.0.discord.fault(call, Fault::Wait(1));
    }
}

files!(holds_for_files, Room);

#[tokio::test]
async fn a_file_whose_receipt_was_lost_is_known_by_its_nonce() {
    let room = Room::start().await;
    room.keeps("one", b"bytes");
    room.0.discord.fault("POST messages", Fault::Lose);

    let mut delivery = crate::testing::delivery("k", OFFICE, "", room.0.bench.clock.now());
    let medium = gatehouse_core::content::Media {
        source: gatehouse_core::content::MediaSource::Id("one".to_owned()),
        mime_type: None,
        name: None,
        size_bytes: None,
    };
    let block = gatehouse_core::content::Block::Media(medium);
    delivery.message = [block].into_iter().collect();
    room.0.bench.outbox.enqueue(delivery).await.unwrap();
    room.0.bench.settled().await;

    assert_eq!(room.calls("POST messages"), 2);
    assert_eq!(room.said().len(), 1);
    room.0.bench.stop().await;
}

#[tokio::test]
async fn a_recording_is_a_voice_message_and_a_file_where_discord_takes_none() {
    let room = Room::start().await;
    let file = crate::platform::web::voice::recording(&[80; 100]);
    room.keeps("note", &file);
    *room.files().mime_type.lock().unwrap() = Some("audio/ogg".to_owned());
    let say = async |key: &str| {
        let mut delivery = crate::testing::delivery(key, OFFICE, "", room.0.bench.clock.now());
        let medium = gatehouse_core::content::Media {
            source: gatehouse_core::content::MediaSource::Id("note".to_owned()),
            mime_type: Some("audio/ogg".to_owned()),
            name: None,
            size_bytes: None,
        };
        let block = gatehouse_core::content::Block::Media(medium);
        delivery.message = [block].into_iter().collect();
        room.0.bench.outbox.enqueue(delivery).await.unwrap();
        room.0.bench.settled().await;
    };

    say("k1").await;
    let refusal = json!({"message": "You cannot send voice messages in this channel", "code": 50_173});
    room.0.discord.fault("POST messages", Fault::Refuse(403, refusal));
    say("k2").await;

    let calls = room.0.discord.calls("POST messages");
    let flags: Vec<_> = calls.iter().map(|call| call.body["flags"].as_u64()).collect();
    assert_eq!(flags, [Some(1 << 13), Some(1 << 13), Some(1 << 2)]);
    let recorded = &calls[0].body["attachments"][0];
    assert!(
        (recorded["duration_secs"].as_f64().unwrap() - 2.0).abs() < 0.001,
        "{recorded}"
    );
    let files: Vec<_> = room.said().into_iter().map(|(_, sent)| sent.unwrap().1).collect();
    assert_eq!(files, [file.clone(), file]);
    room.0.bench.stop().await;
}
