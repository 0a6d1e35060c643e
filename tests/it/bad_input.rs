//! What a hostile or broken client sends, and that nobody else notices.

use std::time::Duration;

use futures::future::join_all;
use gatehouse_tests::{Client, Gateway, process::pss_kib, until};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use uuid::Uuid;

use crate::{ALL, SCREEN};

/// Sends one message on a fresh socket and says how the gateway closed it.
async fn closed_by(gateway: &Gateway, message: Message) -> (u16, String) {
    let client = Client::open(&gateway.url()).await.expect("a socket");
    client.send_message(message).await.expect("sent");
    until("the close", async || client.close()).await
}

#[tokio::test]
async fn what_comes_before_the_handshake_is_refused_by_name() {
    let gateway = Gateway::start(&json!({})).await;
    let request = |method: &str| {
        Message::text(json!({"type": "req", "id": "1", "method": method, "params": {}}).to_string())
    };

    let (code, reason) = closed_by(&gateway, request("sessions.list")).await;
    assert_eq!((code, reason.contains("connect")), (1008, true), "{reason}");
    assert_eq!(closed_by(&gateway, Message::text("{")).await.0, 1000);
    assert_eq!(closed_by(&gateway, Message::text("[1]")).await.0, 1008);
    assert_eq!(
        closed_by(&gateway, Message::Binary(Bytes::from_static(b"\x00\x01")))
            .await
            .0,
        1003
    );
    assert_eq!(
        closed_by(&gateway, Message::text("x".repeat(65_537))).await.0,
        1009
    );
    assert_eq!(
        closed_by(&gateway, Message::text("[".repeat(60_000))).await.0,
        1000
    );
}

#[tokio::test]
async fn a_refused_call_names_the_field_and_the_connection_goes_on() {
    let gateway = Gateway::start(&json!({})).await;
    let client = Client::v4(&gateway, ALL).await;
    let message = |method: &'static str, params: Value| client.call(method, params);

    let wrong_type = message("sessions.list", json!({"limit": "ten"}))
        .await
        .expect_err("a wrong type");
    assert!(wrong_type.message.contains("at /limit"), "{wrong_type:?}");
    let missing = message("chat.send", json!({"sessionKey": "main", "message": "x"}))
        .await
        .expect_err("a missing field");
    assert!(missing.message.contains("idempotencyKey"), "{missing:?}");
    let unknown = message("no.such.method", json!({})).await.expect_err("unknown");
    assert_eq!(
        (unknown.code.as_str(), unknown.message.as_str()),
        ("INVALID_REQUEST", "unknown method: no.such.method")
    );
    let again = message("connect", json!({})).await.expect_err("a second connect");
    assert_eq!(again.code, "INVALID_REQUEST");
    let nested = format!(
        r#"{{"type":"req","id":"deep","method":"sessions.list","params":{}1{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    client.send_message(Message::text(nested)).await.expect("sent");
    let twice = r#"{"type":"req","id":"twice","method":"sessions.list","params":{"limit":1,"limit":2}}"#;
    client.send_message(Message::text(twice)).await.expect("sent");
    let answer = client
        .first(|frame| frame["id"] == "twice")
        .await
        .expect("an answer");
    assert_eq!(answer["ok"], false, "duplicate keys: {answer}");

    message("sessions.list", json!({"limit": 1}))
        .await
        .expect("the connection goes on");
}

#[tokio::test]
async fn a_caller_does_no_more_than_its_scopes() {
    let gateway = Gateway::start(&json!({})).await;
    let reader = Client::v4(&gateway, &["operator.read"]).await;
    let nobody = Client::v4(&gateway, &[]).await;

    let write = reader.call("chat.send", json!({})).await.expect_err("write");
    assert_eq!(
        (write.code.as_str(), &write.details["missingScope"]),
        ("FORBIDDEN", &json!("operator.write"))
    );
    let unknown = reader
        .call("no.such.method", json!({}))
        .await
        .expect_err("unknown");
    assert_eq!(
        (unknown.code.as_str(), unknown.message.as_str()),
        ("INVALID_REQUEST", "unknown method: no.such.method")
    );
    let read = nobody
        .call("sessions.list", json!({}))
        .await
        .expect_err("an empty request grants nothing");
    assert_eq!(read.details["missingScope"], "operator.read");
    let node = Client::open(&gateway.url()).await.expect("a socket");
    let params = json!({"minProtocol": 4, "maxProtocol": 4, "role": "node", "scopes": [], "auth": {"token": gateway.token()},
        "client": {"id": "node-host", "version": "1", "platform": "linux", "mode": "node"}});
    let refusal = node
        .call("connect", params)
        .await
        .expect_err("a node without a device");
    assert_eq!(refusal.code, "NOT_PAIRED");
}

#[tokio::test]
async fn a_slow_reader_costs_the_others_nothing() {
    let gateway = Gateway::start(&json!({})).await;
    let others: Vec<Client> = join_all((0..199).map(|_| Client::plain(&gateway, SCREEN))).await;
    // Connected, and then never read from again: the stream is held, not polled.
    let slow = connect_without_reading(&gateway).await;

    let run = Uuid::new_v4().to_string();
    let message =
        json!({"sessionKey": "main", "message": "[[echo tokens=200 delay=1]]", "idempotencyKey": run});
    others[0].call("chat.send", message).await.expect("taken");

    for client in &others {
        client
            .event("chat", |chat| chat["runId"] == run && chat["state"] == "final")
            .await;
        let numbers: Vec<u64> = client
            .frames()
            .iter()
            .filter_map(|frame| frame["seq"].as_u64())
            .collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "no hole");
    }
    drop(slow);
}

async fn connect_without_reading(gateway: &Gateway) -> impl Sized {
    use futures::{SinkExt, StreamExt};
    let (mut socket, _) = tokio_tungstenite::connect_async(gateway.url())
        .await
        .expect("a socket");
    let params = json!({"token": gateway.token(), "role": "operator", "scopes": SCREEN, "clientId": "slow"});
    socket
        .send(Message::text(
            json!({"method": "connect", "params": params}).to_string(),
        ))
        .await
        .expect("sent");
    while let Some(Ok(message)) = socket.next().await {
        if message.to_text().is_ok_and(|text| text.contains("hello-ok")) {
            break;
        }
    }
    socket
}

/// What the issue of silent sockets is tried with, as far as this machine lets a process open files.
const STRANGERS: usize = 10_000;

/// The edge keeps this many sockets of one peer that never said who they are: half of all such places.
const STRANGERS_KEPT: usize = 2_048;

/// One answer of the edge. Generous: it only must not be awaited for ever.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn sockets_that_never_connect_are_bounded_and_nobody_notices() {
    let gateway = Gateway::start(&json!({})).await;
    let client = Client::plain(&gateway, SCREEN).await;
    let edge = gateway.pid("edge").expect("an edge");
    let before = pss_kib(edge);

    let mut silent = Vec::new();
    for _ in 0..STRANGERS.min(open_files_max().saturating_sub(1_000)) {
        let stranger = tokio::time::timeout(ANSWER_PATIENCE, stranger(&gateway));
        silent.push(stranger.await.expect("an answer in time"));
    }
    until("room for others", async || {
        silent.retain(is_open);
        (silent.len() <= STRANGERS_KEPT).then_some(())
    })
    .await;
    let newcomer = tokio::time::timeout(ANSWER_PATIENCE, Client::try_plain(&gateway, SCREEN)).await;
    newcomer
        .expect("an answer in time")
        .expect("somebody who means it is let in");

    let call = client.call("sessions.list", json!({}));
    let answered = tokio::time::timeout(Duration::from_secs(5), call).await;
    answered.expect("others do not notice").expect("a list");
    drop(silent);
    until("room again", async || {
        Client::try_plain(&gateway, SCREEN).await.ok()
    })
    .await;
    until("memory back", async || {
        (pss_kib(edge) < before + 16 * 1024).then_some(())
    })
    .await;
}

/// Whether the edge has not closed a socket. What it said is dropped.
fn is_open(socket: &TcpStream) -> bool {
    let mut heard = [0; 1024];
    loop {
        match socket.try_read(&mut heard) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
        }
    }
}

/// A socket that is let in and then says nothing.
async fn stranger(gateway: &Gateway) -> TcpStream {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = gateway.url().trim_start_matches("ws://").to_owned();
    let mut socket = TcpStream::connect(&address).await.expect("a socket");
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).await.expect("a request");
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = socket.read_buf(&mut head).await.expect("an answer");
        assert!(read > 0, "the socket was cut: {}", String::from_utf8_lossy(&head));
    }
    let answer = String::from_utf8_lossy(&head);
    assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
    socket
}

fn open_files_max() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap_or_default();
    line.split_whitespace()
        .nth(3)
        .and_then(|soft| soft.parse().ok())
        .unwrap_or(1_024)
}
