//! What the server does not want.

use gatehouse_proto::channel::v1::{part_answered::Outcome, run_account_response::Message as Said};
use serde_json::json;

use crate::{
    gateway::{World, part, words},
    person::Person,
    synapse::Synapse,
};

#[tokio::test]
async fn a_session_that_was_ended_elsewhere_is_made_anew() {
    let Some(world) = World::start().await else {
        return;
    };
    let mut account = world.connected(&json!({}), b"").await;
    let owner = Person::log_in(&world.synapse, &world.bot).await;

    let path = "/_matrix/client/v3/logout/all";
    world
        .synapse
        .call("POST", path, &owner.token(), Some(json!({})))
        .await;

    let said = account.said().await;
    assert!(
        matches!(&said, Said::Ended(ended) if !ended.for_good && ended.reason.contains("logs in again")),
        "{said:?}"
    );
    let state = account.state();
    let mut account = world.connected(&json!({}), &state).await;
    let anna = Person::new(&world.synapse, "anna").await;
    let room = anna.room_with(&world.bot, true, true).await;
    anna.write(&room, "are you there?").await;
    assert_eq!(words(&account.keep().await), "are you there?");
}

#[tokio::test]
async fn a_server_that_wants_fewer_messages_says_for_how_long_to_wait() {
    let slow = json!({"per_second": 0.2, "burst_count": 2});
    let Some(synapse) = Synapse::with(&slow).await else {
        return;
    };
    let Some(world) = World::around(synapse).await else {
        return;
    };
    let mut account = world.connected(&json!({}), b"").await;
    let anna = Person::new(&world.synapse, "anna").await;
    let room = anna.room_with(&world.bot, false, true).await;

    anna.write(&room, "tea?").await;
    account.keep().await;

    let mut busy = None;
    for number in 0..10 {
        let part = part(room.room_id().as_str(), &number.to_string(), "tea");
        match account.send(part).await {
            Outcome::Sent(_) => {}
            Outcome::ChatBusy(later) => {
                busy = Some(later);
                break;
            }
            other => panic!("{other:?}"),
        }
    }

    let busy = busy.expect("it was too much");
    assert!(busy.reason.contains("fewer messages"), "{busy:?}");
    assert!((1..=10_000).contains(&busy.after_ms), "{busy:?}");
}
