//! Teams through the whole gateway: what is said in teams, channels, threads, groups and chats of two reaches the agent that is bound to it, and
//! is answered where it was asked.

use std::fs;

use gatehouse_tests::{Client, Gateway, bindings::bound, until};
use serde_json::{Value, json};

use crate::{
    gateway::{Plugin, bot, loopback},
    microsoft::TENANT,
};

/// A channel, and a thread of it, in the team of the company.
const CHANNEL: &str = "19:kitchen@thread.tacv2";
const TEAM: &str = "19:company@thread.tacv2";
const GROUP: &str = "19:family@thread.v2";

/// Agents and what each is bound to, the more specific ones first.
fn bindings() -> Vec<(&'static str, Value)> {
    let mut bindings = vec![
        ("person", json!({"peer": {"kind": "direct", "id": "3f1c"}})),
        ("kitchen", json!({"peer": {"kind": "channel", "id": CHANNEL}})),
        ("family", json!({"peer": {"kind": "group", "id": GROUP}})),
        ("company", json!({"teamId": TEAM})),
        ("teams", json!({"accountId": "*"})),
    ];
    for (_, when) in &mut bindings {
        when["channel"] = json!("msteams");
    }
    bindings
}

fn config(endpoint: &str) -> Value {
    let mut account = bot();
    account["dmPolicy"] = json!("open");
    account["allowFrom"] = json!(["*"]);
    account["groupPolicy"] = json!("open");
    let (agents, rules) = bound(&bindings());
    json!({
        "plugins": {"entries": {"msteams": {"endpoint": endpoint, "channels": ["msteams"]}}},
        "channels": {"msteams": account}, "agents": {"entries": agents}, "bindings": rules,
    })
}

/// A gateway and the plugin that it reaches.
async fn together() -> (Gateway, Plugin) {
    let listener = loopback().await;
    let endpoint = listener.local_addr().expect("an address").to_string();
    let gateway = Gateway::start(&config(&endpoint)).await;
    let token = until("the plugin's credential", async || {
        fs::read_to_string(gateway.path("config/plugins/msteams.token")).ok()
    })
    .await;
    let plugin = Plugin::of(listener, token.trim()).await;
    connected(&gateway).await;
    (gateway, plugin)
}

/// Waits until the gateway has the plugin's account.
async fn connected(gateway: &Gateway) {
    let screen = Client::plain(gateway, &["operator.read"]).await;
    until("an account that is connected", async || {
        let status = screen.call("channels.status", json!({})).await.ok()?;
        let account = &status["channelAccounts"]["msteams"][0];
        (account["state"] == "connected").then_some(())
    })
    .await;
}

/// Somebody says something to the bot in a conversation, and Teams is told that it was taken.
async fn says(plugin: &Plugin, number: usize, conversation: &Value, team: Option<&str>, words: &str) {
    let mut change = json!({
        "id": format!("17000000001{number:02}"), "conversation": conversation, "text": format!("<at>Gatehouse</at> {words}"),
        "entities": [{"type": "mention", "text": "<at>Gatehouse</at>", "mentioned": {"id": "28:bot", "name": "Gatehouse"}}],
    });
    if let Some(team) = team {
        change["channelData"] = json!({"team": {"id": team}, "channel": {"id": conversation["id"]}});
    }
    let answer = plugin.deliver(&plugin.activity(&change)).await;
    assert_eq!(answer.status(), 200, "{words}");
}

#[tokio::test]
async fn teams_channels_threads_and_groups_decide_which_agent_answers_and_it_answers_where_it_was_asked() {
    let (gateway, plugin) = together().await;
    let screen = Client::plain(&gateway, &["operator.read"]).await;
    let of = |id: &str, kind: &str| json!({"id": id, "conversationType": kind, "tenantId": TENANT});
    let thread = format!("{CHANNEL};messageid=1690");
    let garden = "19:garden@thread.tacv2;messageid=1691";
    let asked = [
        ("person", of("a:1", "personal"), None, "in a chat of two"),
        (
            "kitchen",
            of(&thread, "channel"),
            Some(TEAM),
            "in a thread of the kitchen",
        ),
        (
            "company",
            of(garden, "channel"),
            Some(TEAM),
            "in another channel of the company",
        ),
        (
            "teams",
            of("19:x@thread.tacv2;messageid=1", "channel"),
            Some("19:other@thread.tacv2"),
            "in another team",
        ),
        ("family", of(GROUP, "groupChat"), None, "in a group"),
        (
            "teams",
            of("19:club@thread.v2", "groupChat"),
            None,
            "in another group",
        ),
    ];

    for (number, (agent, conversation, team, words)) in asked.iter().enumerate() {
        says(&plugin, number, conversation, *team, words).await;

        let end = screen
            .event("chat", |chat| {
                chat["state"] == "final" && chat["message"].to_string().contains(words)
            })
            .await;
        let session = end["sessionKey"].as_str().expect("a session");
        assert_eq!(session.split(':').nth(1), Some(*agent), "{words}: {session}");
        let place = format!("/{}/activities", conversation["id"].as_str().expect("an id"));
        until("the answer", async || {
            let calls = plugin.microsoft.teams.calls();
            let said = calls
                .iter()
                .find(|call| call.body["text"].to_string().contains(words) && call.body["type"] == "message");
            said.map(|said| {
                let path = said
                    .path
                    .replace("%3A", ":")
                    .replace("%40", "@")
                    .replace("%3B", ";")
                    .replace("%3D", "=");
                assert!(path.contains(&place), "{words}: {path}");
            })
        })
        .await;
    }
}

#[tokio::test]
async fn a_message_that_teams_posts_twice_is_answered_once_also_when_the_gateway_was_away_between() {
    let (gateway, plugin) = together().await;
    let conversation = json!({"id": "a:1", "conversationType": "personal", "tenantId": TENANT});
    let answers = |plugin: &Plugin, words: &str| {
        let calls = plugin.microsoft.teams.calls();
        let said = calls.iter().filter(|call| call.body["type"] == "message");
        said.filter(|call| call.body["text"].to_string().contains(words))
            .count()
    };
    says(&plugin, 1, &conversation, None, "once").await;
    until("the answer", async || {
        (answers(&plugin, "once") == 1).then_some(())
    })
    .await;

    says(&plugin, 1, &conversation, None, "once").await;
    let gateway = gateway.restart().await;
    connected(&gateway).await;
    says(&plugin, 1, &conversation, None, "once").await;
    says(&plugin, 2, &conversation, None, "the last word").await;

    until("the answer to the last one", async || {
        (answers(&plugin, "the last word") == 1).then_some(())
    })
    .await;
    assert_eq!(answers(&plugin, "once"), 1);
}
