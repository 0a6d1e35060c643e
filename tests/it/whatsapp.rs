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
