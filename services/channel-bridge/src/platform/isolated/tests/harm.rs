//! What an account does to itself, its neighbours do not feel.

use std::sync::Arc;

use serde_json::json;

use super::{scene::Scene, trouble::spoken};
use crate::{account::State, adapter::contract::Platform as _, testing::until};

/// One account harms itself; another receives and answers meanwhile; and the first is back by itself, in another process.
async fn survives(harm: &str) -> Option<String> {
    let (harmed, neighbour) = (Scene::start().await, Scene::start().await);
    let before = harmed.pid();
    let (adapter, inbound) = (Arc::clone(&harmed.adapter), harmed.bench.inbound.clone());
    let request = spoken(harm, "");
    let hurt = tokio::spawn(async move { adapter.http(request, &inbound).await });

    for n in 0..20 {
        let id = n.to_string();
        neighbour.say(&neighbour.bench, &id, &format!("word {n}")).await;
        neighbour.bench.say(&id, "anna", &format!("answer {n}")).await;
    }
    neighbour.bench.settled().await;
    assert_eq!(neighbour.bench.heard.texts().len(), 20);
    assert_eq!(neighbour.heard().await.len(), 20);
    assert_eq!(neighbour.bench.progress.snapshot().state, State::Connected);

    // What is to be said meanwhile waits, and is said once.
    harmed.bench.say("late", "anna", "when you are back").await;
    harmed.another(before).await;
    until("what waited", async || {
        harmed
            .heard()
            .await
            .contains(&"when you are back".to_owned())
            .then_some(())
    })
    .await;
    harmed.bench.settled().await;
    assert_eq!(harmed.heard().await, ["when you are back"]);
    let answer = hurt.await.expect("an answer").expect("it calls us");
    assert_eq!(answer.status, 503, "whoever asked is told to try again");
    assert_eq!(harmed.post("/remember", &json!("well")).await, 200);
    let reason = harmed.bench.progress.snapshot().last_disconnect;
    neighbour_is_untouched(&neighbour);
    reason.map(|last| last.reason)
}

fn neighbour_is_untouched(neighbour: &Scene) {
    let snapshot = neighbour.bench.progress.snapshot();
    assert_eq!(snapshot.last_disconnect, None);
    assert_eq!(snapshot.reconnect_count, 0);
}

#[tokio::test]
async fn a_spin() {
    let why = survives("/spin").await.expect("a reason");
    assert!(why.contains("nothing was heard for"), "{why}");
}

#[tokio::test]
async fn an_allocation_storm() {
    let why = survives("/eat").await.expect("a reason");
    assert!(why.contains("more memory than one account may have"), "{why}");
}

#[tokio::test]
async fn an_abort() {
    let why = survives("/abort").await.expect("a reason");
    assert!(why.contains("its process was ended by signal 6"), "{why}");
}
