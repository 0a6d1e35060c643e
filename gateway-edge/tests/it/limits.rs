//! Bounds, and that whoever runs into one does not trouble the others.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use gatehouse_edge::Limits;
use gatehouse_proto::{
    broadcast::v1::{self as broadcast, Event},
    session::v1::{ChatEvent, chat_event},
};
use prost::Message as _;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_tungstenite::tungstenite::{
    Bytes, Error, Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use crate::{
    client::{Client, v4},
    gateway::{Gateway, TOKEN, revision, until},
    plain_http::get,
};

fn chat(text: &str, merge: Option<&str>) -> Event {
    let chat = ChatEvent {
        run_id: "r".to_owned(),
        session_key: "agent:main:main".to_owned(),
        state: chat_event::State::Delta.into(),
        delta_text: Some(text.to_owned()),
        ..ChatEvent::default()
    };
    Event {
        r#type: "gatehouse.session.v1.ChatEvent".to_owned(),
        payload: chat.encode_to_vec().into(),
        merge_key: merge.map(str::to_owned),
        ..Event::default()
    }
}

#[tokio::test]
async fn who_does_not_read_is_closed_and_the_others_lose_nothing() {
    let limits = Limits {
        outbox_bytes_max: 256 * 1024,
        ..Limits::default()
    };
    let gateway = Gateway::with(limits, Some(revision("{}", TOKEN))).await;
    let mut slow = Client::v4(&gateway, &["operator.read"]).await;
    let mut others = Vec::new();
    for _ in 0..20 {
        others.push(Client::v4(&gateway, &["operator.read"]).await);
    }
    let text = "x".repeat(16 * 1024);

    let readers = others.into_iter().map(|mut client| async move {
        let (mut seq, mut chats) = (0, 0);
        while chats < 128 {
            let event = client.frame().await;
            seq += 1;
            assert_eq!(event["seq"], seq);
            chats += usize::from(event["event"] == "chat");
        }
    });
    let publish = async {
        for _ in 0..128 {
            gateway.publish(vec![chat(&text, None)]);
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
        slow.closed().await
    };
    let (_, closed) = tokio::join!(futures::future::join_all(readers), publish);

    assert_eq!(closed, (1008, "slow consumer".to_owned()));
}

#[tokio::test]
async fn deltas_behind_a_slow_reader_are_merged_and_nothing_of_the_text_is_lost() {
    let gateway = Gateway::start().await;
    let mut slow = Client::v4(&gateway, &["operator.read"]).await;
    let pieces = 2_000_usize;

    for n in 0..pieces {
        let event = Event {
            rendition: broadcast::Rendition::Cumulative.into(),
            ..chat(&format!("[{n}]{}", "x".repeat(8 * 1024)), Some("r/c"))
        };
        gateway.publish(vec![event]);
        if n % 50 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    gateway.publish(vec![chat("end", None)]);

    let (mut text, mut frames) = (String::new(), 0);
    loop {
        let event = slow.frame().await;
        frames += 1;
        assert_eq!(event["seq"], frames, "no number is lost");
        if event["event"] != "chat" {
            continue;
        }
        let delta = event["payload"]["deltaText"].as_str().unwrap();
        if delta == "end" {
            break;
        }
        text.push_str(delta);
    }

    let expected: String = (0..pieces)
        .map(|n| format!("[{n}]{}", "x".repeat(8 * 1024)))
        .collect();
    let same = text
        .bytes()
        .zip(expected.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    assert_eq!(
        (same, text.len()),
        (expected.len(), expected.len()),
        "the text is whole and in order"
    );
    assert!(frames < u64::try_from(pieces).unwrap(), "{frames} frames");
}

#[tokio::test]
async fn frames_in_pieces_pass_and_too_large_or_binary_ones_end_the_connection() {
    let gateway = Gateway::start().await;
    let mut client = Client::v4(&gateway, &["operator.admin"]).await;
    let request = json!({"type": "req", "id": "f", "method": "no.such"}).to_string();
    let (head, tail) = request.split_at(20);
    let piece = |text: &str, kind, last| {
        Message::Frame(Frame::message(
            Bytes::copy_from_slice(text.as_bytes()),
            OpCode::Data(kind),
            last,
        ))
    };

    client.message(piece(head, Data::Text, false)).await;
    client
        .message(Message::Ping(Bytes::from_static(b"between")))
        .await;
    client.message(piece(tail, Data::Continue, true)).await;
    assert_eq!(client.answer("f").await["error"]["code"], "INVALID_REQUEST");

    client.message(Message::Binary(Bytes::from_static(b"x"))).await;
    assert_eq!(client.closed().await.0, 1003);
    let mut client = Client::v4(&gateway, &["operator.admin"]).await;
    let _ = client
        .socket
        .send(Message::text("x".repeat(25 * 1024 * 1024 + 1)))
        .await;
    assert_eq!(client.closed().await.0, 1009);
}

/// Sockets of one neighbour that say nothing, half a head, or nothing after the upgrade; as many as there are places.
async fn silent(gateway: &Gateway, count: usize) -> (Vec<TcpStream>, Vec<Client>) {
    let mut sockets = Vec::new();
    let mut upgraded = Vec::new();
    for n in 0..count {
        match n % 3 {
            0 => sockets.push(TcpStream::connect(&gateway.http).await.unwrap()),
            1 => {
                let mut socket = TcpStream::connect(&gateway.http).await.unwrap();
                socket
                    .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
                    .await
                    .unwrap();
                sockets.push(socket);
            }
            _ => upgraded.push(Client::open(gateway).await),
        }
    }
    (sockets, upgraded)
}

#[tokio::test]
async fn a_neighbour_that_holds_all_places_shuts_nobody_out() {
    let limits = Limits {
        unauthenticated_max: 12,
        ..Limits::default()
    };
    let gateway = Gateway::with(limits, Some(revision("{}", TOKEN))).await;
    let known = Client::v4(&gateway, &[]).await;

    let _silent = silent(&gateway, 30).await;
    for _ in 0..50 {
        Client::v4(&gateway, &[]).await;
        let page = get(&gateway.http, "/healthz").await;
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    }

    drop(known);
}

#[tokio::test]
async fn hundreds_that_come_at_once_find_room_before_they_are_accepted() {
    let gateway = Gateway::start().await;
    let address = gateway.http.parse().unwrap();

    // This test's one thread is the edge's too: until it waits, nobody is accepted.
    let coming: Vec<_> = (0..400)
        .map(|_| std::net::TcpStream::connect_timeout(&address, Duration::from_millis(900)))
        .collect::<Result<_, _>>()
        .expect("room for each, without a second SYN");

    Client::v4(&gateway, &[]).await;
    drop(coming);
}

#[tokio::test]
async fn the_oldest_that_says_nothing_makes_room_and_is_told_so() {
    let limits = Limits {
        unauthenticated_max: 4, // one peer may have two of them
        ..Limits::default()
    };
    let gateway = Gateway::with(limits, Some(revision("{}", TOKEN))).await;
    let mut first = Client::open(&gateway).await;
    let mut second = Client::open(&gateway).await;

    let _third = Client::open(&gateway).await;

    let (code, reason) = first.closed().await;
    assert_eq!(code, 1013, "{reason}");
    let answer = second.call("connect", v4(&[])).await;
    assert_eq!(answer["ok"], true, "who came later has its place still: {answer}");
}

#[tokio::test]
async fn when_all_sockets_belong_to_somebody_newcomers_are_refused_by_name() {
    let limits = Limits {
        sockets_max: 3,
        ..Limits::default()
    };
    let gateway = Gateway::with(limits, Some(revision("{}", TOKEN))).await;
    until("no socket of the start", async || {
        let clients = [
            Client::open_with(&gateway, &[]).await,
            Client::open_with(&gateway, &[]).await,
        ];
        clients.iter().all(Result::is_ok)
    })
    .await;
    let mut known = Vec::new();
    for _ in 0..3 {
        known.push(Client::v4(&gateway, &[]).await);
    }

    for _ in 0..20 {
        let refused = get(&gateway.http, "/").await;
        assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
        assert!(refused.contains("Retry-After: 1\r\n"), "{refused}");
        let (_, body) = refused.split_once("\r\n\r\n").unwrap();
        let error = &serde_json::from_str::<Value>(body).unwrap()["error"];
        assert_eq!(
            (&error["code"], &error["details"]["code"], &error["retryable"]),
            (
                &json!("UNAVAILABLE"),
                &json!("TOO_MANY_CONNECTIONS"),
                &json!(true)
            )
        );
    }
    let refused = Client::open_with(&gateway, &[]).await.map(|_| ());
    assert!(
        matches!(&refused, Err(Error::Http(response)) if response.status() == 503),
        "{refused:?}"
    );

    known.pop();
    until("a place for the next", async || {
        Client::open_with(&gateway, &[]).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_ping_is_answered_with_its_payload() {
    let gateway = Gateway::start().await;
    let mut client = Client::v4(&gateway, &[]).await;

    client
        .message(Message::Ping(Bytes::from_static(b"are you there")))
        .await;

    let pong = loop {
        match client.socket.next().await.unwrap().unwrap() {
            Message::Pong(payload) => break payload,
            _ => continue,
        }
    };
    assert_eq!(pong, "are you there");
}
