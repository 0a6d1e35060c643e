//! Turns that do something before they answer.

use gatehouse_core::Content;
use gatehouse_proto::agent::v1 as agent;
use gatehouse_proto::agent::v1::TurnMessage;
use gatehouse_proto::agent::v1::turn_message::Role as Speaker;
use gatehouse_proto::broadcast::v1::Rendition;

use super::*;

const CALL: &str = r#"[{"type":"thinking","thinking":"hm","thinkingSignature":"s"},{"type":"text","text":"let me look"},{"type":"hologram",  "of":[1.0]},{"type":"toolCall","id":"c","name":"ls","arguments":{"path": "."},"repeatable":true}]"#;
const POST: &str = r#"[{"type":"toolCall","id":"c","name":"post","arguments":{}}]"#;
const RESULT: &str = r#"[{"type":"toolResult","toolCallId":"c","toolName":"ls","content":[{"type":"text","text":"empty"}],"isError":false}]"#;

async fn contents(bench: &Bench) -> Vec<(Role, String)> {
    let query = crate::store::contract::query(100, 0);
    let page = bench
        .stores
        .transcripts
        .history(&key("main"), query)
        .await
        .unwrap();
    let entries = page.entries.into_iter();
    entries.map(|entry| (entry.row.role, entry.row.content)).collect()
}

fn read(message: &TurnMessage) -> (Speaker, String) {
    let content = Content::from_parts(message.text.clone(), message.content.clone()).unwrap();
    (message.role(), content.to_json())
}

#[tokio::test]
async fn the_steps_of_a_turn_stand_between_its_deltas_on_screens_and_before_its_end_in_the_transcript() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    running.engine.submit(message("r1", "look")).await.unwrap();
    let call = bench.call().await;
    call.text("let me ").await;
    call.text("look").await;
    running.sees_text("let me ").await;

    call.entry(Speaker::Assistant, CALL).await;
    running
        .see("the call of the tool", |seen| seen.label() == "tool start")
        .await;
    let live = running.engine.in_flight(&key("main")).unwrap();
    assert_eq!(live.text, "", "what was said is a row");
    call.entry(Speaker::Tool, RESULT).await;
    call.text("nothing there").await;
    let last = r#"[{"type":"thinking","thinking":"so"},{"type":"text","text":"nothing there"}]"#;
    call.done_with(Some(last)).await;
    let end = running.end_of("r1").await;

    let message: serde_json::Value = serde_json::from_str(&end.message.unwrap()).unwrap();
    assert_eq!(
        message["content"],
        serde_json::json!([{"type":"text","text":"nothing there"}]),
        "what was thought was shown as it came"
    );
    let owned = |role, content: &str| (role, content.to_owned());
    assert_eq!(
        contents(&bench).await,
        [
            owned(Role::User, r#""look""#),
            owned(Role::Assistant, CALL),
            owned(Role::Tool, RESULT),
            owned(Role::Assistant, last),
        ]
    );
    for rendition in [Rendition::Increment, Rendition::Cumulative] {
        assert_eq!(running.screen("r1", rendition), "nothing there");
    }
    let labels = running.labels();
    let place = |label: &str| {
        labels
            .iter()
            .position(|seen| seen == label)
            .unwrap_or_else(|| panic!("{label}: {labels:#?}"))
    };
    let order = [
        "chat delta 'let me ' +",
        "row assistant",
        "chat delta '' +",
        "tool start",
        "tool result",
        "chat delta 'nothing there' +",
        "chat final",
    ];
    assert!(order.is_sorted_by_key(|label| place(label)), "{labels:#?}");
    let seqs = running.seqs("r1");
    assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");
}

#[tokio::test]
async fn what_the_next_attempt_reads_is_what_the_broken_one_did_byte_for_byte() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    running.engine.submit(message("r1", "look")).await.unwrap();
    let call = bench.call().await;
    call.entry(Speaker::Assistant, CALL).await;
    call.entry(Speaker::Tool, RESULT).await;
    running
        .see("the result", |seen| seen.label() == "tool result")
        .await;

    call.break_off().await;

    let again = bench.call().await;
    let messages: Vec<_> = again.request.messages.iter().map(read).collect();
    assert_eq!(
        messages,
        [
            (Speaker::User, r#""look""#.to_owned()),
            (Speaker::Assistant, CALL.to_owned()),
            (Speaker::Tool, RESULT.to_owned()),
        ]
    );
    again.text("nothing there").await;
    again.done().await;
    running.end_of("r1").await;
    running.engine.submit(message("r2", "and now?")).await.unwrap();
    let next = bench.call().await;
    let unsigned = Content::from_json(CALL).unwrap();
    let unsigned = unsigned.filtered(|block| !matches!(block, gatehouse_core::content::Block::Thinking(_)));
    assert_eq!(
        next.request.messages.iter().map(read).nth(1),
        Some((Speaker::Assistant, unsigned.to_json())),
        "a later turn reads everything but what was thought"
    );
}

#[tokio::test]
async fn a_turn_that_called_what_may_not_be_repeated_is_not_run_again() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    running.engine.submit(message("r1", "post it")).await.unwrap();
    let call = bench.call().await;
    call.entry(Speaker::Assistant, POST).await;
    running
        .see("the call of the tool", |seen| seen.label() == "tool start")
        .await;

    call.break_off().await;
    running.end_of("r1").await;

    assert_eq!(state(&bench, "r1").await, TurnState::Interrupted);
    let turn = bench.stores.turns.find(&RunId::new("r1")).await.unwrap().unwrap();
    assert!(turn.effects && turn.attempt == 1);
    assert_eq!(running.ends("r1"), 1);
}

#[tokio::test]
async fn a_chat_reads_what_was_said_before_the_last_call_when_nothing_was_said_after_it() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let asked = Admission {
        reply: Reply::To(room("#room")),
        ..message("r1", "post it")
    };
    running.engine.submit(asked).await.unwrap();
    let call = bench.call().await;
    call.entry(Speaker::Assistant, CALL).await;
    call.entry(Speaker::Tool, RESULT).await;
    call.done().await;
    running.end_of("r1").await;

    let waiting = bench.stores.deliveries.waiting(Timestamp::MAX, 9).await.unwrap();
    let replies: Vec<_> = waiting.into_iter().map(|reply| reply.content).collect();
    assert_eq!(replies, [Content::text("let me look")]);
}

#[tokio::test]
async fn a_message_that_may_not_stand_in_a_transcript_ends_its_turn() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let cases = [
        (Speaker::User, r#""hi""#, "neither"),
        (Speaker::Tool, r#""hi""#, "not one result"),
        (Speaker::Assistant, RESULT, "a result of the assistant's"),
        (Speaker::Assistant, r#"" ""#, "says nothing"),
    ];
    for (n, (speaker, json, why)) in cases.into_iter().enumerate() {
        let run = format!("r{n}");
        running.engine.submit(message(&run, "hi")).await.unwrap();
        let call = bench.call().await;
        call.entry(speaker, json).await;

        let end = running.end_of(&run).await;

        assert_eq!(end.state(), State::Error);
        assert!(end.error_message.as_deref().unwrap().contains(why), "{end:?}");
    }
    assert!(contents(&bench).await.iter().all(|(role, _)| *role != Role::Tool));
}

#[tokio::test]
async fn whoever_lost_the_turn_writes_and_shows_no_more_of_it() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    running.engine.submit(message("r1", "look")).await.unwrap();
    let call = bench.call().await;
    call.text("half").await;
    running.sees_text("half").await;
    let thief = Reclaim {
        owner: Owner::generate(),
        others_are_dead: true,
        held: Vec::new(),
        notice: gatehouse_core::ForPeople::new("cut short"),
        limits: RunLimits {
            attempts_max: 3,
            shown_max: 2,
        },
        now: bench.clock.now(),
        lease_until: bench.clock.now().plus_ms(60_000),
    };
    bench.stores.turns.reclaim(thief).await.unwrap();

    call.entry(Speaker::Assistant, CALL).await;
    call.cancelled().await;
    running.rest();

    assert!(
        !running.labels().contains(&"row assistant".to_owned()),
        "{:?}",
        running.labels()
    );
    assert_eq!(running.ends("r1"), 0);
    assert!(contents(&bench).await.iter().all(|(role, _)| *role == Role::User));
}

#[tokio::test]
async fn a_model_is_told_whose_words_an_answer_was_and_screens_are_told_what_it_does_not_read() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    running.engine.submit(message("r1", "hello")).await.unwrap();
    let call = bench.call().await;
    call.text("hi").await;
    call.done().await;
    running.end_of("r1").await;

    running.engine.submit(message("r2", "more")).await.unwrap();
    let call = bench.call().await;
    let providers: Vec<_> = call
        .request
        .messages
        .iter()
        .map(|message| message.provider.as_deref())
        .collect();
    assert_eq!(providers, [None, Some("p"), None]);
    assert_eq!(call.request.agent_id.as_deref(), Some("main"));
    call.event(agent::run_turn_response::Event::ContextTrimmed(
        agent::ContextTrimmed {
            provider: "p".to_owned(),
            model: "m".to_owned(),
            messages_left_out: 12,
            tokens_sent: 900,
            tokens_before: 5_000,
            context_window: Some(1_024),
        },
    ))
    .await;
    let told = running
        .see("that the conversation was cut", |seen| {
            seen.label() == "agent compaction end"
        })
        .await;
    let Seen::Agent(event, _) = told else {
        unreachable!("its label says so")
    };
    let data: serde_json::Value = serde_json::from_str(&event.data).unwrap();
    assert_eq!(
        (&data["messagesLeftOut"], &data["tokensBefore"]),
        (&serde_json::json!(12), &serde_json::json!(5_000))
    );
    call.text("yes").await;
    call.done().await;
    running.end_of("r2").await;
}
