//! kill -9 of each process in turn, under load, with a checker outside the house that reconciles every message id.
//!
//! The number of rounds is small here and 200 in `make crash` (`GATEHOUSE_CRASH_ROUNDS`).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use gatehouse_tests::{Client, House, platform::Platform, until, wait::until_within};
use serde_json::json;
use uuid::Uuid;

use crate::{SCREEN, with_channels};

/// Every process a user would miss, in the order in which it is killed.
const VICTIMS: &[&str] = &[
    "session",
    "agent",
    "channel-bridge",
    "broadcast",
    "edge",
    "config",
];

/// Messages that wait for their answer at once. More would only measure how fast the outbox is allowed to be.
const IN_FLIGHT: usize = 25;

/// Long enough for every outbox to retry its last message after the last kill.
const SETTLE: Duration = Duration::from_secs(120);

fn rounds() -> usize {
    std::env::var_os("GATEHOUSE_CRASH_ROUNDS")
        .and_then(|rounds| rounds.to_str()?.parse().ok())
        .unwrap_or(VICTIMS.len())
}

#[tokio::test]
async fn no_acknowledged_message_is_lost_and_none_is_answered_twice() {
    let platform = Platform::start().await;
    let house = House::start(&with_channels(&platform.config())).await;
    let stop = AtomicBool::new(false);

    let (acknowledged, runs, ()) = tokio::join!(
        talk_on_the_platform(&platform, &house, &stop),
        talk_on_a_screen(&house, &stop),
        kill_in_turn(&platform, &house, &stop),
    );

    let answered = until_within(SETTLE, "every acknowledged message answered", async || {
        let answered = replies_by_message(&platform);
        acknowledged
            .iter()
            .all(|id| answered.contains_key(id))
            .then_some(answered)
    })
    .await;
    let doubled: Vec<_> = answered.iter().filter(|(_, runs)| runs.len() > 1).collect();
    assert!(doubled.is_empty(), "answered by two runs: {doubled:?}");
    terminal_once(&house, &runs).await;
    databases_are_whole(&house);
}

/// Kills one process after the other. Between two kills a message is answered: work goes on.
async fn kill_in_turn(platform: &Platform, house: &House, stop: &AtomicBool) {
    for round in 0..rounds() {
        let service = VICTIMS[round % VICTIMS.len()];
        let old = house.kill(service).await;
        until("the process back", async || {
            house.pid(service).filter(|pid| *pid != old)
        })
        .await;
        let replies = platform.replies().len();
        until_within(SETTLE, "a reply after the kill", async || {
            (platform.replies().len() > replies).then_some(())
        })
        .await;
    }
    stop.store(true, Ordering::Release);
}

/// Says one thing after the other, each until the house acknowledged it. Returns the ids it acknowledged.
async fn talk_on_the_platform(platform: &Platform, house: &House, stop: &AtomicBool) -> Vec<String> {
    let mut acknowledged = Vec::new();
    while !stop.load(Ordering::Acquire) {
        let id = format!("m{}", Uuid::new_v4().simple());
        let (from, text) = (format!("person{}", acknowledged.len() % 7), format!("[{id}]"));
        // A platform delivers again until it is told that the message arrived.
        until_within(SETTLE, "an acknowledgement", async || {
            platform.deliver(house, &id, &from, &text).await.then_some(())
        })
        .await;
        acknowledged.push(id);
        until_within(SETTLE, "fewer messages in flight", async || {
            (acknowledged.len() - replies_by_message(platform).len() < IN_FLIGHT).then_some(())
        })
        .await;
    }
    acknowledged
}

/// Says one thing after the other on a screen, coming back whenever the socket is cut. Returns the runs the house started.
async fn talk_on_a_screen(house: &House, stop: &AtomicBool) -> Vec<String> {
    let mut runs = Vec::new();
    while !stop.load(Ordering::Acquire) {
        let run = Uuid::new_v4().to_string();
        let message = json!({"sessionKey": format!("agent:main:screen-{}", runs.len() % 5), "message": "hello", "idempotencyKey": run});
        until_within(SETTLE, "a started run", async || {
            let client = Client::try_plain(house, SCREEN).await.ok()?;
            client.call("chat.send", message.clone()).await.ok()
        })
        .await;
        runs.push(run);
    }
    runs
}

/// The runs that answered each message, with words or with a notice that it was interrupted. The platform knows a repeated
/// part by its id, as the house says it should.
fn replies_by_message(platform: &Platform) -> BTreeMap<String, BTreeSet<String>> {
    let mut answered: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for reply in platform.replies() {
        let (message, delivery) = (reply["replyToId"].as_str(), reply["delivery"].as_str());
        let run = delivery
            .and_then(|delivery| delivery.rsplit_once('/'))
            .map(|(run, _)| run.to_owned());
        let message = message.expect("a reply names its message").to_owned();
        answered
            .entry(message)
            .or_default()
            .insert(run.expect("a reply names its run"));
    }
    answered
}

/// Every run that was started has ended, and its transcript holds one question and at most one answer for it.
async fn terminal_once(house: &House, runs: &[String]) {
    let client = until("a connection", async || {
        Client::try_plain(house, SCREEN).await.ok()
    })
    .await;
    for run in runs {
        until_within(SETTLE, "the end of a run", async || {
            let wait = client
                .call("agent.wait", json!({"runId": run, "timeoutMs": 1000}))
                .await
                .ok()?;
            (wait["status"] != "timeout").then_some(())
        })
        .await;
    }
    for session in 0..5 {
        let params = json!({"sessionKey": format!("agent:main:screen-{session}"), "limit": 1000});
        let history = client.call("chat.history", params).await.expect("a history");
        let mut rows: BTreeMap<(String, String), usize> = BTreeMap::new();
        for row in history["messages"].as_array().expect("rows") {
            let run = row["__openclaw"]["runId"].as_str().unwrap_or_default().to_owned();
            *rows.entry((run, row["role"].to_string())).or_default() += 1;
        }
        assert!(rows.values().all(|count| *count == 1), "a row twice: {rows:?}");
    }
}

fn databases_are_whole(house: &House) {
    for database in ["session/session.db", "channel-bridge/bridge.db"] {
        let connection = rusqlite::Connection::open(house.path(database)).expect(database);
        let verdict: String = connection
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .expect(database);
        assert_eq!(verdict, "ok", "{database}");
    }
}
