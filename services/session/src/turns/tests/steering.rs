//! Messages that steer the run which is at work.

use gatehouse_proto::agent::v1::turn_message::Role as Speaker;
use gatehouse_proto::broadcast::v1::Rendition;

use super::*;
use crate::store::Target;
use crate::testing::queued_as;
use crate::turns::queue::QueueMode;

pub(super) fn steering(run: &str, text: &str) -> Admission {
    queued_as(QueueMode::Steer, message(run, text))
}

pub(super) fn in_room(run: &str, text: &str, place: &str) -> Admission {
    Admission {
        reply: Reply::To(room(place)),
        ..steering(run, text)
    }
}

/// What chats are told, in order.
pub(super) async fn told(bench: &Bench) -> Vec<String> {
    let waiting = bench.stores.deliveries.waiting(Timestamp::MAX, 10).await.unwrap();
    waiting.iter().map(|delivery| delivery.content.words()).collect()
}

pub(super) const CALL: &str =
    r#"[{"type":"toolCall","id":"c","name":"ls","arguments":{},"repeatable":true}]"#;
pub(super) const RESULT: &str = r#"[{"type":"toolResult","toolCallId":"c","toolName":"ls","content":[{"type":"text","text":"empty"}],"isError":false}]"#;

#[tokio::test]
async fn what_is_said_while_a_run_answers_is_taken_in_by_it_and_answered_with_one_end() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    running.engine.submit(steering("r1", "one")).await.unwrap();
    let call = bench.call().await;
    call.text("first").await;
    running.sees_text("first").await;
    running.engine.submit(steering("r2", "two")).await.unwrap();

    call.done().await;
    let call = bench.call().await;

    assert_eq!(call.request.run_id, "r1");
    assert_eq!(call.texts(), ["one", "first", "two"]);
    let end = running.end_of("r2").await;
    assert_eq!(
        (end.state(), end.message.clone()),
        (State::Final, None),
        "its answer is the other run's"
    );
    call.text("second").await;
    call.done().await;
    let end = running.end_of("r1").await;
    let message: serde_json::Value = serde_json::from_str(&end.message.unwrap()).unwrap();
    assert_eq!(
        message["content"],
        serde_json::json!([{"type": "text", "text": "first"}, {"type": "text", "text": "second"}])
    );
    for rendition in [Rendition::Increment, Rendition::Cumulative] {
        assert_eq!(running.screen("r1", rendition), "first\n\nsecond");
    }
    assert_eq!((running.ends("r1"), running.ends("r2")), (1, 1));
    let steered = bench.stores.turns.find(&RunId::new("r2")).await.unwrap().unwrap();
    assert_eq!(steered.merged_into, Some(RunId::new("r1")));
    let session = bench.stores.sessions.find(&key("main")).await.unwrap().unwrap();
    assert_eq!(
        (session.input_tokens, session.output_tokens),
        (2, 4),
        "both answers are counted"
    );
    running.engine.submit(steering("r3", "three")).await.unwrap();
    assert_eq!(
        bench.call().await.texts(),
        ["one", "first", "two", "second", "three"]
    );
}

#[tokio::test]
async fn a_run_that_calls_tools_is_steered_as_soon_as_all_of_them_have_answered() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    running.engine.submit(steering("r1", "look")).await.unwrap();
    let call = bench.call().await;
    call.entry(Speaker::Assistant, CALL).await;
    running
        .see("the call of the tool", |seen| seen.label() == "tool start")
        .await;
    running.engine.submit(steering("r2", "not there")).await.unwrap();

    call.entry(Speaker::Tool, RESULT).await;

    call.cancelled().await;
    let again = bench.call().await;
    let said: Vec<_> = again
        .request
        .messages
        .iter()
        .map(|message| message.role())
        .collect();
    assert_eq!(
        said,
        [Speaker::User, Speaker::Assistant, Speaker::Tool, Speaker::User]
    );
    running.end_of("r2").await;
    again.text("elsewhere").await;
    again.done().await;
    running.end_of("r1").await;
}

#[tokio::test]
async fn a_chat_reads_all_that_a_steered_run_said_and_another_chat_waits_its_turn() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    running.engine.submit(in_room("r1", "one", "#a")).await.unwrap();
    let call = bench.call().await;
    running.engine.submit(in_room("r2", "two", "#a")).await.unwrap();
    running.engine.submit(in_room("r3", "other", "#b")).await.unwrap();
    call.text("first").await;
    call.done().await;
    let call = bench.call().await;
    assert_eq!(call.texts(), ["one", "first", "two"]);
    call.text("second").await;
    call.done().await;
    running.end_of("r1").await;

    assert_eq!(told(&bench).await, ["first\n\nsecond"]);
    assert_eq!(bench.call().await.request.run_id, "r3");
}

#[tokio::test]
async fn what_another_person_says_in_the_same_room_is_a_turn_of_its_own_that_answers_his_message() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let from = |sender: &str, run, text| Admission {
        sender: Some(sender.to_owned()),
        reply: Reply::To(Target {
            reply_to_id: Some(format!("of {sender}")),
            ..room("#a")
        }),
        ..steering(run, text)
    };
    running.engine.submit(from("anna", "r1", "one")).await.unwrap();
    let call = bench.call().await;
    running.engine.submit(from("anna", "r2", "two")).await.unwrap();
    running.engine.submit(from("bert", "r3", "three")).await.unwrap();

    call.text("first").await;
    call.done().await;
    for (run, answer) in [("r1", "second"), ("r3", "third")] {
        let call = bench.call().await;
        assert_eq!(call.request.run_id, run);
        call.text(answer).await;
        call.done().await;
    }
    running.end_of("r3").await;

    let waiting = bench.stores.deliveries.waiting(Timestamp::MAX, 10).await.unwrap();
    let answered: Vec<_> = waiting
        .iter()
        .map(|delivery| (delivery.target.reply_to_id.as_deref(), delivery.content.words()))
        .collect();
    assert_eq!(
        answered,
        [
            (Some("of anna"), "first\n\nsecond".to_owned()),
            (Some("of bert"), "third".to_owned())
        ]
    );
}

#[tokio::test]
async fn a_chat_reads_what_was_said_before_a_run_was_steered_also_when_it_calls_tools_afterwards() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    running.engine.submit(in_room("r1", "one", "#a")).await.unwrap();
    let call = bench.call().await;
    running.engine.submit(in_room("r2", "two", "#a")).await.unwrap();
    call.text("first").await;
    call.done().await;
    let call = bench.call().await;
    call.entry(Speaker::Assistant, CALL).await;
    call.entry(Speaker::Tool, RESULT).await;
    call.text("second").await;
    call.done().await;
    running.end_of("r1").await;

    assert_eq!(told(&bench).await, ["first\n\nsecond"]);
    for rendition in [Rendition::Increment, Rendition::Cumulative] {
        assert_eq!(
            running.screen("r1", rendition),
            "second",
            "what follows a call takes the place of what was there"
        );
    }
}

#[tokio::test]
async fn what_a_failed_run_did_not_take_in_is_answered_afterwards() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    running.engine.submit(steering("r1", "one")).await.unwrap();
    let call = bench.call().await;
    running.engine.submit(steering("r2", "two")).await.unwrap();
    call.fail(FailureKind::Rejected, "no").await;
    running.end_of("r1").await;

    let call = bench.call().await;

    assert_eq!(call.request.run_id, "r2");
    call.done().await;
    running.end_of("r2").await;
}
