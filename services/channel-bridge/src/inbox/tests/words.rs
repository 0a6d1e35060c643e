//! Words to the gateway itself, and a conversation without room.

use super::*;
use crate::{
    adapter::{ChatKind, InboundMessage},
    notice,
    outbox::store::Chosen,
    testing::delivery,
};

fn in_room(id: &str, text: &str, mentioned: bool) -> InboundMessage {
    InboundMessage {
        chat_kind: ChatKind::Channel,
        sender_id: "anna".into(),
        mentioned,
        ..message(id, "#home", text)
    }
}

/// A room where the assistant must be spoken to, and where Anna may.
fn room() -> Value {
    json!({"groupPolicy": "allowlist", "groups": {"#home": {"allowFrom": ["anna"]}}})
}

impl Bench {
    async fn say(&self, message: InboundMessage) {
        self.inbox.receive(&key("a"), message).await.unwrap();
    }

    /// What waits to be said, in order.
    async fn waits(&self) -> Vec<String> {
        let page = self
            .stores
            .outbox
            .waiting(Chosen::default(), 0, 100)
            .await
            .unwrap();
        page.deliveries
            .into_iter()
            .map(|delivery| delivery.preview)
            .collect()
    }

    async fn reply(&self, key: &str, to: &str, text: &str) {
        let reply = delivery(key, to, text, NOW);
        self.stores.outbox.enqueue(key.into(), reply, NOW).await.unwrap();
    }
}

#[tokio::test]
async fn stop_ends_what_runs_and_waits_in_its_chat_and_says_so_once() {
    let (_folder, stores) = stores();
    let bench = bench_with(&stores, &open(), |session| {
        session.running.lock().unwrap().push("r1".into());
    });
    bench.reply("k1", "anna", "a long answer").await;
    bench.reply("k2", "anna", "and another one").await;
    bench.reply("k3", "bert", "for somebody else").await;

    bench.say(message("m1", "anna", "Stop!")).await;
    bench.counts(Fate::Handled, 1).await;

    assert_eq!(
        bench.waits().await,
        ["for somebody else", notice::STOPPED.words()]
    );
    let asked = bench.session.stopped.lock().unwrap().clone();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].reply_target.as_ref().unwrap().to, "anna");
    assert!(bench.taken().is_empty(), "no agent is asked what it means");
}

#[tokio::test]
async fn with_nothing_under_way_stop_says_that_there_is_nothing() {
    let (_folder, stores) = stores();
    let bench = bench(&stores, &open());

    bench.say(message("m1", "anna", "/stop")).await;
    bench.counts(Fate::Handled, 1).await;

    assert_eq!(bench.waits().await, [notice::NOTHING_TO_STOP.words()]);
}

#[tokio::test]
async fn stop_does_not_wait_behind_messages_that_the_session_service_cannot_take() {
    let (_folder, stores) = stores();
    let full = || {
        Failure::new(Kind::Exhausted, "20 messages wait in this session already")
            .reason(notice::QUEUE_FULL_REASON)
    };
    let bench = bench_with(&stores, &open(), |session| {
        *session.refusals.lock().unwrap() = (0..1000).map(|_| full()).collect();
    });
    for n in 0..3 {
        bench.say(message(&format!("m{n}"), "anna", "hi")).await;
    }
    until("the notice", async || {
        (bench.waits().await.len() == 1).then_some(())
    })
    .await;

    bench.say(message("stop", "anna", "stop")).await;
    bench.counts(Fate::Handled, 1).await;

    bench.counts(Fate::Dropped, 3).await;
    assert_eq!(bench.waits().await, [notice::STOPPED.words()]);
    assert!(bench.taken().is_empty());
}

#[tokio::test]
async fn in_a_room_only_who_may_talk_may_stop_and_unasked_only_what_is_being_said() {
    let (_folder, stores) = stores();
    let bench = bench(&stores, &room());
    // People say it to each other.
    bench.say(in_room("m1", "stop", false)).await;
    bench.counts(Fate::Refused, 1).await;
    assert!(bench.waits().await.is_empty());

    bench.reply("k1", "#home", "line after line").await;
    let stranger = InboundMessage {
        sender_id: "mallory".into(),
        ..in_room("m2", "gate: stop", true)
    };
    bench.say(stranger).await;
    bench.counts(Fate::Refused, 2).await;
    assert_eq!(bench.waits().await, ["line after line"]);

    bench.say(in_room("m3", "stop", false)).await;
    bench.counts(Fate::Handled, 1).await;
    assert_eq!(bench.waits().await, [notice::STOPPED.words()]);
}

#[tokio::test]
async fn more_without_a_rest_is_for_the_agent() {
    let (_folder, stores) = stores();
    let bench = bench(&stores, &open());

    bench.say(message("m1", "anna", "more")).await;

    bench.takes(1).await;
    assert!(bench.waits().await.is_empty());
}

#[tokio::test]
async fn a_full_conversation_is_told_of_once_and_its_messages_are_kept() {
    let (_folder, stores) = stores();
    let full = || {
        Failure::new(Kind::Exhausted, "20 messages wait in this session already")
            .reason(notice::QUEUE_FULL_REASON)
    };
    let bench = bench_with(&stores, &open(), |session| {
        *session.refusals.lock().unwrap() = (0..3).map(|_| full()).collect();
    });

    for n in 0..4 {
        bench.say(message(&format!("m{n}"), "anna", "hi")).await;
    }
    bench.takes(4).await;

    assert_eq!(bench.waits().await, [notice::QUEUE_FULL.words()]);
    assert_eq!(bench.taken(), ["m0", "m1", "m2", "m3"]);
}
