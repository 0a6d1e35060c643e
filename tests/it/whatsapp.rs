//! WhatsApp through the whole gateway: a server of our own stands where Meta is, and posts as Meta does.

use gatehouse_fakes::whatsapp::{Cloud, NUMBER, post, text};
use gatehouse_tests::{Client, Gateway, until};
use serde_json::{Value, json};

use crate::{ALL, with_an_answer_each};

const ANNA: &str = "491701234567";

fn config(cloud: &Cloud) -> Value {
    json!({"whatsapp": {"phoneNumberId": NUMBER, "accessToken": cloud.token(), "appSecret": cloud.app_secret(),
        "verifyToken": "a word of ours", "apiRoot": cloud.root(), "dmPolicy": "allowlist", "allowFrom": [format!("+{ANNA}")]}})
}

async fn posted(cloud: &Cloud, gateway: &Gateway, body: &Value) -> u16 {
    let body = body.to_string();
    let mut request = reqwest::Client::new()
        .post(format!("{}/webhooks/whatsapp/default", gateway.http()))
        .body(body.clone());
    for (name, value) in cloud.signed(&body) {
        request = request.header(name, value);
    }
    request.send().await.expect("an answer").status().as_u16()
}

#[tokio::test]
async fn a_number_is_verified_a_post_is_answered_once_and_only_to_who_may_talk() {
    let cloud = Cloud::start().await;
    let gateway = Gateway::start(&with_an_answer_each(&config(&cloud))).await;
    let address = format!(
        "{}/webhooks/whatsapp/default?hub.mode=subscribe&hub.challenge=4242&hub.verify_token=a%20word%20of%20ours",
        gateway.http()
    );
    let word = until("the handshake", async || {
        let answer = reqwest::get(&address).await.ok()?;
        (answer.status() == 200).then_some(answer)
    })
    .await;
    assert_eq!(word.text().await.expect("a word"), "4242");

    let said = post(ANNA, &[text(ANNA, "wamid.1", "hello from whatsapp")], json!({}));
    assert_eq!(posted(&cloud, &gateway, &said).await, 200);
    assert_eq!(posted(&cloud, &gateway, &said).await, 200);
    let stranger = post(
        "491709999999",
        &[text("491709999999", "wamid.2", "a stranger")],
        json!({}),
    );
    assert_eq!(posted(&cloud, &gateway, &stranger).await, 200);
    let last = post(ANNA, &[text(ANNA, "wamid.3", "the last one")], json!({}));
    assert_eq!(posted(&cloud, &gateway, &last).await, 200);

    until("the last answer", async || {
        cloud
            .seen()
            .iter()
            .any(|seen| seen.text.contains("the last one"))
            .then_some(())
    })
    .await;
    let seen = cloud.seen();
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(seen.iter().all(|seen| seen.to == ANNA));
}

#[tokio::test]
async fn of_a_token_that_ran_out_the_operator_is_told_and_no_secret_is_anywhere() {
    let cloud = Cloud::start().await;
    let gateway = Gateway::start_logged(&with_an_answer_each(&config(&cloud))).await;
    let operator = Client::plain(&gateway, ALL).await;
    let said = post(ANNA, &[text(ANNA, "wamid.1", "hello there")], json!({}));
    until("a number that is there", async || {
        (posted(&cloud, &gateway, &said).await == 200).then_some(())
    })
    .await;
    until("the answer", async || (!cloud.seen().is_empty()).then_some(())).await;
    let secrets = [cloud.token(), cloud.app_secret(), "a word of ours".to_owned()];

    cloud.revoke();
    let again = post(ANNA, &[text(ANNA, "wamid.2", "hello again")], json!({}));
    posted(&cloud, &gateway, &again).await;

    let status = until("the failure", async || {
        let status = operator.call("channels.status", json!({})).await.ok()?;
        let account = status["channelAccounts"]["whatsapp"][0].clone();
        (account["state"] == "failed").then_some(account)
    })
    .await;
    assert!(
        status["lastError"]
            .as_str()
            .is_some_and(|error| error.contains("system user")),
        "{status}"
    );
    for secret in &secrets {
        assert!(!status.to_string().contains(secret));
        assert!(!gateway.log().contains(secret), "a secret is in the log");
    }
}

#[tokio::test]
async fn what_meta_says_of_a_message_later_is_counted_and_outlives_a_restart() {
    let cloud = Cloud::start().await;
    let gateway = Gateway::start(&with_an_answer_each(&config(&cloud))).await;
    let said = post(ANNA, &[text(ANNA, "wamid.1", "hello there")], json!({}));
    until("a number that is there", async || {
        (posted(&cloud, &gateway, &said).await == 200).then_some(())
    })
    .await;
    let answer = until("the answer", async || cloud.seen().first().cloned()).await;

    // In the order in which Meta sometimes posts them; of another number's message nothing is counted.
    let statuses: Vec<Value> = [
        (&*answer.id, "read"),
        (&answer.id, "delivered"),
        ("wamid.of-another", "failed"),
    ]
    .iter()
    .map(|(id, status)| json!({"id": id, "status": status, "timestamp": "1790000000", "recipient_id": ANNA}))
    .collect();
    let told = post(ANNA, &[], json!({"statuses": statuses}));
    assert_eq!(posted(&cloud, &gateway, &told).await, 200);

    let counts = async |gateway: &Gateway| {
        let operator = Client::plain(gateway, ALL).await;
        until("what was counted", async || {
            let status = operator.call("channels.status", json!({})).await.ok()?;
            let account = &status["channelAccounts"]["whatsapp"][0];
            let counts =
                ["deliveredCount", "readCount", "notDeliveredCount"].map(|name| account[name].as_i64());
            (counts[0] == Some(1)).then_some(counts)
        })
        .await
    };
    assert_eq!(counts(&gateway).await, [1, 1, 0].map(Some));
    let gateway = gateway.restart().await;
    assert_eq!(counts(&gateway).await, [1, 1, 0].map(Some));
}
