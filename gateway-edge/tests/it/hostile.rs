//! Peers that mean harm, and the others beside them.
//!
//! Each test is one instance of a way to take more than one's share: control frames, tiny pieces, memory, answers left unread.

mod unread;

use std::time::Duration;

use gatehouse_contract::Map;
use gatehouse_edge::Limits;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use crate::{
    client::Client,
    gateway::{Gateway, Reply, TOKEN, revision, until},
    plain_http::get,
};

const TEXT: u8 = 0x81;
const TEXT_BEGINS: u8 = 0x01;
const GOES_ON: u8 = 0x00;
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;

/// A frame under a mask of zeros, which leaves its payload as it is.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = head(first, payload.len());
    bytes.extend_from_slice(payload);
    bytes
}

/// The head of a frame that announces so many bytes.
fn head(first: u8, len: usize) -> Vec<u8> {
    let mut bytes = vec![first];
    match u8::try_from(len) {
        Ok(short) if short < 126 => bytes.push(0x80 | short),
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes
}

impl Client {
    /// Writes bytes as they are. False: the gateway takes no more of them.
    async fn raw(&mut self, bytes: &[u8]) -> bool {
        let writing = self.socket.get_mut().write_all(bytes);
        matches!(timeout(Duration::from_secs(5), writing).await, Ok(Ok(())))
    }
}

/// The gateway answers others: a page, a newcomer, and a call of somebody who was there before.
async fn is_well(gateway: &Gateway, bystander: &mut Client) {
    assert!(get(&gateway.http, "/healthz").await.starts_with("HTTP/1.1 200"));
    Client::v4(gateway, &[]).await;
    let answer = bystander.call("sessions.resolve", json!({"key": "main"})).await;
    assert_eq!(answer["ok"], true, "{answer}");
}

async fn gateway() -> Gateway {
    let gateway = Gateway::start().await;
    gateway.answers(
        "sessions.resolve",
        Reply::Json(r#"{"ok": true, "agentId": "main", "key": "agent:main:main"}"#),
    );
    gateway
}

#[tokio::test]
async fn floods_of_what_no_client_needs_are_closed_by_name_and_nobody_else_notices() {
    let gateway = gateway().await;
    let mut bystander = Client::v4(&gateway, &["operator.read"]).await;
    let begun = frame(TEXT_BEGINS, b"");
    let floods: [(&[u8], &[u8], &str); 6] = [
        (b"", &frame(PING, b""), "too many control frames"),
        (b"", &frame(PING, &[b'x'; 125]), "too many control frames"),
        (b"", &frame(PONG, b"unasked"), "too many control frames"),
        (&begun, &frame(GOES_ON, b""), "too many small fragments"),
        (&begun, &frame(GOES_ON, b"x"), "too many small fragments"),
        (&begun, &frame(PING, b""), "too many control frames"),
    ];

    for (before, piece, reason) in floods {
        for known in [false, true] {
            let mut hostile = match known {
                true => Client::v4(&gateway, &["operator.read"]).await,
                false => Client::open(&gateway).await,
            };
            hostile.raw(before).await;
            // Half a megabyte and more, and not a byte is read meanwhile.
            let many = piece.repeat(1_000);
            for _ in 0..100 {
                if !hostile.raw(&many).await {
                    break;
                }
            }
            is_well(&gateway, &mut bystander).await;

            let (code, words) = hostile.closed().await;
            assert_eq!(code, 1008);
            assert!(words.starts_with(reason), "{words}");
        }
    }
}

#[tokio::test]
async fn a_socket_that_always_has_something_to_say_does_not_outrun_the_handshake() {
    let limits = Limits {
        handshake_max: Duration::from_millis(500),
        ..Limits::default()
    };
    let gateway = Gateway::with(limits, Some(revision("{}", TOKEN))).await;
    let mut hostile = Client::open(&gateway).await;
    let mut bytes = head(TEXT, 64 * 1024);
    bytes.resize(4_000, b' ');

    // A byte at a time, for as long as it is taken: 4,000 bytes are four seconds.
    for byte in bytes {
        if !hostile.raw(&[byte]).await {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    assert_eq!(hostile.closed().await, (1000, String::new()));
}

#[tokio::test]
async fn who_may_not_write_sends_no_large_messages() {
    let gateway = gateway().await;
    let request = |bytes: usize| {
        let params = json!({"key": "main", "unknown": "x".repeat(bytes)});
        json!({"type": "req", "id": "1", "method": "sessions.resolve", "params": params}).to_string()
    };

    let mut reader = Client::v4(&gateway, &["operator.read"]).await;
    assert_eq!(reader.hello["policy"]["maxPayload"], 512 * 1024);
    reader.send(&request(500 * 1024)).await;
    assert_eq!(reader.answer("1").await["ok"], true);
    reader.raw(&head(TEXT, 512 * 1024 + 1)).await;
    assert_eq!(reader.closed().await.0, 1009);

    let mut writer = Client::v4(&gateway, &["operator.write"]).await;
    writer.send(&request(5 * 1024 * 1024)).await;
    assert_eq!(writer.answer("1").await["ok"], true);
}

#[tokio::test]
async fn large_messages_that_do_not_end_use_up_their_budget_and_no_more() {
    let gateway = gateway().await;
    let mut bystander = Client::v4(&gateway, &["operator.write"]).await;
    let chunk = vec![b'x'; 1024 * 1024];
    let mut hostile = Vec::new();

    for _ in 0..6 {
        let mut client = Client::v4(&gateway, &["operator.write"]).await;
        client.raw(&head(TEXT, 25 * chunk.len())).await;
        for _ in 0..24 {
            client.raw(&chunk).await;
        }
        hostile.push(client);
    }

    is_well(&gateway, &mut bystander).await;
    let answer = bystander
        .call(
            "sessions.resolve",
            json!({"key": "main", "unknown": "x".repeat(40 * 1024)}),
        )
        .await;
    assert_eq!(
        answer["ok"], true,
        "messages of a usual size have a part that large ones cannot take"
    );
    let last = hostile.last_mut().unwrap().closed().await;
    assert_eq!(
        last,
        (
            1013,
            "too many large messages at once; try again later".to_owned()
        )
    );

    drop(hostile);
    until("room again", async || {
        let mut client = Client::v4(&gateway, &["operator.write"]).await;
        let large = json!({"type": "req", "id": "1", "method": "sessions.resolve",
            "params": {"key": "main", "unknown": "x".repeat(20 * chunk.len())}});
        client.raw(&frame(TEXT, large.to_string().as_bytes())).await && client.answer("1").await["ok"] == true
    })
    .await;
}

#[tokio::test]
async fn a_large_request_is_not_read_while_there_is_no_memory_for_what_reading_it_takes() {
    let gateway = gateway().await;
    let chunk = vec![b'x'; 1024 * 1024];
    let mut hostile = Client::v4(&gateway, &["operator.write"]).await;
    hostile.raw(&head(TEXT, 25 * chunk.len())).await;
    for _ in 0..24 {
        hostile.raw(&chunk).await;
    }
    let mut client = Client::v4(&gateway, &["operator.write"]).await;
    let large = json!({"key": "main", "unknown": "x".repeat(14 * chunk.len())});

    until("the budget is used", async || {
        let error = client.call("sessions.resolve", large.clone()).await["error"].clone();
        error["details"]["reason"] == "GATEWAY_BUSY" && error["retryable"] == true
    })
    .await;

    drop(hostile);
    until("room again", async || {
        client.call("sessions.resolve", large.clone()).await["ok"] == true
    })
    .await;
}

#[tokio::test]
async fn first_messages_that_do_not_end_use_up_their_budget_and_a_real_one_still_passes() {
    let gateway = gateway().await;
    let mut refused = 0;
    let mut hostile = Vec::new();

    for _ in 0..100 {
        let mut client = Client::open(&gateway).await;
        client.raw(&head(TEXT, 64 * 1024)).await;
        client.raw(&vec![b' '; 64 * 1024 - 1]).await;
        hostile.push(client);
    }

    Client::v4(&gateway, &["operator.read"]).await;
    for client in &mut hostile {
        if let Ok(closed) = timeout(Duration::from_millis(50), client.closed()).await {
            assert_eq!(closed.0, 1013);
            refused += 1;
        }
    }
    assert!(
        (40..=70).contains(&refused),
        "{refused} of 100 are over 3 MiB together"
    );
}
