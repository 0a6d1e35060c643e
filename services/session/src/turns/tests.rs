mod commits;
mod failing;
mod leases;
mod reading_along;
mod restarts;
mod signals;
mod steering;
mod steering_kills;
mod steps;
mod stopping;

use std::sync::Arc;
use std::time::Duration;

use gatehouse_core::{Clock, Timestamp, bus};
use gatehouse_proto::agent::v1::FailureKind;
use gatehouse_proto::session::v1::chat_event::State;
use tokio::time;

use crate::error::Error;
use crate::id::{Owner, RunId};
use crate::key::AgentId;
use crate::store::{
    Admission, HistoryQuery, Reclaim, Reply, Role, RunLimits, SessionPatch, Sharing, TurnState,
};
use crate::testing::{Bench, PATIENCE, Running, Seen, key, message, queued_as, room, until, within};
use crate::thinking::Level;
use crate::turns::queue::QueueMode;
use crate::workspace::{self, Workspaces};

/// A store that other engines of this test have open as well.
fn shared() -> Sharing {
    Sharing::Shared(Arc::new(bus::Memory::new()))
}

async fn state(bench: &Bench, run: &str) -> TurnState {
    bench
        .stores
        .turns
        .find(&RunId::new(run))
        .await
        .unwrap()
        .unwrap()
        .state
}

async fn rows(bench: &Bench) -> Vec<(Role, String)> {
    let query = HistoryQuery {
        limit: 100,
        offset: 0,
        after: None,
        bytes_max: 1 << 20,
    };
    let page = bench
        .stores
        .transcripts
        .history(&key("main"), query)
        .await
        .unwrap();
    page.entries
        .iter()
        .map(|entry| (entry.row.role, crate::rows::text_of(&entry.row.content)))
        .collect()
}

#[tokio::test]
async fn a_message_is_answered_in_the_order_that_screens_expect() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    running.engine.submit(message("r1", "hi")).await.unwrap();

    let call = bench.call().await;
    call.text("Hel").await;
    running
        .see("the first paced delta", |seen| {
            seen.label() == "chat delta 'Hel' ="
        })
        .await;
    call.text("lo").await;
    call.done().await;
    let end = running.end_of("r1").await;
    running
        .see("the session after it", |seen| {
            seen.label() == "changed agent.input.settled"
        })
        .await;

    let order = [
        "changed send",
        "row user",
        "chat status",
        "agent lifecycle start",
        "changed agent.run.started",
        "agent assistant +",
        "chat delta 'Hel' +",
        "agent assistant =",
        "chat delta 'Hel' =",
        "agent assistant +",
        "chat delta 'lo' +",
        "agent assistant =",
        "chat delta 'lo' =",
        "row assistant",
        "agent lifecycle end",
        "chat final",
        "changed agent.input.settled",
    ];
    assert_eq!(running.labels(), order);
    assert!(end.message.as_deref().unwrap().contains("Hello"));
    assert_eq!(end.usage.unwrap().total_tokens, 3);
    let mut seqs: Vec<i64> = running
        .seen
        .iter()
        .filter_map(|seen| match seen {
            Seen::Chat(event, _) => Some(event.seq),
            Seen::Agent(..) | Seen::Row(_) | Seen::Changed(_) | Seen::Aside(_) => None,
        })
        .collect();
    let in_order = seqs.clone();
    seqs.sort_unstable();
    seqs.dedup();
    assert_eq!(in_order, seqs, "numbers grow");
    assert_eq!(
        rows(&bench).await,
        [
            (Role::User, "hi".to_owned()),
            (Role::Assistant, "Hello".to_owned())
        ]
    );
}

#[tokio::test]
async fn the_next_turn_reads_what_was_said_before() {
    let mut bench = Bench::new().await;
    let mut running = bench.run(r#"{"agents":{"defaults":{"model":{"primary":"p/a","fallbacks":["p/b"]},"systemPrompt":"be brief"}}}"#);
    running.engine.submit(message("r1", "one")).await.unwrap();
    let call = bench.call().await;
    running.engine.submit(message("r2", "two")).await.unwrap();
    call.text("to one").await;
    call.done().await;

    let call = bench.call().await;

    assert_eq!(call.texts(), ["one", "to one", "two"]);
    assert_eq!(call.request.models, ["p/a", "p/b"]);
    assert_eq!(call.request.system_prompt.as_deref(), Some("be brief"));
    call.done().await;
    running.end_of("r2").await;
}

#[tokio::test]
async fn a_model_is_told_the_files_of_its_agent_from_the_turn_after_they_were_written() {
    let mut bench = Bench::new().await;
    let files = Workspaces::new(bench.workspaces());
    let mut running = bench.run(r#"{"agents":{"defaults":{"systemPrompt":"be brief"}}}"#);
    let main = AgentId::main();

    running.engine.submit(message("r1", "one")).await.unwrap();
    let call = bench.call().await;
    assert_eq!(call.request.system_prompt.as_deref(), Some("be brief"));
    files
        .write(&main, workspace::Name::Soul, "be kind", None)
        .unwrap();
    call.done().await;
    running.end_of("r1").await;
    running.engine.submit(message("r2", "two")).await.unwrap();
    let call = bench.call().await;

    assert_eq!(
        call.request.system_prompt.as_deref(),
        Some("be brief\n\n# SOUL.md\n\nbe kind")
    );
    call.done().await;
    running.end_of("r2").await;
}

#[tokio::test]
async fn a_model_is_told_to_think_as_hard_as_the_nearest_says() {
    let mut bench = Bench::new().await;
    let mut gateway = bench.run(r#"{"agents":{"defaults":{"thinkingDefault":"low"}}}"#);
    for (run, of_session, said, told) in [
        ("r1", None, None, "low"),
        ("r2", None, Some("high"), "high"),
        ("r3", Some("medium"), None, "medium"),
        ("r4", Some("medium"), Some("high"), "high"),
    ] {
        if let Some(level) = of_session {
            let patch = SessionPatch {
                thinking_level: Some(Some(Level::known(level))),
                ..SessionPatch::default()
            };
            let sessions = &bench.stores.sessions;
            sessions
                .patch(&key("main"), patch, Timestamp::EPOCH)
                .await
                .unwrap();
        }
        let message = Admission {
            thinking: said.map(Level::known),
            ..message(run, "hi")
        };
        gateway.engine.submit(message).await.unwrap();

        let call = bench.call().await;

        assert_eq!(call.request.thinking_level.as_deref(), Some(told), "{run}");
        call.done().await;
        gateway.end_of(run).await;
    }
}

#[tokio::test]
async fn no_more_turns_run_than_are_allowed() {
    let mut bench = Bench::new().await;
    let mut running = bench.run(r#"{"agents":{"defaults":{"maxConcurrent":2}}}"#);
    for n in 0..4 {
        let message = Admission {
            key: key(&format!("s{n}")),
            ..message(&format!("r{n}"), "hi")
        };
        running.engine.submit(message).await.unwrap();
    }
    let (first, second) = (bench.call().await, bench.call().await);
    time::sleep(Duration::from_millis(50)).await;
    assert!(bench.calls.try_recv().is_err());

    first.done().await;
    bench.call().await.done().await;
    second.done().await;
    bench.call().await.done().await;
    until("all turns to end", async || {
        state(&bench, "r3").await.is_terminal()
    })
    .await;
    running.rest();
}

#[tokio::test]
async fn an_end_that_is_stored_is_said_before_somebody_who_waits_is_answered() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    running.engine.submit(message("r1", "hi")).await.unwrap();
    bench.call().await.done().await;
    running.end_of("r1").await;

    // As it is kept from the commit of an end until that is said.
    let place = running.engine.order.of(&key("main")).await;
    let run = RunId::new("r1");
    let mut waiting = Box::pin(running.engine.wait(&run, PATIENCE));
    assert!(
        time::timeout(Duration::from_millis(100), &mut waiting)
            .await
            .is_err(),
        "it is answered before the end is said"
    );
    drop(place);

    let turn = within("the answer", waiting).await.unwrap();
    assert_eq!(turn.state, TurnState::Done);
}

#[tokio::test]
async fn somebody_who_waits_hears_of_the_end() {
    let mut bench = Bench::new().await;
    let running = bench.run("{}");
    running.engine.submit(message("r1", "hi")).await.unwrap();
    let early = running
        .engine
        .wait(&RunId::new("r1"), Duration::from_millis(10))
        .await
        .unwrap();
    assert!(!early.state.is_terminal());

    let (engine, run) = (running.engine.clone(), RunId::new("r1"));
    let waiting = tokio::spawn(async move { engine.wait(&run, PATIENCE).await });
    bench.call().await.done().await;

    assert_eq!(
        within("the end", waiting).await.unwrap().unwrap().state,
        TurnState::Done
    );
    assert!(matches!(
        running.engine.wait(&RunId::new("r9"), PATIENCE).await,
        Err(Error::NoRun(_))
    ));
}

#[tokio::test]
async fn screens_are_told_that_a_model_is_asked_once_more_and_why() {
    use gatehouse_proto::agent::v1::{Retrying, run_turn_response::Event};
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    running.engine.submit(message("r1", "hi")).await.unwrap();
    let call = bench.call().await;
    let again = Retrying {
        attempt: 2,
        attempt_max: 3,
        message: "the model is overloaded".into(),
        ..Retrying::default()
    };
    call.event(Event::Retrying(again)).await;

    let told = running.see("why nothing comes", |seen| {
        seen.label() == "agent run_status retrying"
    });
    let Seen::Agent(event, _) = told.await else {
        panic!("it is told in detail")
    };
    let data: serde_json::Value = serde_json::from_str(&event.data).unwrap();
    assert_eq!(
        data,
        serde_json::json!({"phase": "retrying", "message": "the model is overloaded"})
    );
    assert!(running.labels().contains(&"agent lifecycle retry".to_owned()));
    call.done().await;
    running.end_of("r1").await;
}

#[tokio::test]
async fn thinking_is_shown_and_not_kept() {
    use gatehouse_proto::agent::v1::{ThinkingDelta, run_turn_response::Event};
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    running.engine.submit(message("r1", "hi")).await.unwrap();
    let call = bench.call().await;
    call.event(Event::ThinkingDelta(ThinkingDelta { text: "hm".into() }))
        .await;
    call.text("yes").await;
    call.done().await;

    running.end_of("r1").await;

    assert!(running.labels().contains(&"agent thinking +".to_owned()));
    assert!(running.labels().contains(&"agent thinking =".to_owned()));
    assert_eq!(
        rows(&bench).await.get(1),
        Some(&(Role::Assistant, "yes".to_owned()))
    );
}
