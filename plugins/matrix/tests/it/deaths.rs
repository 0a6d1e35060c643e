//! The process dies at the worst moments: nothing is lost, and nothing is said twice.

use serde_json::json;

use crate::{
    gateway::{World, part, words},
    person::Person,
};

#[tokio::test]
async fn what_was_not_committed_comes_again_and_what_was_sent_is_not_sent_again() {
    let Some(mut world) = World::start().await else {
        return;
    };
    let mut account = world.connected(&json!({}), b"").await;
    let anna = Person::new(&world.synapse, "anna").await;
    let room = anna.room_with(&world.bot, true, true).await;

    // It dies while the bridge has a message that is not on its disk.
    let first = anna.write(&room, "one").await;
    let heard = account.heard().await;
    assert_eq!(heard.message_id, first);
    let state = account.state();
    world.kill().await;
    let second = anna.write(&room, "two").await;
    let mut account = world.connected(&json!({}), &state).await;
    let again = account.keep().await;
    assert_eq!((&*again.message_id, &*words(&again)), (&*first, "one"));
    let next = account.keep().await;
    assert_eq!((&*next.message_id, &*words(&next)), (&*second, "two"));

    // It dies when the answer is on the server and its receipt is not on ours.
    let answer = || part(room.room_id().as_str(), "the answer to two", "Two it is.");
    let sent = account.sent(answer()).await;
    let state = account.state();
    world.kill().await;
    let mut account = world.connected(&json!({}), &state).await;
    assert_eq!(account.sent(answer()).await, sent);

    // Neither the dead nor the living say anything twice.
    let third = anna.write(&room, "three").await;
    loop {
        let inbound = account.keep().await;
        assert!([&*second, &*third].contains(&&*inbound.message_id), "{inbound:?}");
        if inbound.message_id == third {
            break;
        }
    }
    let raw = world.synapse.events(room.room_id().as_str(), &anna.token()).await;
    let said = raw
        .iter()
        .filter(|event| event["sender"] == *world.bot && event["type"] == "m.room.encrypted");
    assert_eq!(said.count(), 1);
}

#[tokio::test]
async fn a_long_absence_loses_no_message() {
    let Some(mut world) = World::start().await else {
        return;
    };
    let mut account = world.connected(&json!({}), b"").await;
    let anna = Person::new(&world.synapse, "anna").await;
    let room = anna.room_with(&world.bot, false, true).await;
    anna.write(&room, "0").await;
    account.keep().await;
    // What was committed is remembered with the answer behind it.
    account.sent(part(room.room_id().as_str(), "0", "0")).await;
    let state = account.state();
    drop(account);
    world.kill().await;

    for number in 1..=120 {
        anna.write(&room, &number.to_string()).await;
    }

    let mut account = world.connected(&json!({}), &state).await;
    let mut expected = 1;
    while expected <= 120 {
        let said = words(&account.keep().await);
        if said == "0" {
            continue; // its place was perhaps not yet kept
        }
        assert_eq!(said, expected.to_string());
        expected += 1;
    }
}
