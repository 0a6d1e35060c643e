//! Files in both directions.

use gatehouse_proto::common::v1::block::Kind;
use matrix_sdk::{
    attachment::AttachmentConfig,
    media::{MediaFormat, MediaRequestParameters},
    ruma::events::room::MediaSource,
};
use serde_json::json;

use crate::{
    gateway::{World, part},
    person::Person,
};

#[tokio::test]
async fn files_go_both_ways_and_are_encrypted_where_the_room_is() {
    let Some(world) = World::start().await else { return };
    let mut account = world.connected(&json!({}), b"").await;
    let anna = Person::new(&world.synapse, "anna").await;

    for encrypted in [false, true] {
        let room = anna.room_with(&world.bot, encrypted, true).await;
        let leaves = b"what is in the cup".to_vec();
        room.send_attachment(
            "cup.txt",
            &mime::TEXT_PLAIN,
            leaves.clone(),
            AttachmentConfig::new(),
        )
        .await
        .expect("sent");
        let inbound = account.keep().await;
        let blocks = inbound.content.expect("content").blocks;
        let Some(Kind::Media(medium)) = &blocks[0].kind else {
            panic!("{blocks:?}");
        };
        assert_eq!(medium.name.as_deref(), Some("cup.txt"));
        let address = medium.url.clone().expect("an address");
        assert_eq!(world.fetched(&address).await, leaves);

        let to = room.room_id().as_str();
        let picture = b"\x89PNG is what it begins with".to_vec();
        let mut answer = part(to, &format!("file {encrypted}"), "");
        answer.media = vec![world.given(to, "tea.png", "image/png", &picture).await];
        let id = account.sent(answer).await;
        let read = anna.reads(room.room_id(), |event| event["event_id"] == *id).await;
        let content = &read["content"];
        assert_eq!(content["msgtype"], "m.image");
        let source = if encrypted {
            assert_eq!(content.get("url"), None);
            MediaSource::Encrypted(serde_json::from_value(content["file"].clone()).expect("a file"))
        } else {
            MediaSource::Plain(serde_json::from_value(content["url"].clone()).expect("an address"))
        };
        let request = MediaRequestParameters {
            source,
            format: MediaFormat::File,
        };
        let got = anna.client.media().get_media_content(&request, false).await;
        assert_eq!(got.expect("it is there"), picture);
    }
}
