//! Which agent answers, from what a platform says of a chat to the session that the answer stands in.

mod platforms;

use gatehouse_tests::{Client, Gateway, platform::Platform};
use serde_json::{Value, json};

use crate::SCREEN;

/// An agent for each tier in which a binding can hold, the most specific first, what it is bound to, and a chat in which
/// nothing more specific holds. Each message also says what the tiers behind its own would match.
fn tiers() -> [(&'static str, Value, Value); 8] {
    let own = "test";
    let everything = |chat: Value| {
        let mut whole = json!({"guildId": "guild", "teamId": "team"});
        let more = chat.as_object().expect("an object").clone();
        whole.as_object_mut().expect("an object").extend(more);
        whole
    };
    let forum = json!({"kind": "channel", "id": "forum"});
    [
        (
            "peer",
            json!({"accountId": own, "peer": {"kind": "channel", "id": "thread"}}),
            everything(json!({"kind": "channel", "id": "thread", "parent": forum})),
        ),
        (
            "parent",
            json!({"accountId": own, "peer": forum}),
            everything(json!({"kind": "channel", "id": "another thread", "parent": forum})),
        ),
        (
            "anywhere",
            json!({"accountId": own, "peer": {"kind": "channel", "id": "*"}}),
            everything(json!({"kind": "channel", "id": "a room"})),
        ),
        (
            "roles",
            json!({"accountId": own, "guildId": "guild", "roles": ["admin"]}),
            everything(json!({"kind": "direct", "id": "with a role"})),
        ),
        (
            "guild",
            json!({"accountId": own, "guildId": "guild"}),
            everything(json!({"kind": "direct", "id": "without a role"})),
        ),
        (
            "team",
            json!({"accountId": own, "teamId": "team"}),
            json!({"kind": "direct", "id": "in the team", "teamId": "team"}),
        ),
        (
            "account",
            json!({"accountId": own}),
            json!({"kind": "direct", "id": "anybody"}),
        ),
        (
            "channel",
            json!({"accountId": "*"}),
            json!({"kind": "direct", "id": "of another account"}),
        ),
    ]
}

/// The agent whose session the answer to this message stands in.
async fn answered_by(
    screen: &Client,
    platform: &Platform,
    gateway: &Gateway,
    id: &str,
    chat: &Value,
) -> String {
    let roles = if chat["id"] == "without a role" {
        json!(["member"])
    } else {
        json!(["member", "admin"])
    };
    let account = if chat["id"] == "of another account" {
        "other"
    } else {
        "test"
    };
    let message = json!({"id": id, "from": {"id": "anna", "roles": roles}, "text": format!("<{id}>"), "mentioned": true, "chat": chat});

    let status = platform.post_message(gateway, account, &message).await;

    assert!(status.is_ok_and(|status| status.is_success()), "{id}");
    let end = screen
        .event("chat", |chat| {
            chat["state"] == "final" && chat["message"].to_string().contains(&format!("<{id}>"))
        })
        .await;
    let session = end["sessionKey"].as_str().unwrap_or_default();
    let agent = session.split(':').nth(1);
    agent.unwrap_or_default().to_owned()
}

#[tokio::test]
async fn what_a_platform_says_of_a_chat_decides_which_agent_answers_in_each_of_the_nine_tiers() {
    let platform = Platform::start().await;
    let mut channels = platform.config();
    let accounts = &mut channels["webhook"]["accounts"];
    accounts["other"] = accounts["test"].clone();
    let tiers = tiers();
    let agents: Value = tiers
        .iter()
        .map(|(agent, ..)| ((*agent).to_owned(), json!({})))
        .chain([("main".to_owned(), json!({"default": true}))])
        .collect();
    // The most specific ones last: it is not their order that decides.
    let bindings: Vec<Value> = tiers
        .iter()
        .rev()
        .map(|(agent, when, _)| {
            let mut when = when.clone();
            when["channel"] = json!("webhook");
            json!({"agentId": agent, "match": when})
        })
        .collect();
    let config = |bindings: Vec<Value>| json!({"channels": channels, "agents": {"entries": agents}, "bindings": bindings});

    let gateway = Gateway::start(&config(bindings)).await;
    let screen = Client::plain(&gateway, SCREEN).await;
    for (agent, _, chat) in &tiers {
        assert_eq!(
            answered_by(&screen, &platform, &gateway, agent, chat).await,
            *agent
        );
    }

    let unbound = Gateway::start(&config(Vec::new())).await;
    let screen = Client::plain(&unbound, SCREEN).await;
    let (_, _, chat) = &tiers[0];
    assert_eq!(
        answered_by(&screen, &platform, &unbound, "default", chat).await,
        "main"
    );
}
