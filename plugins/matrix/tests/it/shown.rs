//! An answer that is shown while it is being written.

use gatehouse_proto::channel::v1::{ShowPreview, part_answered, preview_answered::Outcome};
use matrix_sdk::ruma::EventId;
use serde_json::{Value, json};

use crate::{
    gateway::{World, part},
    person::Person,
};

fn preview(to: &str, shown: Option<&str>, text: &str) -> ShowPreview {
    ShowPreview {
        id: 9,
        run: "run".into(),
        to: to.into(),
        shown: shown.map(str::to_owned),
        text: text.into(),
        may_last: true,
        ..ShowPreview::default()
    }
}

#[tokio::test]
async fn what_was_shown_becomes_the_answer_exactly_once() {
    let Some(world) = World::start().await else { return };
    let mut account = world.connected(&json!({}), b"").await;
    let anna = Person::new(&world.synapse, "anna").await;
    let room = anna.room_with(&world.bot, false, true).await;
    anna.write(&room, "are you there?").await;
    account.keep().await; // so it knows that it is in
    let to = room.room_id().as_str();

    let Outcome::Shown(id) = account.show(preview(to, None, "Tea is")).await else {
        panic!("it is not shown");
    };
    assert_eq!(
        account.show(preview(to, None, "Tea is")).await,
        Outcome::Shown(id.clone()),
        "a repeat is no second message"
    );
    account.show(preview(to, Some(&id), "Tea is ho")).await;
    let mut last = part(to, "the answer", "Tea is **hot**.");
    last.replaces = Some(id.clone());
    assert_eq!(account.sent(last.clone()).await, id);
    assert_eq!(account.sent(last.clone()).await, id);

    let events = world.synapse.events(to, &anna.token()).await;
    let said: Vec<&Value> = events
        .iter()
        .filter(|event| event["sender"] == *world.bot && event["type"] == "m.room.message")
        .collect();
    let (changes, first): (Vec<&Value>, Vec<&Value>) = said
        .into_iter()
        .partition(|event| event["content"]["m.relates_to"]["rel_type"] == "m.replace");
    assert_eq!((first.len(), changes.len()), (1, 2), "{changes:?}");
    assert_eq!(changes[0]["content"]["m.new_content"]["body"], "Tea is **hot**.");

    // Where somebody has taken it away, the answer is a message of its own.
    let event = EventId::parse(&id).expect("an id");
    room.redact(&event, None, None).await.expect("taken back");
    last.key = "another".into();
    let gone = account.send(last).await;
    assert!(matches!(gone, part_answered::Outcome::PreviewGone(_)), "{gone:?}");
}
