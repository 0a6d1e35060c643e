//! Keys: a device that is verified, and words that never go out without one.

use gatehouse_proto::channel::v1::part_answered::Outcome;
use matrix_sdk::ruma::UserId;
use serde_json::{Value, json};

use crate::{
    gateway::{World, part, words},
    person::Person,
};

#[tokio::test]
async fn a_fresh_device_is_verified_by_the_recovery_key_and_reads_what_came_before_it() {
    let Some(mut world) = World::start().await else {
        return;
    };
    // Somebody has set the account up with a client of theirs.
    let owner = Person::log_in(&world.synapse, &world.bot).await;
    let encryption = owner.client.encryption();
    encryption
        .bootstrap_cross_signing(None)
        .await
        .expect("an identity");
    let key = encryption.recovery().enable().wait_for_backups_to_upload().await;
    let settings = json!({"recoveryKey": key.expect("a recovery key")});

    let mut account = world.connected(&settings, b"").await;
    let bot = UserId::parse(&world.bot).expect("an id");
    let own = owner.client.device_id().expect("a device").to_owned();
    encryption.request_user_identity(&bot).await.expect("an identity");
    let devices = encryption.get_user_devices(&bot).await.expect("devices");
    let others: Vec<_> = devices
        .devices()
        .filter(|device| device.device_id() != own)
        .collect();
    assert_eq!(others.len(), 1);
    assert!(others[0].is_cross_signed_by_owner(), "the device is not verified");

    let anna = Person::new(&world.synapse, "anna").await;
    let room = anna.room_with(&world.bot, true, true).await;
    anna.write(&room, "one").await;
    account.keep().await;
    account.sent(part(room.room_id().as_str(), "one", "one")).await;
    let state = account.state();
    drop(account);
    // The device is lost, with all keys: a new one goes on where the old one stopped.
    world.forget().await;
    let mut account = world.connected(&settings, &state).await;
    let two = anna.write(&room, "two").await;
    loop {
        let inbound = account.keep().await;
        if inbound.message_id == two {
            assert_eq!(words(&inbound), "two");
            break;
        }
    }
}

#[tokio::test]
async fn no_plain_text_goes_into_an_encrypted_room() {
    let Some(world) = World::start().await else { return };
    let anna = Person::new(&world.synapse, "anna").await;

    // An account without encryption says nothing there, and says why.
    let mut account = world.connected(&json!({"encryption": false}), b"").await;
    let room = anna.room_with(&world.bot, true, true).await;
    anna.write(&room, "are you there?").await;
    account.keep().await; // so it knows that it is in
    let refused = account.send(part(room.room_id().as_str(), "a", "hello")).await;
    assert!(
        matches!(&refused, Outcome::Failed(reason) if reason.contains("`encryption` is off")),
        "{refused:?}"
    );
    assert_eq!(
        plain(&world, &anna, room.room_id().as_str()).await,
        Vec::<Value>::new()
    );
    drop(account);

    // Encryption is switched on under an account that is about to speak.
    let mut account = world.connected(&json!({}), b"").await;
    let room = anna.room_with(&world.bot, false, true).await;
    anna.write(&room, "are you there?").await;
    account.keep().await; // so it knows that it is in
    let to = room.room_id().as_str();
    account.sent(part(to, "before", "in the clear")).await;
    let before = plain(&world, &anna, to).await.len();
    room.enable_encryption().await.expect("encrypted");
    for number in 0.. {
        let outcome = account
            .send(part(to, &format!("after {number}"), "a secret"))
            .await;
        match outcome {
            Outcome::Sent(_) => break,
            Outcome::ChatBusy(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(plain(&world, &anna, to).await.len(), before);
}

/// What the server can read of what the account said.
async fn plain(world: &World, anna: &Person, room: &str) -> Vec<Value> {
    let events = world.synapse.events(room, &anna.token()).await;
    let plain = events
        .into_iter()
        .filter(|event| event["sender"] == *world.bot && event["type"] == "m.room.message");
    plain.collect()
}
