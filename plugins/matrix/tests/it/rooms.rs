//! What is said in a room, and what is answered there.

use gatehouse_proto::channel::v1::{ChatKind, run_account_response::Message as Said};
use serde_json::json;

use crate::{
    gateway::{World, part, words},
    person::Person,
};

#[tokio::test]
async fn whoever_writes_is_answered_in_plain_and_in_encrypted_rooms() {
    let Some(world) = World::start().await else { return };
    let mut account = world.connected(&json!({}), b"").await;
    let anna = Person::new(&world.synapse, "anna").await;

    for encrypted in [false, true] {
        let room = anna.room_with(&world.bot, encrypted, true).await;
        let asked = anna.write(&room, "Tea?").await;
        let inbound = account.keep().await;
        assert_eq!((&*inbound.message_id, &*words(&inbound)), (&*asked, "Tea?"));
        let chat = inbound.chat.clone().expect("a chat");
        assert_eq!((chat.kind, &*chat.id), (ChatKind::Direct.into(), &*anna.id));
        assert_eq!(inbound.reply_to, room.room_id().as_str());

        let mut answer = part(&inbound.reply_to, &format!("a{encrypted}"), "It is **hot**.");
        answer.reply_to_id = Some(inbound.message_id);
        let id = account.sent(answer).await;

        let read = anna.reads(room.room_id(), |event| event["event_id"] == *id).await;
        assert_eq!(
            read["content"]["formatted_body"],
            "<p>It is <strong>hot</strong>.</p>"
        );
        assert_eq!(
            read["content"]["m.relates_to"]["m.in_reply_to"]["event_id"],
            *asked
        );
        let raw = world.synapse.events(room.room_id().as_str(), &anna.token()).await;
        let raw = raw
            .iter()
            .find(|event| event["event_id"] == *id)
            .expect("it is there");
        let kind = if encrypted {
            "m.room.encrypted"
        } else {
            "m.room.message"
        };
        assert_eq!(raw["type"], kind);
    }
}

#[tokio::test]
async fn in_a_room_of_several_it_is_spoken_to_by_its_name_and_answers_in_the_thread() {
    let Some(world) = World::start().await else { return };
    let anna = Person::new(&world.synapse, "anna").await;
    let invites = json!({"invitesFrom": [anna.id]});
    let mut account = world.connected(&invites, b"").await;
    let room = anna.room_with(&world.bot, true, false).await;

    anna.write(&room, "nobody is meant").await;
    let inbound = account.keep().await;
    assert!(!inbound.mentioned);
    assert_eq!(inbound.chat.expect("a chat").kind, i32::from(ChatKind::Channel));
    let root = anna.write(&room, "bot: tea?").await;
    let inbound = account.keep().await;
    assert_eq!((inbound.mentioned, &*words(&inbound)), (true, "tea?"));
    let content = json!({
        "msgtype": "m.text", "body": "and now?", "m.mentions": {"user_ids": [world.bot]},
        "m.relates_to": {"rel_type": "m.thread", "event_id": root, "is_falling_back": true, "m.in_reply_to": {"event_id": root}},
    });
    anna.say(&room, content).await;
    let inbound = account.keep().await;
    assert_eq!(
        (inbound.mentioned, inbound.thread_id.as_deref()),
        (true, Some(&*root))
    );

    let mut answer = part(&inbound.reply_to, "in the thread", "now.");
    answer.thread_id = inbound.thread_id;
    let id = account.sent(answer).await;
    let read = anna.reads(room.room_id(), |event| event["event_id"] == *id).await;
    assert_eq!(read["content"]["m.relates_to"]["event_id"], *root);

    room.send_raw(
        "m.reaction",
        json!({"m.relates_to": {"rel_type": "m.annotation", "event_id": id, "key": "👍"}}),
    )
    .await
    .expect("reacted");
    let said = account.said().await;
    assert!(
        matches!(&said, Said::Remarked(remarked) if remarked.chat == room.room_id().as_str()),
        "{said:?}"
    );
}
