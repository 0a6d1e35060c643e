//! Discord through the whole gateway: a server of our own stands where Discord is.

use gatehouse_fakes::discord::{Discord, Seen, channel};
use gatehouse_tests::{Client, Gateway, until};
use serde_json::{Value, json};

use crate::{ALL, SCREEN, with_an_answer_each};

const ANNA: &str = "7";
const OFFICE: &str = "500";

/// Anybody may talk.
fn open(discord: &Discord) -> Value {
    json!({"discord": {"token": discord.token(), "apiRoot": discord.root(),
        "dmPolicy": "open", "allowFrom": ["*"], "groupPolicy": "open"}})
}

async fn answered(discord: &Discord, text: &str) -> Seen {
    until(&format!("an answer to {text:?}"), async || {
        discord.seen().into_iter().find(|seen| seen.text.contains(text))
    })
    .await
}

#[tokio::test]
async fn a_message_is_answered_where_it_was_said_and_a_killed_bridge_answers_it_once() {
    let discord = Discord::start().await;
    let gateway = Gateway::start(&with_an_answer_each(&open(&discord))).await;
    until("a session", async || {
        (!discord.identified().is_empty()).then_some(())
    })
    .await;

    discord.says(ANNA, "hello in private");
    let private = answered(&discord, "hello in private").await;
    discord.thread("600", OFFICE);
    let id = discord.number();
    discord.event(
        "MESSAGE_CREATE",
        channel("600", ANNA, &id, "<@4242> hello in a thread", json!({})),
    );
    let threaded = answered(&discord, "hello in a thread").await;
    assert_eq!(
        (private.channel.as_str(), threaded.channel.as_str()),
        ("17", "600")
    );

    for n in 0..4 {
        discord.says(ANNA, &format!("question number {n}."));
        if n % 2 == 0 {
            gateway.kill("channel-bridge").await;
        }
    }
    for n in 0..4 {
        answered(&discord, &format!("question number {n}.")).await;
    }
    discord.says(ANNA, "the last one");
    answered(&discord, "the last one").await;

    for n in 0..4 {
        let text = format!("question number {n}.");
        let seen = discord.seen();
        let said = seen.iter().filter(|seen| seen.text.contains(&text)).count();
        assert_eq!(said, 1, "{seen:?}");
    }
    assert_eq!(
        discord.identified().len(),
        1,
        "each process went on in the same session"
    );
}

#[tokio::test]
async fn a_server_its_roles_and_the_parents_of_threads_decide_which_agent_answers() {
    let discord = Discord::start().await;
    discord.thread("600", OFFICE);
    let bind = |agent: &str, mut when: Value| {
        when["channel"] = json!("discord");
        json!({"agentId": agent, "match": when})
    };
    let config = json!({
        "channels": open(&discord),
        "agents": {"entries": {"main": {"default": true}, "guild": {}, "roles": {}, "office": {}, "thread": {}}},
        "bindings": [
            bind("guild", json!({"guildId": "9000"})),
            bind("roles", json!({"guildId": "9000", "roles": ["boss"]})),
            bind("office", json!({"peer": {"kind": "channel", "id": OFFICE}})),
            bind("thread", json!({"peer": {"kind": "channel", "id": "601"}})),
        ],
    });
    discord.thread("601", OFFICE);
    let gateway = Gateway::start(&config).await;
    let screen = Client::plain(&gateway, SCREEN).await;
    until("a session", async || {
        (!discord.identified().is_empty()).then_some(())
    })
    .await;
    let boss = json!({"member": {"roles": ["member", "boss"]}});
    let member = json!({"member": {"roles": ["member"]}});

    for (place, more, wanted) in [
        ("800", &member, "guild"),
        ("801", &boss, "roles"),
        (OFFICE, &boss, "office"),
        ("600", &boss, "office"),
        ("601", &boss, "thread"),
    ] {
        let text = format!("<@4242> who answers in {place}?");
        let message = channel(place, ANNA, &discord.number(), &text, more.clone());
        discord.event("MESSAGE_CREATE", message);
        let seen = answered(&discord, &format!("who answers in {place}?")).await;
        assert_eq!(seen.channel, place);
        let key = format!("agent:{wanted}:discord:channel:{place}");
        let sessions = screen.call("sessions.list", json!({})).await.expect("a list");
        assert!(sessions.to_string().contains(&key), "{key}: {sessions}");
    }
    discord.says(ANNA, "and in private");
    answered(&discord, "and in private").await;
    let sessions = screen.call("sessions.list", json!({})).await.expect("a list");
    assert!(sessions.to_string().contains("\"agent:main:main\""), "{sessions}");
}

#[tokio::test]
async fn of_a_bot_that_is_gone_the_operator_is_told_and_its_token_is_nowhere() {
    let discord = Discord::start().await;
    let gateway = Gateway::start_logged(&with_an_answer_each(&open(&discord))).await;
    let operator = Client::plain(&gateway, ALL).await;
    until("a session", async || {
        (!discord.identified().is_empty()).then_some(())
    })
    .await;
    let token = discord.token();

    discord.revoke();

    let status = until("the failure", async || {
        let status = operator.call("channels.status", json!({})).await.ok()?;
        let account = status["channelAccounts"]["discord"][0].clone();
        (account["state"] == "failed").then_some(account)
    })
    .await;
    let error = status["lastError"].as_str().unwrap_or_default();
    assert!(error.contains("Reset Token"), "{status}");
    assert!(!status.to_string().contains(&token));
    assert!(!gateway.log().contains(&token), "the token is in the log");
}
