//! Agents that look by themselves and find nothing: over six channels, with streaming and typing as they are, nobody sees a message or a sign
//! that somebody writes. What one of them does have to say is said once, and whole.

use std::time::Duration;

use futures::future::join_all;
use gatehouse_tests::{Gateway, model::Model, until};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    clock::{ask, rows},
    conversations::World,
};

/// Beats of each agent: a thousand of all six.
const BEATS: usize = 167;

/// How long nobody looks whether a beat is over: six who ask without a pause are more work than the beats.
const PACE: Duration = Duration::from_millis(50);

/// Each agent is called as the channel that it would tell, and a person there.
const CHATS: [(&str, &str); 6] = [
    ("telegram", "1006"),
    ("slack", "DU1"),
    ("discord", "12"),
    ("whatsapp", "4917000000003"),
    ("signal", "00000000-0000-4000-8000-000000000004"),
    ("webhook", "person5"),
];

/// Ways to say nothing, piece by piece.
const NOTHING: [&[&str]; 4] = [
    &["NO_", "REPLY"],
    &["HEARTBEAT_OK"],
    &["All is ", "quiet. ", "HEARTBEAT_", "OK"],
    &["**NO_REPLY", "**"],
];

fn config(world: &World, model: &Model) -> Value {
    let mut config = world.config();
    for channel in ["telegram", "slack", "discord"] {
        let channel = config["channels"][channel].as_object_mut();
        channel.expect("a channel").remove("streaming");
    }
    config["channels"]["webhook"]["accounts"]["test"]["typing"] = true.into();
    let mut agents = json!({"defaults": {"model": "slow/words"}, "entries": {"main": {"default": true}}});
    for (channel, to) in CHATS {
        let mut heartbeat = json!({"every": "24h", "target": channel, "to": to});
        if channel == "webhook" {
            heartbeat["accountId"] = "test".into();
        }
        agents["entries"][channel] = json!({"heartbeat": heartbeat});
    }
    config["agents"] = agents;
    model.config(&config)
}

/// How often somebody was shown that somebody writes. On the webhook it would be among the answers.
fn typing(world: &World) -> usize {
    world.telegram.calls("sendChatAction").len()
        + world.telegram.drafts().len()
        + world.slack.calls("assistant.threads.setStatus").len()
        + world.discord.calls("POST typing").len()
        + world.whatsapp.calls("typing").len()
        + world.signal.calls("sendTyping").len()
}

/// A beat by hand, to its end.
async fn beat(gateway: &Gateway, id: &str) {
    let begun = ask(gateway, "cron.run", json!({"id": id, "mode": "force"})).await;
    assert_eq!(begun["enqueued"], true, "{begun}");
    until("the end of a beat", async || {
        sleep(PACE).await;
        let told = ask(gateway, "cron.runs", json!({"runId": begun["runId"]})).await;
        let run = told["entries"].as_array().expect("entries").first()?.clone();
        assert_eq!(run["status"], "ok", "{run}");
        Some(())
    })
    .await;
}

#[tokio::test]
async fn agents_that_find_nothing_are_silent_in_every_chat() {
    let (world, model) = (World::start().await, Model::start(1, Duration::ZERO).await);
    let gateway = Gateway::start(&config(&world, &model)).await;
    world.connected().await;
    let jobs = until("their jobs", async || {
        let listed = ask(&gateway, "cron.list", json!({})).await;
        let jobs = listed["jobs"].as_array().expect("jobs").iter();
        let ids: Vec<String> = jobs
            .map(|job| job["id"].as_str().expect("its id").to_owned())
            .collect();
        (ids.len() == CHATS.len()).then_some(ids)
    })
    .await;

    model.says(&NOTHING);
    join_all(jobs.iter().map(async |id| {
        for _ in 0..BEATS {
            beat(&gateway, id).await;
        }
    }))
    .await;

    for id in &jobs {
        let rows = rows(&gateway, id).await;
        assert_eq!(rows.len(), BEATS);
        assert!(rows.iter().all(|(_, word)| word == "fired"), "{rows:?}");
    }
    assert_eq!(model.asked(), CHATS.len() * BEATS);
    assert_eq!(world.answers(), [], "nobody is told of nothing");
    assert_eq!(typing(&world), 0, "nor shown that somebody writes");

    model.says(&[&["The oven ", "burns!"]]);
    join_all(jobs.iter().map(async |id| beat(&gateway, id).await)).await;
    let mut told = until("all of them", async || {
        let told = world.answers();
        (told.len() >= CHATS.len()).then_some(told)
    })
    .await;
    told.sort();
    let chats = CHATS.iter().enumerate();
    let wanted: Vec<_> = chats
        .map(|(channel, (_, to))| ((channel, (*to).to_owned()), "The oven burns!".to_owned()))
        .collect();
    assert_eq!(told, wanted);
    assert_eq!(typing(&world), 0, "it is said when it is whole");
}
