//! How a gateway ends while it answers: whoever waits for an answer gets it, or what there was of it and why there is no more.

use std::time::Duration;

use gatehouse_tests::{
    Client, Gateway,
    model::{self, Model},
    platform::Platform,
    until,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::SCREEN;

const WORDS: usize = 10;

/// A gateway with a slow model and a platform whose person has asked; a screen sees the first word of the answer.
async fn answering(pause: Duration, drain_seconds: u64) -> (Gateway, Model, Platform, Client) {
    let (model, platform) = (Model::start(WORDS, pause).await, Platform::start().await);
    let config = model.config(&json!({
        "channels": platform.config(), "gateway": {"drainSeconds": drain_seconds},
    }));
    let gateway = Gateway::start(&config).await;
    let screen = Client::plain(&gateway, SCREEN).await;
    assert!(platform.deliver(&gateway, "m1", "anna", "hello").await);
    screen.event("chat", |chat| chat["state"] == "delta").await;
    (gateway, model, platform, screen)
}

fn ends(screen: &Client) -> Vec<Value> {
    let ended = |chat: &Value| {
        ["final", "error", "aborted"]
            .iter()
            .any(|state| chat["state"] == *state)
    };
    screen.events("chat").into_iter().filter(ended).collect()
}

fn shown(screen: &Client) -> String {
    let mut text = String::new();
    for chat in screen
        .events("chat")
        .iter()
        .filter(|chat| chat["state"] == "delta")
    {
        if chat["replace"] == true {
            text.clear();
        }
        text.push_str(chat["deltaText"].as_str().unwrap_or_default());
    }
    text
}

fn texts(platform: &Platform) -> Vec<String> {
    let text = |reply: &Value| reply["text"].as_str().unwrap_or_default().to_owned();
    platform.replies().iter().map(text).collect()
}

#[tokio::test]
async fn an_answer_under_way_arrives_whole_on_the_screen_and_in_the_chat_before_the_gateway_ends() {
    let (mut gateway, _model, platform, screen) = answering(Duration::from_millis(150), 30).await;

    let code = gateway.interrupt().await;

    assert_eq!(code, Some(0));
    let whole = model::whole("hello", WORDS);
    until("the close", async || screen.close()).await;
    assert_eq!(screen.close().map(|(code, _)| code), Some(1012));
    let ends = ends(&screen);
    assert_eq!(ends.len(), 1, "{ends:?}");
    assert_eq!(ends[0]["state"], "final");
    assert_eq!(ends[0]["message"]["content"][0]["text"], whole);
    assert_eq!(texts(&platform), [whole], "the bridge sent what it was handed");
}

#[tokio::test]
async fn an_answer_that_takes_too_long_is_cut_with_its_text_and_the_reason() {
    let (mut gateway, _model, platform, screen) = answering(Duration::from_millis(700), 1).await;

    gateway.interrupt().await;

    until("the close", async || screen.close()).await;
    let ends = ends(&screen);
    assert_eq!(ends.len(), 1, "{ends:?}");
    assert_eq!(
        (&ends[0]["state"], &ends[0]["stopReason"]),
        (&json!("error"), &json!("restart"))
    );
    let shown = shown(&screen);
    let texts = texts(&platform);
    assert!(
        matches!(&*texts, [text] if text.starts_with(&format!("{}\n\n", shown.trim_end())) && text.contains("restart")),
        "{shown:?} was shown, and the chat was told {texts:?}"
    );
    let gateway = gateway.restart().await;
    let screen = Client::plain(&gateway, SCREEN).await;
    let sessions = screen.call("sessions.list", json!({})).await.expect("a list");
    let key = sessions["sessions"][0]["key"].clone();
    let history = screen
        .call("chat.history", json!({"sessionKey": key}))
        .await
        .expect("a history");
    let row = &history["messages"][1];
    assert_eq!(row["content"][0]["text"], shown, "{row}");
    assert!(
        row["content"][1]["text"]
            .as_str()
            .is_some_and(|notice| notice.contains("restart"))
    );
}

#[tokio::test]
async fn while_the_gateway_ends_nothing_new_is_taken_and_everything_can_be_read() {
    let (mut gateway, model, _platform, screen) = answering(Duration::from_millis(300), 30).await;
    let (code, ()) = tokio::join!(gateway.interrupt(), async {
        screen.event("shutdown", |_| true).await;
        let message =
            json!({"sessionKey": "main", "message": "more", "idempotencyKey": Uuid::new_v4().to_string()});
        let refused = screen.call("chat.send", message).await.expect_err("it ends");
        assert_eq!(
            (refused.code.as_str(), refused.retryable),
            ("UNAVAILABLE", true),
            "{refused:?}"
        );
        screen.call("sessions.list", json!({})).await.expect("a list");
    });

    assert_eq!((code, model.asked()), (Some(0), 1));
}

#[tokio::test]
async fn a_second_signal_ends_the_gateway_at_once() {
    let (mut gateway, _model, _platform, screen) = answering(Duration::from_secs(5), 300).await;
    gateway.signal("INT");
    screen.event("shutdown", |_| true).await;
    let pids = gateway.pids();

    let code = gateway.interrupt().await;

    assert_eq!(code, Some(0));
    assert!(pids.iter().all(|pid| !gatehouse_tests::gateway::is_alive(*pid)));
}

#[tokio::test]
async fn services_whose_supervisor_was_killed_wait_for_no_answer() {
    let (mut gateway, _model, _platform, _screen) = answering(Duration::from_secs(5), 300).await;
    let pids = gateway.pids();

    gateway.kill_supervisor().await;

    until("every process gone, long before the answer", async || {
        let gone = |pid: &u32| !gatehouse_tests::gateway::is_alive(*pid);
        pids.iter().all(gone).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_edge_that_ends_alone_lets_go_at_once_and_the_answer_goes_on() {
    let (gateway, _model, platform, screen) = answering(Duration::from_secs(1), 30).await;

    let old = gateway.ask_to_end("edge").await;

    until("the close", async || screen.close()).await;
    assert_eq!(screen.close().map(|(code, _)| code), Some(1012));
    until("another edge", async || {
        gateway.pid("edge").filter(|pid| *pid != old)
    })
    .await;
    assert!(texts(&platform).is_empty(), "nobody waited for the answer");
    let screen = until("a connection", async || {
        Client::try_plain(&gateway, SCREEN).await.ok()
    })
    .await;
    screen.event("chat", |chat| chat["state"] == "final").await;
}

#[tokio::test]
async fn a_session_service_that_ends_alone_lets_its_answers_end_and_signs_off() {
    let (gateway, model, platform, screen) = answering(Duration::from_millis(150), 30).await;

    let old = gateway.ask_to_end("session").await;

    let end = screen.event("chat", |chat| chat["state"] == "final").await;
    assert_eq!(end["message"]["content"][0]["text"], model::whole("hello", WORDS));
    until("another session service", async || {
        gateway.pid("session").filter(|pid| *pid != old)
    })
    .await;
    until("the reply", async || (!texts(&platform).is_empty()).then_some(())).await;
    until("one living instance in the roll-up", async || {
        let status = screen.call("status", json!({})).await.ok()?;
        let services = status["health"]["services"]
            .as_array()
            .or(status["services"].as_array())?;
        let sessions = services.iter().filter(|service| service["service"] == "session");
        (sessions.count() == 1).then_some(())
    })
    .await;
    assert_eq!((model.asked(), ends(&screen).len()), (1, 1));
}
