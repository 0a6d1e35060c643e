//! Webhooks on their way to the bridge: what is read of them, and whom they can trouble.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use gatehouse_edge::Limits;
use gatehouse_proto::channel::v1::{InspectWebhookResponse, ReceiveWebhookRequest, ReceiveWebhookResponse};
use prost::Message;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{
    gateway::{Gateway, INSPECT, RECEIVE, Reply, TOKEN, revision, until},
    plain_http::{ask, get},
};

const HEAD: &str =
    "POST /webhooks/webhook/home HTTP/1.1\r\nHost: localhost\r\nX-Sign: s\r\nConnection: close\r\n";

/// A bridge that takes what it is given.
async fn gateway(grace: Duration) -> Gateway {
    let limits = Limits {
        webhook_grace: grace,
        ..Limits::default()
    };
    let gateway = Gateway::with(limits, Some(revision("{}", TOKEN))).await;
    // status 202, body "ok"
    gateway.answers_path(RECEIVE, Reply::Many(vec![vec![8, 202, 1, 26, 2, b'o', b'k']]));
    gateway
}

/// A request whose body has begun and does not go on.
async fn stalled(gateway: &Gateway) -> TcpStream {
    let mut socket = TcpStream::connect(&gateway.http).await.unwrap();
    let head = format!("{HEAD}Content-Length: 50\r\n\r\nx");
    socket.write_all(head.as_bytes()).await.unwrap();
    socket
}

async fn answer(socket: &mut TcpStream) -> String {
    let mut answer = String::new();
    let read = timeout(Duration::from_secs(10), socket.read_to_string(&mut answer)).await;
    read.expect("an answer in time").unwrap();
    answer
}

#[tokio::test]
async fn a_webhook_goes_to_the_bridge_and_back_within_bounds() {
    let gateway = gateway(Duration::from_secs(2)).await;

    let taken = ask(
        &gateway.http,
        &format!(
            "{}Content-Length: 5\r\n\r\nhello",
            HEAD.replace("home", "home?a=1")
        ),
    )
    .await;

    assert!(
        taken.starts_with("HTTP/1.1 202") && taken.ends_with("ok"),
        "{taken}"
    );
    let seen = ReceiveWebhookRequest::decode(gateway.calls(RECEIVE).pop().unwrap().body).unwrap();
    assert_eq!((&*seen.channel, &*seen.account_id), ("webhook", "home"));
    assert_eq!(
        (&*seen.target, &*seen.peer_address),
        ("/webhooks/webhook/home?a=1", "127.0.0.1")
    );
    assert_eq!(&*seen.body, b"hello");
    assert!(seen.headers.iter().any(|header| header.name == "x-sign"));
    for (length, head) in [(65_537, HEAD.to_owned()), (2_000_000, HEAD.to_owned())] {
        let large = ask(&gateway.http, &format!("{head}Content-Length: {length}\r\n\r\n")).await;
        assert!(large.starts_with("HTTP/1.1 413"), "{large}");
    }
    let post = async |path: &str| {
        ask(
            &gateway.http,
            &format!(
                "{}Content-Length: 0\r\n\r\n",
                HEAD.replace("/webhooks/webhook/home", path)
            ),
        )
        .await
    };
    assert!(post("/webhooks/webhook/..").await.starts_with("HTTP/1.1 404"));
    // GET is a platform's way to look whether the address is ours, so the bridge judges it.
    let put = format!("{}Content-Length: 0\r\n\r\n", HEAD.replacen("POST", "PUT", 1));
    assert!(ask(&gateway.http, &put).await.starts_with("HTTP/1.1 405"));
    assert_eq!(gateway.calls(RECEIVE).len(), 1, "the bridge is not troubled");
}

#[tokio::test]
async fn what_the_head_gives_away_is_answered_before_a_byte_of_the_body() {
    let gateway = gateway(Duration::from_secs(60)).await;
    let refusal = InspectWebhookResponse {
        body_bytes_max: 0,
        refusal: Some(ReceiveWebhookResponse {
            status: 404,
            headers: Vec::new(),
            body: "no such webhook".into(),
        }),
    };
    gateway.answers_path(INSPECT, Reply::Many(vec![refusal.encode_to_vec()]));

    let mut sockets = Vec::new();
    for _ in 0..100 {
        sockets.push(stalled(&gateway).await);
    }
    for socket in &mut sockets {
        let answer = answer(socket).await;
        assert!(
            answer.starts_with("HTTP/1.1 404") && answer.ends_with("no such webhook"),
            "{answer}"
        );
    }

    assert_eq!(gateway.calls(RECEIVE).len(), 0);
}

#[tokio::test]
async fn bodies_that_do_not_come_shut_no_other_webhook_out() {
    let gateway = gateway(Duration::from_secs(60)).await;
    let mut slow = Vec::new();
    for _ in 0..70 {
        slow.push(stalled(&gateway).await);
    }
    until("all of them", async || gateway.calls(INSPECT).len() >= 70).await;

    for n in 0..40 {
        let taken = ask(&gateway.http, &format!("{HEAD}Content-Length: 5\r\n\r\nhello")).await;
        assert!(taken.starts_with("HTTP/1.1 202"), "{n}: {taken}");
    }

    assert!(
        answer(&mut slow[0]).await.starts_with("HTTP/1.1 503"),
        "the oldest made room"
    );
    assert_eq!(gateway.calls(RECEIVE).len(), 40);
}

#[tokio::test]
async fn a_webhook_that_comes_at_once_is_taken_beside_hundreds_of_slow_ones_from_its_own_address() {
    let gateway = Arc::new(gateway(Duration::from_secs(60)).await);
    let mut stalled_senders = Vec::new();
    for _ in 0..400 {
        stalled_senders.push(stalled(&gateway).await);
    }
    // And it goes on: each newcomer makes an older one of this address go.
    let (newcomers, more) = (Arc::clone(&gateway), CancellationToken::new());
    let stop = more.clone();
    let coming = tokio::spawn(more.run_until_cancelled_owned(async move {
        let mut held = VecDeque::new();
        loop {
            held.push_back(stalled(&newcomers).await);
            if held.len() > 300 {
                held.pop_front();
            }
        }
    }));

    let genuine = async |n: usize| {
        let mut socket = TcpStream::connect(&gateway.http).await.unwrap();
        let head = format!("{HEAD}Content-Length: 5\r\n\r\n");
        if n.is_multiple_of(2) {
            socket.write_all(format!("{head}hello").as_bytes()).await.unwrap();
        } else {
            socket.write_all(head.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await; // two packets on the way
            socket.write_all(b"hello").await.unwrap();
        }
        answer(&mut socket).await
    };
    for round in 0..5 {
        let answers = futures::future::join_all((0..40).map(&genuine)).await;
        for (n, taken) in answers.iter().enumerate() {
            assert!(taken.starts_with("HTTP/1.1 202"), "{round} {n}: {taken}");
        }
    }

    stop.cancel();
    coming.await.unwrap();
    assert_eq!(gateway.calls(RECEIVE).len(), 200);
}

#[tokio::test]
async fn a_webhook_whose_body_does_not_come_is_let_go() {
    let gateway = gateway(Duration::from_millis(100)).await;

    let slow = answer(&mut stalled(&gateway).await).await;

    assert!(slow.starts_with("HTTP/1.1 408"), "{slow}");
    assert!(slow.ends_with("the body did not come in time\n"), "{slow}");
    assert_eq!(gateway.calls(RECEIVE).len(), 0, "the bridge is not troubled");
}

#[tokio::test]
async fn a_bridge_that_hangs_over_the_head_costs_a_moment_and_nothing_else() {
    let gateway = gateway(Duration::from_secs(60)).await;
    gateway.answers_path(INSPECT, Reply::Hang);

    let later = ask(&gateway.http, &format!("{HEAD}Content-Length: 5\r\n\r\nhello")).await;

    assert!(
        later.starts_with("HTTP/1.1 503") && later.to_ascii_lowercase().contains("retry-after: 5"),
        "{later}"
    );
    assert!(get(&gateway.http, "/healthz").await.starts_with("HTTP/1.1 200"));
}
