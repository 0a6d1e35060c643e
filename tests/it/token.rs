//! A new gateway token, made while others use the old one; and credentials beside it.

use std::process::Output;

use gatehouse_core::Secret;
use gatehouse_tests::{Client, Gateway, gateway::binary, until};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::Instant;

use crate::SCREEN;

/// Makes tokens one after the other; each of them from a connection that the token itself ends.
const ROTATIONS: usize = 20;

async fn gatehouse(gateway: &Gateway, arguments: &[&str]) -> Output {
    let run = Command::new(binary())
        .args(arguments)
        .env_clear()
        .env("GATEHOUSE_HOME", gateway.path(""))
        .output();
    run.await.expect("the binary")
}

/// Makes a token, which never fails.
async fn rotate(gateway: &Gateway) -> String {
    let output = gatehouse(gateway, &["token", "rotate"]).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

async fn opens(gateway: &Gateway, token: &str) -> bool {
    let status = gatehouse(gateway, &["--token", token, "call", "health"]).await;
    status.status.success()
}

#[tokio::test]
async fn whoever_makes_a_new_token_gets_it_and_the_old_one_is_good_for_nothing() {
    let gateway = Gateway::start(&json!({})).await;
    let screen = Client::plain(&gateway, SCREEN).await;
    let mut old = gateway.token().to_owned();

    for turn in 0..ROTATIONS {
        let new = rotate(&gateway).await;

        assert!(new.len() >= 32 && new != old, "{turn}: {new}");
        assert!(!opens(&gateway, &old).await, "{turn}: the old token still opens");
        old = new;
    }

    assert!(opens(&gateway, &old).await);
    until("the end of the old connection", async || screen.close()).await;
    assert_eq!(screen.close().map(|(code, _)| code), Some(4001));
    let status = gatehouse(&gateway, &["status"]).await;
    assert_eq!(
        status.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&status.stderr)
    );
}

#[tokio::test]
async fn tokens_that_are_made_at_the_same_moment_are_all_answered() {
    let gateway = Gateway::start(&json!({})).await;

    let tokens = futures::future::join_all((0..6).map(|_| rotate(&gateway))).await;

    assert!(tokens.iter().all(|token| token.len() >= 32), "{tokens:?}");
    let kept = gatehouse(&gateway, &["token", "show"]).await;
    let kept = String::from_utf8_lossy(&kept.stdout).trim().to_owned();
    assert!(tokens.contains(&kept) && opens(&gateway, &kept).await);
}

#[tokio::test]
async fn a_change_of_the_tokens_scopes_is_answered_before_its_maker_is_closed() {
    let gateway = Gateway::start(&json!({})).await;
    for turn in 0..10 {
        let maker = Client::try_plain(&gateway, &["operator.admin", "operator.read"]).await;
        let maker = maker.expect("a connection");
        let config: Value = maker.call("config.get", json!({})).await.expect("a document");
        let patch = json!({"gateway": {"auth": {"tokenScopes": ["operator.read"]}}});

        let params = json!({"raw": patch.to_string(), "baseHash": config["hash"], "replacePaths": ["gateway.auth.tokenScopes"],
            "force": true});
        let answer = maker.call("config.patch", params).await;

        answer.unwrap_or_else(|refusal| panic!("{turn}: {refusal:?}"));
        until("the close", async || maker.close()).await;
        assert_eq!(maker.close().map(|(code, _)| code), Some(4001));
        // No token has the right any more to take that back: whoever has the machine has.
        std::fs::write(gateway.path("gatehouse.json5"), "{}").expect("written");
        until("the token to be good for everything", async || {
            let client = Client::v4(&gateway, &["operator.admin"]).await;
            (client.hello["auth"]["scopes"] == json!(["operator.admin"])).then_some(())
        })
        .await;
    }
}

/// Opens a connection with another token than the gateway's.
async fn connect_with(gateway: &Gateway, token: &str) -> Result<Client, String> {
    let client = Client::open(&gateway.url()).await?;
    let params = json!({"token": token, "role": "operator", "scopes": SCREEN, "clientId": "tests"});
    client
        .send(&json!({"method": "connect", "params": params}))
        .await?;
    let answer = client
        .first(|frame| frame["type"] == "hello-ok" || frame.get("error").is_some())
        .await?;
    (answer["type"] == "hello-ok")
        .then_some(client)
        .ok_or_else(|| answer.to_string())
}

#[tokio::test]
async fn a_credential_beside_the_gateway_token_is_taken_while_all_runs_and_revoked_alone() {
    let gateway = Gateway::start(&json!({})).await;
    let screen = Client::plain(&gateway, SCREEN).await;
    let digest: String = Secret::new("the token of a phone")
        .digest()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let row = json!({"id": "phone-1", "digest": digest, "scopes": ["operator.read"], "deviceId": "phone"});
    let write = |rows: Value| {
        let path = gateway.path("config/credentials.json");
        std::fs::write(path, rows.to_string()).expect("written");
    };

    write(json!([row]));
    let phone = until("the phone to come in", async || {
        connect_with(&gateway, "the token of a phone").await.ok()
    })
    .await;
    phone.call("sessions.list", json!({})).await.expect("it may read");
    let refusal = phone.call("gateway.token.rotate", json!({})).await.unwrap_err();
    assert_eq!(refusal.code, "FORBIDDEN", "{refusal:?}");

    let begun = Instant::now();
    write(json!([]));
    until("the end of the phone's connection", async || phone.close()).await;

    assert_eq!(phone.close().map(|(code, _)| code), Some(4001));
    // A second, and two for a machine that is busy with other tests; by the regular look alone it could be five.
    assert!(begun.elapsed().as_secs() < 3, "{:?}", begun.elapsed());
    assert!(connect_with(&gateway, "the token of a phone").await.is_err());
    screen
        .call("sessions.list", json!({}))
        .await
        .expect("the others go on");
    assert!(screen.close().is_none());
}
