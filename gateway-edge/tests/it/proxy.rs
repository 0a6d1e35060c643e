//! Behind a proxy: whose address counts, and who may say it.

use prost::Message;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use crate::{
    client::{Client, v4},
    gateway::{Gateway, RECEIVE, Reply, TOKEN, revision, until},
    plain_http::ask,
};

/// The tests' own address is the proxy's.
const TRUSTING: &str =
    r#"{"gateway":{"trustedProxies":["127.0.0.1"],"auth":{"rateLimit":{"maxAttempts":3}}}}"#;

/// A neighbour is the proxy, and this is not its address.
const TRUSTING_ANOTHER: &str =
    r#"{"gateway":{"trustedProxies":["192.0.2.0/24"],"auth":{"rateLimit":{"maxAttempts":3}}}}"#;

/// Tries a wrong token for a client of the proxy, and says how that ended.
async fn guess(gateway: &Gateway, forwarded_for: &str) -> Value {
    let mut client = Client::open_with(gateway, &[("x-forwarded-for", forwarded_for)])
        .await
        .expect("an upgrade");
    let mut params = v4(&[]);
    params["auth"]["token"] = json!("guess");
    client.call("connect", params).await["error"]["details"]["code"].clone()
}

/// The status and the words with which an upgrade is refused.
async fn refused(gateway: &Gateway, forwarded_for: &str) -> Option<(u16, String)> {
    match Client::open_with(gateway, &[("x-forwarded-for", forwarded_for)]).await {
        Err(Error::Http(response)) => {
            let status = response.status().as_u16();
            let body = response.into_body().unwrap_or_default();
            Some((status, String::from_utf8(body).unwrap()))
        }
        Err(error) => panic!("no answer: {error}"),
        Ok(_) => None,
    }
}

#[tokio::test]
async fn clients_of_a_trusted_proxy_are_throttled_each_by_its_own_address() {
    let gateway = Gateway::configured(TRUSTING).await;

    for _ in 0..3 {
        assert_eq!(guess(&gateway, "203.0.113.9").await, "AUTH_TOKEN_MISMATCH");
    }

    assert_eq!(guess(&gateway, "203.0.113.9").await, "AUTH_RATE_LIMITED");
    assert_eq!(
        guess(&gateway, "198.51.100.7, 203.0.113.9").await,
        "AUTH_RATE_LIMITED",
        "what a client writes before the proxy's word buys it no fresh budget"
    );
    assert_eq!(
        guess(&gateway, "203.0.113.9, 203.0.113.10").await,
        "AUTH_TOKEN_MISMATCH",
        "and cannot make another pay"
    );
    Client::v4(&gateway, &[]).await; // the proxy itself is not locked out with its client
}

#[tokio::test]
async fn nobody_else_is_believed_and_nobody_pays_for_it() {
    let gateway = Gateway::configured(TRUSTING_ANOTHER).await;

    for _ in 0..5 {
        let (status, body) = refused(&gateway, "203.0.113.9").await.expect("a refusal");
        assert_eq!(
            (status, body.contains("PROXY_NOT_TRUSTED")),
            (403, true),
            "{body}"
        );
    }

    gateway.config.send_replace(Some(revision(TRUSTING, TOKEN)));
    until("the new configuration", async || {
        refused(&gateway, "203.0.113.77").await.is_none()
    })
    .await;
    assert_eq!(
        guess(&gateway, "203.0.113.9").await,
        "AUTH_TOKEN_MISMATCH",
        "none of the five was counted"
    );
    let (status, body) = refused(&gateway, "203.0.113.9, unknown")
        .await
        .expect("a refusal");
    assert_eq!(
        (status, body.contains("FORWARDED_INVALID")),
        (400, true),
        "{body}"
    );
}

#[tokio::test]
async fn a_webhook_names_the_client_that_a_trusted_proxy_names() {
    let path = RECEIVE;
    let post = async |config: &str| {
        let gateway = Gateway::configured(config).await;
        gateway.answers_path(path, Reply::Many(vec![vec![8, 200, 1]]));
        let head =
            "POST /webhooks/webhook/home HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.9\r\n";
        let answer = ask(
            &gateway.http,
            &format!("{head}Connection: close\r\nContent-Length: 5\r\n\r\nhello"),
        )
        .await;
        (answer, gateway.calls(path))
    };

    let (taken, calls) = post(TRUSTING).await;
    let (turned, no_calls) = post(TRUSTING_ANOTHER).await;

    assert!(taken.starts_with("HTTP/1.1 200"), "{taken}");
    let seen = gatehouse_proto::channel::v1::ReceiveWebhookRequest::decode(calls[0].body.clone()).unwrap();
    assert_eq!(seen.peer_address, "203.0.113.9");
    assert!(
        turned.starts_with("HTTP/1.1 403") && turned.contains("PROXY_NOT_TRUSTED"),
        "{turned}"
    );
    assert_eq!(no_calls.len(), 0);
}

#[tokio::test]
async fn a_proxy_that_names_nobody_is_not_this_machine_and_its_clients_do_not_shut_each_other_out() {
    let gateway = Gateway::configured(TRUSTING).await;
    let wrong = async |headers: &[(&'static str, &str)]| {
        let mut client = Client::open_with(&gateway, headers).await.expect("an upgrade");
        let mut params = v4(&[]);
        params["auth"]["token"] = json!("guess");
        client.call("connect", params).await["error"]["details"]["code"].clone()
    };

    assert_eq!(wrong(&[]).await, "AUTH_TOKEN_MISMATCH");
    assert_eq!(
        wrong(&[("x-forwarded-for", "127.0.0.1")]).await,
        "AUTH_TOKEN_MISMATCH"
    );
    assert_eq!(
        wrong(&[("forwarded", "for=127.0.0.1")]).await,
        "AUTH_TOKEN_MISMATCH"
    );

    assert_eq!(
        wrong(&[]).await,
        "AUTH_RATE_LIMITED",
        "loopback is exempt, a proxy on it is not"
    );
    Client::v4(&gateway, &[]).await; // the right token, from the address that guessed
}
