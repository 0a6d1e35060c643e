//! The same tiers as platforms themselves say them: servers, roles and threads of Discord, workspaces of Slack, groups and topics of
//! Telegram.

use gatehouse_fakes::{
    discord::{self, Discord},
    slack::{self, Workspace},
    telegram::{self, BotApi},
};
use gatehouse_tests::{Client, Gateway, bindings::bound, until};
use serde_json::{Value, json};

use crate::SCREEN;

/// A channel of Discord that has threads.
const OFFICE: &str = "500";
/// A group of Telegram with topics, and another one.
const FAMILY: i64 = -100_123;
const NEIGHBOURS: i64 = -100_456;
/// A workspace of Slack whose people are guests in ours.
const PARTNER: &str = "T2";

/// One of each, and a second bot of Telegram's.
struct World {
    discord: Discord,
    workspace: Workspace,
    home: BotApi,
    club: BotApi,
}

impl World {
    async fn start() -> Self {
        let (discord, workspace, home, club) = tokio::join!(
            Discord::start(),
            Workspace::start(),
            BotApi::start(),
            BotApi::start()
        );
        discord.thread("600", OFFICE);
        discord.thread("601", OFFICE);
        Self {
            discord,
            workspace,
            home,
            club,
        }
    }

    /// Anybody may talk.
    fn channels(&self) -> Value {
        let telegram = |api: &BotApi| json!({"botToken": api.token(), "apiRoot": api.root()});
        let mut channels = json!({
            "discord": {"token": self.discord.token(), "apiRoot": self.discord.root()},
            "slack": {"botToken": self.workspace.bot_token(), "appToken": self.workspace.app_token(),
                "apiRoot": self.workspace.root()},
            "telegram": {"accounts": {"home": telegram(&self.home), "club": telegram(&self.club)}},
        });
        for channel in channels.as_object_mut().expect("an object").values_mut() {
            channel["dmPolicy"] = json!("open");
            channel["allowFrom"] = json!(["*"]);
            channel["groupPolicy"] = json!("open");
        }
        channels
    }

    /// In a channel or thread of the server.
    fn in_discord(&self, channel: &str, roles: &[&str], words: &str) {
        let member = json!({"member": {"nick": "Anna", "roles": roles}});
        let text = format!("<@{}> {words}", discord::BOT);
        let message = discord::channel(channel, "7", &self.discord.number(), &text, member);
        self.discord.event("MESSAGE_CREATE", message);
    }

    /// In a channel of the workspace, by somebody of this one.
    fn in_slack(&self, team: &str, words: &str) {
        let text = format!("<@{}> {words}", slack::BOT);
        let of_team = json!({"team": team});
        let message = slack::channel("COFFICE", "UANNA", &self.workspace.ts(), &text, of_team);
        self.workspace.event(message);
    }

    fn in_group(&self, group: i64, topic: Option<i64>, words: &str) {
        let mut more =
            json!({"entities": [{"type": "mention", "offset": 0, "length": telegram::NAME.len() + 1}]});
        if let Some(topic) = topic {
            more["message_thread_id"] = json!(topic);
            more["is_topic_message"] = json!(true);
        }
        let text = format!("@{} {words}", telegram::NAME);
        let message = telegram::group(group, 7, self.home.next_message(), &text, more);
        self.home.update("message", message);
    }
}

/// Agents and what each is bound to, the more specific ones of a platform first.
fn bindings() -> Vec<(&'static str, Value)> {
    let discord = |mut when: Value| {
        when["channel"] = json!("discord");
        when
    };
    let home = |mut when: Value| {
        when["channel"] = json!("telegram");
        when["accountId"] = json!("home");
        when
    };
    let server = discord::GUILD;
    vec![
        (
            "thread",
            discord(json!({"peer": {"kind": "channel", "id": "600"}})),
        ),
        (
            "office",
            discord(json!({"peer": {"kind": "channel", "id": OFFICE}})),
        ),
        ("admins", discord(json!({"guildId": server, "roles": ["admin"]}))),
        ("server", discord(json!({"guildId": server}))),
        ("partner", json!({"channel": "slack", "teamId": PARTNER})),
        ("work", json!({"channel": "slack", "teamId": slack::TEAM})),
        (
            "topic",
            home(json!({"peer": {"kind": "group", "id": format!("{FAMILY}:topic:42")}})),
        ),
        (
            "family",
            home(json!({"peer": {"kind": "group", "id": FAMILY.to_string()}})),
        ),
        ("groups", home(json!({"peer": {"kind": "group", "id": "*"}}))),
        ("home", home(json!({}))),
        ("telegram", json!({"channel": "telegram", "accountId": "*"})),
    ]
}

/// Waits for the answer to these words, and for nothing else: whose session it stands in says who answered.
async fn answers(screen: &Client, agent: &str, words: &str) {
    let end = screen
        .event("chat", |chat| {
            chat["state"] == "final" && chat["message"].to_string().contains(words)
        })
        .await;
    let session = end["sessionKey"].as_str().unwrap_or_default();
    assert_eq!(session.split(':').nth(1), Some(agent), "{words}: {session}");
}

#[tokio::test]
async fn servers_roles_threads_workspaces_and_topics_decide_which_agent_answers_in_each_of_the_nine_tiers() {
    let world = World::start().await;
    let (agents, rules) = bound(&bindings());
    let config = json!({"channels": world.channels(), "agents": {"entries": agents}, "bindings": rules});
    let gateway = Gateway::start(&config).await;
    let screen = Client::plain(&gateway, SCREEN).await;
    // The others keep what is said until somebody listens.
    until("a session with Discord", async || {
        (!world.discord.identified().is_empty()).then_some(())
    })
    .await;

    world.in_discord("600", &["admin"], "in a thread of its own");
    answers(&screen, "thread", "in a thread of its own").await;
    world.in_discord("601", &["admin"], "in another thread of the office");
    answers(&screen, "office", "in another thread of the office").await;
    world.in_discord("502", &["guest", "admin"], "with the role");
    answers(&screen, "admins", "with the role").await;
    world.in_discord("503", &["guest"], "without a role that counts");
    answers(&screen, "server", "without a role that counts").await;
    world.discord.says("7", "outside of the server");
    answers(&screen, "main", "outside of the server").await;

    world.in_slack(slack::TEAM, "from our workspace");
    answers(&screen, "work", "from our workspace").await;
    world.in_slack(PARTNER, "from a guest of the partner");
    answers(&screen, "partner", "from a guest of the partner").await;

    world.in_group(FAMILY, Some(42), "in a topic of its own");
    answers(&screen, "topic", "in a topic of its own").await;
    world.in_group(FAMILY, Some(43), "in another topic");
    answers(&screen, "family", "in another topic").await;
    world.in_group(FAMILY, None, "in no topic");
    answers(&screen, "family", "in no topic").await;
    world.in_group(NEIGHBOURS, Some(42), "in another group");
    answers(&screen, "groups", "in another group").await;
    world.home.says(7, "to the first bot");
    answers(&screen, "home", "to the first bot").await;
    world.club.says(7, "to the second bot");
    answers(&screen, "telegram", "to the second bot").await;
}
