//! Slack through the whole gateway: a workspace of our own stands where Slack is.

use std::time::{SystemTime, UNIX_EPOCH};

use gatehouse_fakes::slack::{Workspace, callback, channel, direct};
use gatehouse_tests::{Client, Gateway, until};
use serde_json::{Value, json};

use crate::{ALL, with_an_answer_each, with_channels};

const ANNA: &str = "UANNA";
const OFFICE: &str = "COFFICE";

fn config(workspace: &Workspace, more: Value) -> Value {
    let mut slack = json!({"botToken": workspace.bot_token(), "appToken": workspace.app_token(),
        "apiRoot": workspace.root()});
    if let (Some(keys), Value::Object(more)) = (slack.as_object_mut(), more) {
        keys.extend(more);
    }
    json!({"slack": slack})
}

/// Anybody may talk.
fn open() -> Value {
    json!({"dmPolicy": "open", "allowFrom": ["*"], "groupPolicy": "open"})
}

async fn answered(workspace: &Workspace, text: &str) -> gatehouse_fakes::slack::Seen {
    until(&format!("an answer to {text:?}"), async || {
        workspace.seen().into_iter().find(|seen| seen.text.contains(text))
    })
    .await
}

#[tokio::test]
async fn a_message_is_answered_where_it_was_said_and_a_killed_bridge_answers_it_once() {
    let workspace = Workspace::start().await;
    let gateway = Gateway::start(&with_an_answer_each(&config(&workspace, open()))).await;

    workspace.says(ANNA, "hello in private");
    let private = answered(&workspace, "hello in private").await;
    let root = workspace.ts();
    let thread = json!({"thread_ts": root});
    workspace.event(channel(
        OFFICE,
        ANNA,
        &workspace.ts(),
        "<@U0GATE> hello in a thread",
        thread,
    ));
    workspace.event(channel(
        OFFICE,
        ANNA,
        &workspace.ts(),
        "nobody in particular",
        json!({}),
    ));
    let threaded = answered(&workspace, "hello in a thread").await;

    assert_eq!((private.channel.as_str(), private.thread), ("DUANNA", None));
    assert_eq!((threaded.channel.as_str(), threaded.thread), (OFFICE, Some(root)));

    // Killed with a message half taken: before it is acknowledged, and after it was committed.
    for n in 0..4 {
        workspace.says(ANNA, &format!("question number {n}."));
        if n % 2 == 0 {
            gateway.kill("channel-bridge").await;
        }
    }
    for n in 0..4 {
        answered(&workspace, &format!("question number {n}.")).await;
    }
    workspace.disconnect("refresh_requested");
    workspace.says(ANNA, "the last one");
    answered(&workspace, "the last one").await;

    for n in 0..4 {
        let text = format!("question number {n}.");
        let seen = workspace.seen();
        let said = seen.iter().filter(|seen| seen.text.contains(&text));
        let unlabelled = said.filter(|seen| !seen.text.contains("(resent)")).count();
        assert_eq!(unlabelled, 1, "{seen:?}");
    }
    assert!(
        !workspace
            .seen()
            .iter()
            .any(|seen| seen.text.contains("nobody in particular"))
    );
    until("all of it acknowledged", async || {
        (workspace.unread() == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_event_that_slack_posts_is_answered_once_and_one_that_nobody_signed_never() {
    let workspace = Workspace::start().await;
    let http = json!({"mode": "http", "signingSecret": workspace.signing_secret()});
    let mut channels = config(&workspace, open());
    let keys = channels["slack"].as_object_mut().expect("keys");
    keys.extend(http.as_object().expect("keys").clone());
    keys.remove("appToken");
    let gateway = Gateway::start(&with_an_answer_each(&channels)).await;
    let client = reqwest::Client::new();
    let post = async |body: &str, headers: &[(String, String)]| {
        let mut request = client
            .post(format!("{}/webhooks/slack/default", gateway.http()))
            .header("content-type", "application/json")
            .body(body.to_owned());
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.send().await.expect("an answer").status().as_u16()
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time");
    let now = i64::try_from(now.as_secs()).expect("a time");
    let body = callback(direct(ANNA, "1790000000.000001", "posted by slack")).to_string();
    let forged = callback(direct(ANNA, "1790000000.000002", "forged by nobody")).to_string();

    until("an account that is there", async || {
        (post(&body, &workspace.signed(&body, now)).await == 200).then_some(())
    })
    .await;
    assert_eq!(post(&body, &workspace.signed(&body, now)).await, 200);
    assert_eq!(post(&forged, &workspace.signed(&body, now)).await, 401);
    assert_eq!(post(&forged, &[]).await, 401);

    answered(&workspace, "posted by slack").await;
    let after = callback(direct(ANNA, "1790000000.000003", "the last one")).to_string();
    post(&after, &workspace.signed(&after, now)).await;
    answered(&workspace, "the last one").await;
    let seen = workspace.seen();
    assert_eq!(seen.len(), 2, "{seen:?}");
}

#[tokio::test]
async fn of_an_app_that_is_gone_the_operator_is_told_what_to_do_and_its_tokens_are_nowhere() {
    let workspace = Workspace::start().await;
    let gateway = Gateway::start_logged(&with_channels(&config(&workspace, open()))).await;
    let operator = Client::plain(&gateway, ALL).await;
    workspace.says(ANNA, "hello there");
    answered(&workspace, "hello there").await;

    workspace.revoke("token_revoked");
    workspace.says(ANNA, "hello again");

    let status = until("the failure", async || {
        let status = operator.call("channels.status", json!({})).await.ok()?;
        let account = status["channelAccounts"]["slack"][0].clone();
        (account["state"] == "failed").then_some(account)
    })
    .await;
    let error = status["lastError"].as_str().unwrap_or_default();
    assert!(
        error.contains("token_revoked") && error.contains("install the app"),
        "{status}"
    );
    for secret in [workspace.bot_token(), workspace.app_token()] {
        assert!(!status.to_string().contains(&secret));
        assert!(!gateway.log().contains(&secret), "a token is in the log");
    }
}
