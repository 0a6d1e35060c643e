//! One message from a chat room through every service to every screen and back.

use futures::future::join_all;
use gatehouse_tests::{Client, Gateway, irc::Person, ngircd::Ngircd, platform::Platform, until};
use serde_json::json;

use crate::{SCREEN, with_an_answer_each, with_channels};

const SCREENS: usize = 50;

#[tokio::test]
async fn a_message_in_a_room_is_answered_on_every_screen_and_in_the_room() {
    let ircd = Ngircd::start().await;
    let gateway = Gateway::start(&with_channels(&json!({"irc": {
        "enabled": true, "server": "127.0.0.1", "port": ircd.port(), "tls": false, "nick": "gate", "channels": ["#home"],
        "groupPolicy": "open", "groups": {"*": {"requireMention": true}},
    }})))
    .await;
    let screens: Vec<Client> = join_all((0..SCREENS).map(|_| Client::plain(&gateway, SCREEN))).await;
    let person = Person::connect(ircd.port(), "anna").await;
    person.join("#home").await;
    person.sees("#home", "gate").await;

    person.say("#home", "gate: what is for dinner").await;

    let reply = person
        .hears("the reply in the room", |said| {
            said.from == "gate" && said.to == "#home"
        })
        .await;
    assert!(
        reply.text.contains("what is for dinner"),
        "the echo agent repeats what was said: {reply:?}"
    );
    for screen in &screens {
        let end = screen.event("chat", |chat| chat["state"] == "final").await;
        let run = &end["runId"];
        let whole = end["message"]["content"][0]["text"].as_str().expect("a text");
        let deltas: String = screen
            .events("chat")
            .iter()
            .filter(|chat| chat["runId"] == *run && chat["state"] == "delta")
            .map(|chat| chat["deltaText"].as_str().expect("an increment").to_owned())
            .collect();
        assert_eq!(deltas, whole, "every screen saw every word once");
        assert!(
            end["sessionKey"]
                .as_str()
                .is_some_and(|key| key.contains(":irc:")),
            "routed to the room's session"
        );
    }
}

#[tokio::test]
async fn a_room_without_a_mention_is_left_alone() {
    let ircd = Ngircd::start().await;
    let gateway = Gateway::start(&with_channels(&json!({"irc": {
        "enabled": true, "server": "127.0.0.1", "port": ircd.port(), "tls": false, "nick": "gate", "channels": ["#home"],
        "groupPolicy": "open", "groups": {"*": {"requireMention": true}},
    }})))
    .await;
    let screen = Client::plain(&gateway, SCREEN).await;
    let person = Person::connect(ircd.port(), "anna").await;
    person.join("#home").await;
    person.sees("#home", "gate").await;

    person.say("#home", "nobody in particular").await;
    person.say("#home", "gate: you there").await;

    let reply = person.hears("the reply", |said| said.from == "gate").await;
    assert!(
        reply.text.contains("you there"),
        "only the mention was answered: {reply:?}"
    );
    screen.event("chat", |chat| chat["state"] == "final").await;
    let ends = screen
        .events("chat")
        .iter()
        .filter(|chat| chat["state"] == "final")
        .count();
    assert_eq!(ends, 1);
}

#[tokio::test]
async fn a_stranger_is_let_in_by_the_code_and_not_before() {
    let ircd = Ngircd::start().await;
    let gateway = Gateway::start(&with_channels(&json!({"irc": {
        "enabled": true, "server": "127.0.0.1", "port": ircd.port(), "tls": false, "nick": "gate", "channels": ["#home"],
        "dmPolicy": "pairing",
    }})))
    .await;
    let operator = Client::plain(&gateway, &["operator.admin", "operator.pairing", "operator.read"]).await;
    let stranger = Person::connect(ircd.port(), "stranger").await;
    stranger.join("#home").await;
    stranger.sees("#home", "gate").await;

    stranger.say("gate", "hello").await;
    stranger.hears("a code", |said| said.from == "gate").await;
    let waiting = until("the request", async || {
        let list = operator
            .call("channels.pairing.list", json!({}))
            .await
            .expect("a list");
        list["requests"]
            .as_array()
            .and_then(|requests| requests.first().cloned())
    })
    .await;
    let approved = operator
        .call(
            "channels.pairing.approve",
            json!({"channel": "irc", "accountId": waiting["accountId"], "requestId": waiting["requestId"]}),
        )
        .await;
    assert!(approved.is_ok(), "{approved:?}");
    stranger.say("gate", "and now").await;

    let reply = stranger
        .hears("an answer", |said| {
            said.from == "gate" && said.text.contains("and now")
        })
        .await;
    assert_eq!(reply.to, "stranger", "a private question is answered in private");
    assert!(
        !stranger.said().iter().any(|said| said.text.contains("hello")),
        "what was said before was not processed"
    );
}

#[tokio::test]
async fn a_platform_message_makes_one_turn_and_a_redelivery_none() {
    let platform = Platform::start().await;
    let gateway = Gateway::start(&with_an_answer_each(&platform.config())).await;

    for _ in 0..5 {
        assert!(platform.deliver(&gateway, "message-1", "anna", "only once").await);
    }
    assert!(
        platform
            .deliver(&gateway, "message-2", "anna", "the second")
            .await
    );

    until("the second reply", async || {
        platform
            .replies()
            .iter()
            .find(|r| r.to_string().contains("the second"))
            .cloned()
    })
    .await;
    assert_eq!(platform.replies_by_chat().get("anna"), Some(&2));
}
