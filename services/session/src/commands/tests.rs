mod standing;
mod summaries;

use gatehouse_core::Caller;
use gatehouse_proto::agent::v1::FailureKind;
use gatehouse_proto::session::v1::chat_event::State;

use super::speaker::Standing;
use super::*;
use crate::id::{RunId, SessionId};
use crate::store::{HistoryQuery, InboundKey, Reply, Role};
use crate::testing::{Bench, Running, key, message, room};

const CONFIG: &str = r#"{"agents":{"defaults":{"model":"p/one","models":{"p/two":{"alias":"fast"}}}},
    "models":{"providers":{"p":{"models":[{"id":"one","contextWindow":1000},{"id":"two","reasoning":true}]}}}}"#;

async fn said(running: &Running, speaker: &Speaker, admission: Admission) -> Result<Submitted, Error> {
    let policy = running.engine.policy().unwrap();
    take(&running.engine, &policy, speaker, admission).await
}

/// The same by a client that may do everything.
async fn say(running: &Running, run: &str, text: &str) -> Submitted {
    said(running, &Speaker::process(), message(run, text))
        .await
        .unwrap()
}

async fn session_of(running: &Running) -> SessionRecord {
    let found = running.engine.stores().sessions.find(&key("main")).await;
    found.unwrap().unwrap()
}

/// What the gateway answers to a client that may do everything.
async fn answer(running: &mut Running, run: &str, text: &str) -> String {
    say(running, run, text).await;
    ended_with(running, run).await
}

async fn ended_with(running: &mut Running, run: &str) -> String {
    let end = running.end_of(run).await;
    assert_eq!(end.state(), State::Final);
    let message: serde_json::Value = serde_json::from_str(end.message.as_deref().unwrap()).unwrap();
    message["content"][0]["text"].as_str().unwrap().to_owned()
}

async fn rows(running: &Running) -> Vec<(Role, String, bool)> {
    let query = HistoryQuery {
        limit: 50,
        offset: 0,
        after: None,
        bytes_max: 1 << 20,
    };
    let page = running
        .engine
        .stores()
        .transcripts
        .history(&key("main"), query)
        .await
        .unwrap();
    let rows = page.entries.into_iter().map(|entry| entry.row);
    rows.map(|row| (row.role, crate::rows::text_of(&row.content), row.in_context))
        .collect()
}

#[tokio::test]
async fn a_command_is_answered_by_the_gateway_and_no_model_ever_reads_it() {
    let mut bench = Bench::new().await;
    let mut running = bench.run(CONFIG);

    let status = answer(&mut running, "r1", "/status").await;

    assert!(
        status.contains("Model: p/one") && status.contains("agent:main:main"),
        "{status}"
    );
    let end = running.seen.iter().rev().find_map(|seen| match seen {
        crate::testing::Seen::Chat(event, _) => event.message.clone(),
        _ => None,
    });
    assert!(end.unwrap().contains(r#""model":"gateway-injected""#));
    let shown: Vec<_> = rows(&running).await;
    assert_eq!(shown[0], (Role::User, "/status".to_owned(), false));
    assert_eq!((shown[1].0, shown[1].2), (Role::Assistant, false));
    let session = session_of(&running).await;
    assert_eq!(
        session.derived_title, None,
        "a command is not what a conversation is about"
    );

    say(&running, "r2", "hello").await;
    let call = bench.call().await;
    assert_eq!(call.texts(), ["hello"]);
    call.done().await;
}

#[tokio::test]
async fn a_repeated_command_is_known_and_does_nothing_twice() {
    let mut bench = Bench::new().await;
    let mut running = bench.run(CONFIG);
    let first = say(&running, "r1", "/new").await;
    assert!(!first.duplicate);
    say(&running, "r2", "hello").await;
    bench.call().await.done().await;
    running.end_of("r2").await;

    let again = say(&running, "r1", "/new").await;
    let other = said(&running, &Speaker::process(), message("r1", "/status")).await;

    assert!(again.duplicate && again.turn.state == crate::store::TurnState::Done);
    assert!(matches!(other, Err(Error::RequestConflict)));
    assert_eq!(
        rows(&running).await.len(),
        4,
        "the conversation was not begun anew"
    );
}

#[tokio::test]
async fn a_command_is_answered_while_an_answer_is_being_written() {
    let mut bench = Bench::new().await;
    let mut running = bench.run(CONFIG);
    say(&running, "r1", "hello").await;
    let call = bench.call().await;
    call.text("half").await;
    running.sees_text("half").await;

    let status = answer(&mut running, "r2", "/status").await;
    assert!(status.contains("an answer is being written"), "{status}");
    assert_eq!(answer(&mut running, "r3", "/stop").await, "Stopped.");

    assert_eq!(running.ends("r1"), 1);
    assert_eq!(
        answer(&mut running, "r4", "/stop").await,
        "Nothing is being written."
    );
}

#[tokio::test]
async fn a_model_is_chosen_by_its_short_name_and_the_next_turn_asks_it() {
    let mut bench = Bench::new().await;
    let mut running = bench.run(CONFIG);

    assert_eq!(
        answer(&mut running, "r1", "/model fast").await,
        "p/two answers here from now on."
    );
    assert!(
        answer(&mut running, "r2", "/model nothing")
            .await
            .contains("There is no model nothing")
    );
    assert!(
        answer(&mut running, "r3", "/models")
            .await
            .contains("* p/two (fast)")
    );
    assert_eq!(answer(&mut running, "r4", "/think high").await, "Thinking: high.");
    assert!(
        answer(&mut running, "r5", "/think harder")
            .await
            .contains("is not a level")
    );

    say(&running, "r6", "hello").await;
    let call = bench.call().await;
    assert_eq!(call.request.models, ["p/two"]);
    assert_eq!(call.request.thinking_level.as_deref(), Some("high"));
    call.done().await;
    running.end_of("r6").await;

    assert!(
        answer(&mut running, "r7", "/model default")
            .await
            .starts_with("p/one answers here")
    );
    let told = answer(&mut running, "r8", "/think low").await;
    assert!(
        told.contains("cannot be told") && told.contains("reasoning: true"),
        "{told}"
    );
    assert_eq!(
        answer(&mut running, "r9", "/queue collect").await,
        "Queue: collect."
    );
    assert!(
        answer(&mut running, "r10", "/queue later")
            .await
            .contains("is not a mode")
    );
    let session = session_of(&running).await;
    assert_eq!(session.queue_mode.map(|mode| mode.word()), Some("collect"));
}

#[tokio::test]
async fn what_follows_new_is_the_first_message_of_the_new_conversation() {
    let mut bench = Bench::new().await;
    let mut running = bench.run(CONFIG);
    say(&running, "r1", "old").await;
    bench.call().await.done().await;
    running.end_of("r1").await;
    let before = session_of(&running).await;

    let new = Admission {
        expected_session: Some(before.session_id.clone()),
        ..message("r2", "/NEW fresh start")
    };
    said(&running, &Speaker::process(), new).await.unwrap();

    let call = bench.call().await;
    assert_eq!(call.texts(), ["fresh start"]);
    call.done().await;
    running.end_of("r2").await;
    let of = |id: SessionId, run: &str| Admission {
        expected_session: Some(id),
        ..message(run, "/reset")
    };
    let refused = said(&running, &Speaker::process(), of(SessionId::new("foreign"), "r3")).await;
    assert!(
        matches!(refused, Err(Error::SessionMoved(_))),
        "it looked at another session"
    );
    let late = said(&running, &Speaker::process(), of(before.session_id, "r4")).await;
    assert!(late.is_ok(), "a screen that did not hear of the reset goes on");
}
