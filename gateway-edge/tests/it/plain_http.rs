//! What the door answers to plain HTTP.

use std::time::Duration;

use gatehouse_edge::Limits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::house::{House, Reply, TOKEN, revision, until};

/// One request as it is, one answer as it is.
pub(crate) async fn ask(address: &str, request: &str) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = socket.read_to_string(&mut answer);
    timeout(Duration::from_secs(15), read)
        .await
        .expect("an answer in time")
        .unwrap();
    answer
}

pub(crate) async fn get(address: &str, path: &str) -> String {
    ask(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
    )
    .await
}

#[tokio::test]
async fn it_is_alive_from_the_start_and_ready_when_the_house_is() {
    let house = House::with(Limits::default(), None).await;
    assert!(
        get(&house.http, "/healthz")
            .await
            .contains(r#"{"ok":true,"status":"live"}"#)
    );
    let waiting = get(&house.http, "/readyz").await;
    assert!(
        waiting.starts_with("HTTP/1.1 503") && waiting.contains(r#""failing":["config""#),
        "{waiting}"
    );

    let house = House::start().await;
    assert!(
        get(&house.http, "/ready")
            .await
            .contains(r#""ready":true,"failing":[]"#)
    );
    house.fall_sick();
    until("an answer that names who is sick", async || {
        let sick = get(&house.http, "/readyz").await;
        sick.starts_with("HTTP/1.1 503") && sick.contains("session") && sick.contains("channel-bridge")
    })
    .await;
    assert!(get(&house.http, "/healthz").await.starts_with("HTTP/1.1 200"));
    house.recover();
    until("the end of it", async || {
        get(&house.http, "/readyz").await.starts_with("HTTP/1.1 200")
    })
    .await;
}

#[tokio::test]
async fn pages_are_few_and_guarded() {
    let house = House::start().await;

    let page = get(&house.http, "/").await.to_ascii_lowercase();
    for header in [
        "x-frame-options: deny",
        "x-content-type-options: nosniff",
        "content-security-policy: default-src 'none'",
        "cache-control: no-store",
    ] {
        assert!(page.contains(header), "{page}");
    }
    assert!(page.contains("gatehouse"));
    let post = ask(
        &house.http,
        "POST /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    )
    .await;
    assert!(
        post.starts_with("HTTP/1.1 405") && post.to_ascii_lowercase().contains("allow: get, head"),
        "{post}"
    );
    assert!(get(&house.http, "/nothing").await.starts_with("HTTP/1.1 404"));
    assert!(get(&house.http, "/ws").await.starts_with("HTTP/1.1 426"));
    assert!(get(&house.http, "/startupz").await.contains("started"));
}

#[tokio::test]
async fn an_upgrade_that_is_no_websocket_is_refused() {
    let house = House::start().await;
    let upgrade = async |version: &str, key: &str| {
        let head =
            "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n";
        ask(
            &house.http,
            &format!("{head}Sec-WebSocket-Version: {version}\r\nSec-WebSocket-Key: {key}\r\n\r\n"),
        )
        .await
    };
    let old = timeout(Duration::from_secs(12), upgrade("8", "dGhlIHNhbXBsZSBub25jZQ=="));
    let short = timeout(Duration::from_secs(12), upgrade("13", "c2hvcnQ="));

    let (old, short) = tokio::join!(old, short);

    assert!(
        old.unwrap()
            .to_ascii_lowercase()
            .contains("sec-websocket-version: 13")
    );
    assert!(short.unwrap().starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn a_webhook_goes_to_the_bridge_and_back_within_bounds() {
    let house = House::start().await;
    let path = "/gatehouse.channel.v1.ChannelService/ReceiveWebhook";
    // status 202, body "ok"
    house.answers_path(path, Reply::Many(vec![vec![8, 202, 1, 26, 2, b'o', b'k']]));
    let post = async |path: &str, length: usize, body: &str| {
        ask(&house.http, &format!("POST {path} HTTP/1.1\r\nHost: tunnel.example\r\nX-Sign: s\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}")).await
    };

    let taken = post("/webhooks/webhook/home", 5, "hello").await;
    assert!(
        taken.starts_with("HTTP/1.1 202") && taken.ends_with("ok"),
        "{taken}"
    );
    let call = house.calls(path).pop().unwrap();
    let seen = String::from_utf8_lossy(&call.body).into_owned();
    assert!(
        seen.contains("hello") && seen.contains("x-sign") && seen.contains("127.0.0.1"),
        "{seen}"
    );

    assert!(
        post("/webhooks/webhook/home", 2_000_000, "")
            .await
            .starts_with("HTTP/1.1 413")
    );
    assert!(
        post("/webhooks/webhook/..", 0, "")
            .await
            .starts_with("HTTP/1.1 404")
    );
    assert!(
        get(&house.http, "/webhooks/webhook/home")
            .await
            .starts_with("HTTP/1.1 405")
    );
}

#[tokio::test]
async fn a_webhook_whose_body_does_not_come_is_let_go() {
    let limits = Limits {
        webhook_body_max: Duration::from_millis(100),
        ..Limits::default()
    };
    let house = House::with(limits, Some(revision("{}", TOKEN))).await;
    let head = "POST /webhooks/webhook/home HTTP/1.1\r\nHost: tunnel.example\r\n";

    let slow = ask(&house.http, &format!("{head}Content-Length: 5\r\n\r\nhell")).await;

    assert!(slow.starts_with("HTTP/1.1 408"), "{slow}");
    assert!(slow.ends_with("the body did not come in time\n"), "{slow}");
    let calls = house.calls("/gatehouse.channel.v1.ChannelService/ReceiveWebhook");
    assert_eq!(calls.len(), 0, "the bridge is not troubled");
}
