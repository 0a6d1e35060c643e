//! Telegram through the whole gateway: a server of our own stands where Telegram is.

use gatehouse_fakes::telegram::{BotApi, Fault, direct, group};
use gatehouse_tests::{Client, Gateway, until};
use serde_json::{Value, json};

use crate::{ALL, with_an_answer_each, with_channels};

const ANNA: i64 = 7;
const FAMILY: i64 = -100_123;

fn channel(api: &BotApi, more: Value) -> Value {
    let mut telegram = json!({"botToken": api.token(), "apiRoot": api.root()});
    if let (Some(keys), Value::Object(more)) = (telegram.as_object_mut(), more) {
        keys.extend(more);
    }
    json!({"telegram": telegram})
}

/// Anybody may talk.
fn open(api: &BotApi) -> Value {
    channel(
        api,
        json!({"dmPolicy": "open", "allowFrom": ["*"], "groupPolicy": "open"}),
    )
}

async fn answers(api: &BotApi, text: &str) -> usize {
    until(&format!("an answer to {text:?}"), async || {
        let count = api.seen().iter().filter(|seen| seen.text.contains(text)).count();
        (count > 0).then_some(count)
    })
    .await
}

#[tokio::test]
async fn a_message_is_answered_where_it_was_said_and_a_killed_bridge_answers_it_once() {
    let api = BotApi::start().await;
    let gateway = Gateway::start(&with_an_answer_each(&open(&api))).await;

    api.says(ANNA, "hello in private");
    answers(&api, "hello in private").await;
    let topic = json!({"message_thread_id": 42, "is_topic_message": true,
        "entities": [{"type": "mention", "offset": 0, "length": 8}]});
    api.update(
        "message",
        group(FAMILY, ANNA, 1, "@gatebot hello in a topic", topic),
    );
    api.update(
        "message",
        group(FAMILY, ANNA, 2, "nobody in particular", json!({})),
    );
    answers(&api, "hello in a topic").await;

    let seen = api.seen();
    assert_eq!(seen[0].chat, ANNA.to_string());
    assert_eq!((seen[1].chat.as_str(), seen[1].topic), ("-100123", Some(42)));

    // Killed with a message half taken: before it is acknowledged, and after it was committed.
    for n in 0..6 {
        api.says(ANNA, &format!("question number {n}."));
        if n % 2 == 0 {
            gateway.kill("channel-bridge").await;
        }
    }
    for n in 0..6 {
        answers(&api, &format!("question number {n}.")).await;
    }
    api.says(ANNA, "the last one");
    answers(&api, "the last one").await;

    for n in 0..6 {
        let text = format!("question number {n}.");
        let said: Vec<_> = api
            .seen()
            .into_iter()
            .filter(|seen| seen.text.contains(&text))
            .collect();
        let unlabelled = said.iter().filter(|seen| !seen.text.contains("(resent)")).count();
        assert_eq!(unlabelled, 1, "{said:?}");
    }
    assert!(
        !api.seen()
            .iter()
            .any(|seen| seen.text.contains("nobody in particular"))
    );
    assert_eq!(api.unread(), 0);
}

#[tokio::test]
async fn a_stranger_is_let_in_by_the_code_and_the_operator_sees_how_the_bot_is() {
    let api = BotApi::start().await;
    let gateway = Gateway::start_logged(&with_channels(&channel(&api, json!({})))).await;
    let operator = Client::plain(&gateway, ALL).await;

    api.says(ANNA, "may I come in");
    let told = until("the code", async || api.seen().first().cloned()).await;
    let code = told.text.split_whitespace().last().unwrap_or_default().to_owned();
    let approved = gateway.run(&["pairing", "approve", &code]).await;
    assert!(approved.status.success(), "{approved:?}");
    api.says(ANNA, "thank you for that");
    answers(&api, "thank you for that").await;
    assert!(!api.seen().iter().any(|seen| seen.text.contains("may I come in")));

    let shown = gateway.run(&["channels", "show", "telegram"]).await;
    assert!(
        String::from_utf8_lossy(&shown.stdout).contains("connected"),
        "{shown:?}"
    );

    // Of a bot that is gone the operator is told, and its token is nowhere.
    let token = api.token();
    api.fault("getUpdates", Fault::Hang);
    api.revoke();
    gateway.run(&["channels", "stop", "telegram"]).await;
    gateway.run(&["channels", "start", "telegram"]).await;
    let status = until("the failure", async || {
        let status = operator.call("channels.status", json!({})).await.ok()?;
        let account = status["channelAccounts"]["telegram"][0].clone();
        (account["state"] == "failed").then_some(account)
    })
    .await;
    assert!(
        status["lastError"]
            .as_str()
            .is_some_and(|error| error.contains("@BotFather")),
        "{status}"
    );
    let secret = token.split_once(':').map_or("", |(_, secret)| secret);
    assert!(!status.to_string().contains(secret));
    assert!(!gateway.log().contains(secret), "the token is in the log");
}

#[tokio::test]
async fn a_picture_is_fetched_of_who_may_talk_and_is_part_of_what_was_said() {
    let api = BotApi::start().await;
    let picture = [b"\x89PNG\r\n\x1a\n".as_slice(), &[7; 2000]].concat();
    api.keep("picture", picture.clone());
    let config = channel(&api, json!({"dmPolicy": "allowlist", "allowFrom": [ANNA]}));
    let gateway = Gateway::start(&with_an_answer_each(&config)).await;
    let operator = Client::plain(&gateway, ALL).await;
    let photo = |person: i64, words: &str| {
        let mut message = direct(person, api.next_message(), "");
        message["text"] = Value::Null;
        message["caption"] = json!(words);
        message["photo"] = json!([{"file_id": "picture", "file_size": picture.len()}]);
        message
    };

    api.update("message", photo(8, "of a stranger"));
    api.update("message", photo(ANNA, "look at this picture"));
    answers(&api, "look at this picture").await;

    assert_eq!(api.fetched(), ["picture"], "once, and nothing of the stranger's");
    let history = operator
        .call("chat.history", json!({"sessionKey": "main"}))
        .await
        .expect("a history");
    let said = history["messages"][0]["content"].clone();
    let image = said
        .as_array()
        .and_then(|blocks| blocks.iter().find(|block| block["type"] == "image"));
    assert!(
        image.is_some_and(|image| image["sizeBytes"] == json!(picture.len())),
        "{said}"
    );
}
