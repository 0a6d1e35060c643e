//! kill -9 of each process in turn, under load, with a checker outside the gateway that reconciles every message id.
//!
//! The number of rounds is small here and 200 in `make crash` (`GATEHOUSE_CRASH_ROUNDS`).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use gatehouse_tests::{
    Client, Gateway,
    model::{self, Model},
    platform::Platform,
    until,
    wait::until_within,
};
use serde_json::json;
use uuid::Uuid;

use crate::{SCREEN, with_an_answer_each};

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

/// Words of the slow model's answer, and the pause before each: an answer takes a second, so most kills hit some.
const WORDS: usize = 10;
const PAUSE: Duration = Duration::from_millis(100);

/// Kills of the test below, in turn of the two services whose death used to break off an answer. Each message is hit by one kill at
/// most: how often a text that people have read is replaced is bounded, and the bound has its own tests.
const BREAKING: &[&str] = &["session", "agent", "session", "agent"];

#[tokio::test]
async fn an_answer_that_a_kill_breaks_off_is_given_all_the_same_and_once() {
    let (platform, model) = (Platform::start().await, Model::start(WORDS, PAUSE).await);
    let gateway = Gateway::start(&model.config(&with_an_answer_each(&platform.config()))).await;
    let screen = Client::plain(&gateway, SCREEN).await;
    let mut asked = Vec::new();

    for victim in BREAKING {
        let mut asking = Vec::new();
        for person in 0..8 {
            let id = format!("m{}", Uuid::new_v4().simple());
            let from = format!("person{person}");
            until("an acknowledgement", async || {
                platform
                    .deliver(&gateway, &id, &from, &format!("[{id}]"))
                    .await
                    .then_some(())
            })
            .await;
            asking.push(id);
        }
        let before = ends(&screen).len();
        until("a text on the screen", async || {
            let runs: BTreeSet<String> = texts(&screen).into_keys().collect();
            (runs.len() > before).then_some(())
        })
        .await;
        gateway.kill(victim).await;
        until_within(SETTLE, "an answer to every message", async || {
            let answered = replies_by_message(&platform);
            asking.iter().all(|id| answered.contains_key(id)).then_some(())
        })
        .await;
        asked.extend(asking);
    }

    let replies = platform.replies();
    for id in &asked {
        let texts: Vec<_> = replies
            .iter()
            .filter(|reply| reply["replyToId"] == *id)
            .map(|reply| reply["text"].as_str().unwrap_or_default())
            .collect();
        let whole = model::whole(&format!("[{id}]"), WORDS);
        assert_eq!(texts, [whole.as_str()], "answered whole and once");
    }
    until("the end of every run", async || {
        (ends(&screen).len() >= asked.len()).then_some(())
    })
    .await;
    let ends = ends(&screen);
    assert!(
        ends.values().all(|count| *count == 1),
        "one terminal event: {ends:?}"
    );
    let whole = texts(&screen);
    for text in whole.values() {
        assert_eq!(
            text.matches("w0 ").count(),
            1,
            "the new text took the place of the old: {text:?}"
        );
    }
    databases_are_whole(&gateway);
}

/// Which process dies, and how many answers of the run that is steered have begun by then.
const STEERED: &[(&str, usize)] = &[("session", 1), ("session", 2), ("agent", 2)];

#[tokio::test]
async fn a_kill_around_the_taking_in_of_a_message_loses_no_answer_and_gives_none_twice() {
    let (platform, model) = (Platform::start().await, Model::start(WORDS, PAUSE).await);
    let channels = json!({"channels": platform.config()}); // and messages steer, as by default
    let gateway = Gateway::start(&model.config(&channels)).await;
    let screen = Client::plain(&gateway, SCREEN).await;
    let say = async |id: &str| {
        until("an acknowledgement", async || {
            platform
                .deliver(&gateway, id, "anna", &format!("[{id}]"))
                .await
                .then_some(())
        })
        .await;
    };
    let mut asked = Vec::new();

    for (round, (victim, begun)) in STEERED.iter().enumerate() {
        let begun_before = texts(&screen).len();
        let ids = ["a", "b"].map(|part| format!("{part}{round}"));
        say(&ids[0]).await;
        until("an answer on the screen", async || {
            (texts(&screen).len() > begun_before).then_some(())
        })
        .await;
        say(&ids[1]).await;
        until("the answers that are to have begun", async || {
            let texts = texts(&screen);
            let answers = texts.values().map(|text| text.matches("w0 ").count());
            (answers.sum::<usize>() >= asked.len() + begun).then_some(())
        })
        .await;
        gateway.kill(victim).await;
        asked.extend(ids);
        until_within(
            SETTLE,
            "every message answered and every reply sent",
            async || {
                let count = |database, query| rows(&gateway, database, query).len();
                let is_settled = count(SESSION, USER_ROWS) == asked.len()
                    && count(SESSION, OPEN_TURNS) == 0
                    && count(SESSION, WAITING_REPLIES) == 0
                    && count(BRIDGE, UNSENT) == 0;
                is_settled.then_some(())
            },
        )
        .await;
    }

    let said = rows(&gateway, SESSION, USER_ROWS);
    for id in &asked {
        let times = said.iter().filter(|row| row.contains(&format!("[{id}]"))).count();
        assert_eq!(times, 1, "{id} stands {times} times in the transcript");
    }
    let states = rows(&gateway, SESSION, "SELECT state FROM turns");
    assert_eq!(states, vec!["done"; asked.len()]);
    let steered = rows(&gateway, SESSION, MERGED).len();
    assert!(steered >= 2, "taken in before two of the kills: {steered}");
    let answers = rows(&gateway, SESSION, ANSWER_ROWS);
    assert_eq!(answers.len(), asked.len());
    let chat: String = platform
        .replies()
        .iter()
        .filter_map(|reply| reply["text"].as_str().map(str::to_owned))
        .collect();
    for id in &asked {
        let whole = model::whole(&format!("[{id}]"), WORDS);
        assert_eq!(
            chat.matches(&whole).count(),
            1,
            "{id} was answered otherwise: {chat}"
        );
    }
    until("the end of every run", async || {
        (ends(&screen).len() >= asked.len()).then_some(())
    })
    .await;
    assert!(ends(&screen).values().all(|count| *count == 1));
    databases_are_whole(&gateway);
}

const SESSION: &str = "session/session.db";
const BRIDGE: &str = "channel-bridge/bridge.db";
const USER_ROWS: &str = "SELECT content FROM entries WHERE role = 'user'";
const ANSWER_ROWS: &str = "SELECT content FROM entries WHERE role = 'assistant'";
const OPEN_TURNS: &str = "SELECT run FROM turns WHERE ended_at IS NULL";
const MERGED: &str = "SELECT run FROM turns WHERE merged_into IS NOT NULL";
const WAITING_REPLIES: &str = "SELECT key FROM deliveries WHERE state = 'waiting'";
const UNSENT: &str = "SELECT delivery_key FROM outbox WHERE state <> 'sent'";

fn rows(gateway: &Gateway, database: &str, query: &str) -> Vec<String> {
    let connection = rusqlite::Connection::open(gateway.path(database)).expect(database);
    let mut statement = connection.prepare(query).expect(query);
    let rows = statement.query_map([], |row| row.get(0)).expect(query);
    rows.collect::<Result<_, _>>().expect(query)
}

/// The text that stands on a screen for each run.
fn texts(screen: &Client) -> BTreeMap<String, String> {
    let mut texts: BTreeMap<String, String> = BTreeMap::new();
    for chat in screen
        .events("chat")
        .iter()
        .filter(|chat| chat["state"] == "delta")
    {
        let text = texts
            .entry(chat["runId"].as_str().unwrap_or_default().to_owned())
            .or_default();
        if chat["replace"] == true {
            text.clear();
        }
        text.push_str(chat["deltaText"].as_str().unwrap_or_default());
    }
    texts
}

/// How often the end of each run was said.
fn ends(screen: &Client) -> BTreeMap<String, usize> {
    let mut ends = BTreeMap::new();
    for chat in screen.events("chat") {
        if ["final", "error", "aborted"]
            .iter()
            .any(|state| chat["state"] == *state)
        {
            *ends
                .entry(chat["runId"].as_str().unwrap_or_default().to_owned())
                .or_default() += 1;
        }
    }
    ends
}

#[tokio::test]
async fn no_acknowledged_message_is_lost_and_none_is_answered_twice() {
    let platform = Platform::start().await;
    let gateway = Gateway::start(&with_an_answer_each(&platform.config())).await;
    let stop = AtomicBool::new(false);

    let (acknowledged, runs, ()) = tokio::join!(
        talk_on_the_platform(&platform, &gateway, &stop),
        talk_on_a_screen(&gateway, &stop),
        kill_in_turn(&platform, &gateway, &stop),
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
    terminal_once(&gateway, &runs).await;
    databases_are_whole(&gateway);
}

/// Kills one process after the other. Between two kills a message is answered: work goes on.
async fn kill_in_turn(platform: &Platform, gateway: &Gateway, stop: &AtomicBool) {
    for round in 0..rounds() {
        let service = VICTIMS[round % VICTIMS.len()];
        let old = gateway.kill(service).await;
        until("the process back", async || {
            gateway.pid(service).filter(|pid| *pid != old)
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

/// Says one thing after the other, each until the gateway acknowledged it. Returns the ids it acknowledged.
async fn talk_on_the_platform(platform: &Platform, gateway: &Gateway, stop: &AtomicBool) -> Vec<String> {
    let mut acknowledged = Vec::new();
    while !stop.load(Ordering::Acquire) {
        let id = format!("m{}", Uuid::new_v4().simple());
        let (from, text) = (format!("person{}", acknowledged.len() % 7), format!("[{id}]"));
        // A platform delivers again until it is told that the message arrived.
        until_within(SETTLE, "an acknowledgement", async || {
            platform.deliver(gateway, &id, &from, &text).await.then_some(())
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

/// Says one thing after the other on a screen, coming back whenever the socket is cut. Returns the runs the gateway started.
async fn talk_on_a_screen(gateway: &Gateway, stop: &AtomicBool) -> Vec<String> {
    let mut runs = Vec::new();
    while !stop.load(Ordering::Acquire) {
        let run = Uuid::new_v4().to_string();
        let message = json!({"sessionKey": format!("agent:main:screen-{}", runs.len() % 5), "message": "hello", "idempotencyKey": run});
        until_within(SETTLE, "a started run", async || {
            let client = Client::try_plain(gateway, SCREEN).await.ok()?;
            client.call("chat.send", message.clone()).await.ok()
        })
        .await;
        runs.push(run);
    }
    runs
}

/// The runs that answered each message, with words or with a notice that it was interrupted. The platform knows a repeated
/// part by its id, as the gateway says it should.
fn replies_by_message(platform: &Platform) -> BTreeMap<String, BTreeSet<String>> {
    let mut answered: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for reply in platform.replies() {
        let (message, delivery) = (reply["replyToId"].as_str(), reply["delivery"].as_str());
        if delivery.is_some_and(|delivery| delivery.starts_with("full/")) {
            continue; // no answer: the conversation has no room at this moment, and the message is kept
        }
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
async fn terminal_once(gateway: &Gateway, runs: &[String]) {
    let client = until("a connection", async || {
        Client::try_plain(gateway, SCREEN).await.ok()
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

fn databases_are_whole(gateway: &Gateway) {
    for database in [SESSION, BRIDGE] {
        let connection = rusqlite::Connection::open(gateway.path(database)).expect(database);
        let verdict: String = connection
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .expect(database);
        assert_eq!(verdict, "ok", "{database}");
    }
}
