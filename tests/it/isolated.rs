//! Accounts that are processes of their own: `channels.<channel>.isolate`.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use gatehouse_tests::{
    Client, Gateway,
    gateway::{is_alive, signal},
    irc::Person,
    model::Model,
    ngircd::Ngircd,
    platform::Platform,
    until,
    wait::until_within,
};
use serde_json::{Value, json};

use crate::{SCREEN, with_an_answer_each};

/// Words of the slow model's answer, and the pause before each: every kill hits an answer that is being written.
const WORDS: usize = 10;
const PAUSE: Duration = Duration::from_millis(100);
/// Long enough for the account to be back, with growing waits before each connection.
const SETTLE: Duration = Duration::from_secs(120);

/// The one process of an account, and not this one.
async fn account(gateway: &Gateway, not: Option<u32>) -> u32 {
    until_within(SETTLE, "the process of an account", async || {
        let all = gateway.accounts();
        all.into_iter().find(|pid| Some(*pid) != not && is_alive(*pid))
    })
    .await
}

/// What is known of the one account of a channel, once it is connected and in its rooms.
async fn connected(screen: &Client, channel: &str) -> Value {
    until_within(SETTLE, "a connection", async || {
        let status = screen.call("channels.status", json!({})).await.ok()?;
        let account = status["channelAccounts"][channel][0].clone();
        let mut rooms = account["rooms"].as_array().into_iter().flatten();
        let is_in = rooms.all(|room| room["state"] == "joined");
        (account["connected"] == true && is_in).then_some(account)
    })
    .await
}

#[tokio::test]
async fn an_account_in_a_room_that_is_killed_three_times_loses_nothing_and_says_nothing_twice() {
    let (ircd, model) = (Ngircd::start().await, Model::start(WORDS, PAUSE).await);
    let channels = json!({"irc": {
        "server": "127.0.0.1", "port": ircd.port(), "tls": false, "nick": "gate", "channels": ["#home"],
        "groupPolicy": "open", "groups": {"*": {"requireMention": true}}, "isolate": true,
        "rateLimit": {"burst": 100, "perSecond": 100},
    }});
    let gateway = Gateway::start(&model.config(&with_an_answer_each(&channels))).await;
    let screen = Client::plain(&gateway, SCREEN).await;
    let person = Person::connect(ircd.port(), "anna").await;
    person.join("#home").await;

    let mut process = None;
    for round in 0..4 {
        process = Some(account(&gateway, process).await);
        let shown = connected(&screen, "irc").await;
        assert_eq!(shown["isolated"], true, "{shown}");
        person.say("#home", &format!("gate: [m{round}]")).await;
        until("an answer that is being written", async || {
            (model.asked() > round).then_some(())
        })
        .await;
        if let Some(process) = process.filter(|_| round < 3) {
            signal(process, "KILL");
        }
        let begins = format!("[m{round}]");
        until_within(SETTLE, "the answer", async || {
            let mut said = person.said().into_iter();
            said.find(|said| said.from == "gate" && said.text.contains(&begins))
        })
        .await;
    }

    let said = person.said();
    for round in 0..4 {
        let asked = format!("[m{round}]");
        let times = said
            .iter()
            .filter(|said| said.from == "gate" && said.text.contains("w0 ") && said.text.contains(&asked));
        assert_eq!(times.count(), 1, "[m{round}] is answered once: {said:?}");
    }
    let listed = gateway.run(&["channels"]).await;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("connected, isolated"), "{listed}");
}

#[tokio::test]
async fn a_platform_that_calls_an_account_which_dies_again_and_again_gets_one_answer_to_each_message() {
    let platform = Platform::start().await;
    let mut channels = platform.config();
    channels["webhook"]["isolate"] = true.into();
    let gateway = Gateway::start(&with_an_answer_each(&channels)).await;

    let mut before = None;
    for number in 0..60 {
        if number % 20 == 10 {
            let process = account(&gateway, before).await;
            signal(process, "KILL");
            before = Some(process);
        }
        let (id, from) = (format!("m{number}"), format!("person{}", number % 7));
        until_within(SETTLE, "an acknowledgement", async || {
            let taken = platform.deliver(&gateway, &id, &from, &format!("[{id}]")).await;
            taken.then_some(())
        })
        .await;
    }

    // By the keys by which the platform knows a repeat. That many wait is told beside the answers.
    let answers = || {
        let mut answers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for reply in platform.replies() {
            let text = |name: &str| reply[name].as_str().unwrap_or_default().to_owned();
            let to = text("replyToId");
            if text("text").contains(&format!("[{to}]")) {
                answers.entry(to).or_default().insert(text("id"));
            }
        }
        answers
    };
    until_within(SETTLE, "an answer to each", async || {
        (answers().len() >= 60).then_some(())
    })
    .await;
    for (id, keys) in answers() {
        assert_eq!(keys.len(), 1, "{id} is answered once: {keys:?}");
    }
}

#[tokio::test]
async fn nothing_of_an_account_outlives_its_bridge() {
    let platform = Platform::start().await;
    let mut channels = platform.config();
    channels["webhook"]["isolate"] = true.into();
    let mut gateway = Gateway::start(&with_an_answer_each(&channels)).await;
    let first = account(&gateway, None).await;

    gateway.kill("channel-bridge").await;
    until("the end of what the killed bridge started", async || {
        (!is_alive(first)).then_some(())
    })
    .await;
    let second = account(&gateway, Some(first)).await;
    until_within(SETTLE, "an acknowledgement", async || {
        platform
            .deliver(&gateway, "m1", "anna", "hello")
            .await
            .then_some(())
    })
    .await;

    gateway.interrupt().await;
    until("the end of all", async || (!is_alive(second)).then_some(())).await;
}
