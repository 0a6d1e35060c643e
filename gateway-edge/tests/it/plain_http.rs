//! What the door answers to plain HTTP.

use std::time::Duration;

use gatehouse_edge::Limits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::gateway::{Gateway, until};

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
async fn it_is_alive_from_the_start_and_ready_when_the_gateway_is() {
    let gateway = Gateway::with(Limits::default(), None).await;
    assert!(
        get(&gateway.http, "/healthz")
            .await
            .contains(r#"{"ok":true,"status":"live"}"#)
    );
    let waiting = get(&gateway.http, "/readyz").await;
    assert!(
        waiting.starts_with("HTTP/1.1 503") && waiting.contains(r#""failing":["config""#),
        "{waiting}"
    );

    let gateway = Gateway::start().await;
    assert!(
        get(&gateway.http, "/ready")
            .await
            .contains(r#""ready":true,"failing":[]"#)
    );
    gateway.fall_sick();
    until("an answer that names who is sick", async || {
        let sick = get(&gateway.http, "/readyz").await;
        sick.starts_with("HTTP/1.1 503") && sick.contains("session") && sick.contains("channel-bridge")
    })
    .await;
    assert!(get(&gateway.http, "/healthz").await.starts_with("HTTP/1.1 200"));
    gateway.recover();
    until("the end of it", async || {
        get(&gateway.http, "/readyz").await.starts_with("HTTP/1.1 200")
    })
    .await;
}

#[tokio::test]
async fn pages_are_few_and_guarded() {
    let gateway = Gateway::start().await;

    let page = get(&gateway.http, "/connect").await.to_ascii_lowercase();
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
        &gateway.http,
        "POST /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    )
    .await;
    assert!(
        post.starts_with("HTTP/1.1 405") && post.to_ascii_lowercase().contains("allow: get, head"),
        "{post}"
    );
    assert!(get(&gateway.http, "/nothing").await.starts_with("HTTP/1.1 404"));
    assert!(get(&gateway.http, "/ws").await.starts_with("HTTP/1.1 426"));
    assert!(get(&gateway.http, "/startupz").await.contains("started"));
}

#[tokio::test]
async fn who_asks_how_to_connect_reads_that_and_how_the_gateway_is() {
    let gateway = Gateway::start().await;
    let asked = async |host: &str| {
        let head = format!("GET /connect HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        ask(&gateway.http, &head).await
    };

    until("a page that says it is ready", async || {
        asked("nas.local:18789").await.contains(">ready<")
    })
    .await;
    let page = asked("nas.local:18789").await;

    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    for told in [
        "ws://nas.local:18789</code>",
        "gatehouse chat --url ws://nas.local:18789",
        "http://nas.local:18789/rpc/chat.send",
        "gateway.remote.url ws://nas.local:18789",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(
        !page.contains("<script") && !page.contains(" style="),
        "nothing that its policy forbids: {page}"
    );
    assert!(
        page.contains("style-src 'sha256-") && !page.contains("unsafe"),
        "{page}"
    );
    for (path, kind) in [
        ("/favicon.svg", "image/svg+xml"),
        ("/favicon.ico", "image/vnd.microsoft.icon"),
    ] {
        let head = format!("HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let sign = ask(&gateway.http, &head).await;
        assert!(sign.starts_with("HTTP/1.1 200") && sign.contains(kind), "{sign}");
    }
    gateway.fall_sick();
    until("a page that says who is away", async || {
        let page = asked("localhost").await;
        page.contains(">not ready<") && page.contains("session")
    })
    .await;
}

#[tokio::test]
async fn an_upgrade_that_is_no_websocket_is_refused() {
    let gateway = Gateway::start().await;
    let upgrade = async |version: &str, key: &str| {
        let head =
            "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n";
        ask(
            &gateway.http,
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
async fn every_route_is_asked_by_a_name_that_nobody_else_can_own() {
    let gateway = Gateway::configured(r#"{"gateway":{"publicOrigin":"https://home.example.org"}}"#).await;
    let routes = [
        "GET /",
        "GET /connect",
        "GET /gateway/status",
        "GET /sw.js",
        "GET /ws",
        "GET /healthz",
        "GET /health",
        "GET /startupz",
        "GET /readyz",
        "GET /ready",
        "GET /nothing",
        "POST /webhooks/webhook/home",
        "POST /rpc/agents.list",
    ];
    let host = async |route: &str, head: &str| {
        let head = format!("{route} HTTP/1.1\r\n{head}Connection: close\r\nContent-Length: 0\r\n\r\n");
        ask(&gateway.http, &head).await
    };

    for route in routes {
        for bad in ["Host: rebound.example\r\n", "Host: 0.0.0.0\r\n"] {
            let answer = host(route, bad).await;
            assert!(
                answer.starts_with("HTTP/1.1 403") && answer.contains("HOST_NOT_ALLOWED"),
                "{route} {bad}: {answer}"
            );
        }
        let twice = host(route, "Host: localhost\r\nHost: rebound.example\r\n").await;
        assert!(twice.starts_with("HTTP/1.1 400"), "{route}: {twice}");
        for good in [
            "localhost:1",
            "10.1.2.3:18789",
            "[::1]",
            "edge:18789",
            "home.example.org",
        ] {
            let answer = host(route, &format!("Host: {good}\r\n")).await;
            assert!(!answer.contains("HOST_NOT_ALLOWED"), "{route} {good}: {answer}");
        }
    }
    assert!(
        host("GET http://rebound.example/readyz", "Host: localhost\r\n")
            .await
            .starts_with("HTTP/1.1 403")
    );
}

/// Reads one answer to the end of its body, which has a length.
async fn read_answer(socket: &mut TcpStream) -> String {
    let mut answer = String::new();
    loop {
        if let Some((head, body)) = answer.split_once("\r\n\r\n") {
            let length = head.to_ascii_lowercase();
            let length = length.split_once("content-length: ").expect("a length").1;
            let length: usize = length.split("\r\n").next().unwrap().parse().unwrap();
            if body.len() >= length {
                return answer;
            }
        }
        let mut piece = [0; 4096];
        let read = timeout(Duration::from_secs(15), socket.read(&mut piece));
        let read = read.await.expect("an answer in time").expect("an answer");
        assert_ne!(read, 0, "the socket was closed within its answer: {answer}");
        answer.push_str(std::str::from_utf8(&piece[..read]).unwrap());
    }
}

/// Clients with a pool ask again on a socket whose answer does not say that it is over.
#[tokio::test]
async fn a_request_that_is_refused_before_its_body_has_come_costs_no_socket_without_a_word() {
    let gateway = Gateway::start().await;
    let json = "Content-Type: application/json\r\n";
    let refused = [
        ("401", "POST /rpc/agents.list", "Host: localhost\r\n"),
        (
            "401",
            "POST /v1/chat/completions",
            "Host: localhost\r\nAuthorization: Bearer wrong\r\n",
        ),
        ("403", "POST /rpc/agents.list", "Host: rebound.example\r\n"),
        ("404", "POST /nothing", "Host: localhost\r\n"),
        ("503", "POST /webhooks/webhook/nobody", "Host: localhost\r\n"),
        ("405", "PUT /rpc/agents.list", "Host: localhost\r\n"),
        ("405", "POST /healthz", "Host: localhost\r\n"),
    ];
    let mut kept = 0;
    for (status, route, headers) in refused {
        let mut socket = TcpStream::connect(&gateway.http).await.unwrap();
        let head = format!("{route} HTTP/1.1\r\n{headers}{json}Content-Length: 2\r\n\r\n");
        socket.write_all(head.as_bytes()).await.unwrap();
        // An answer that comes before the body has to say that it is the last one.
        let mut first = [0; 1];
        let early = timeout(Duration::from_millis(100), socket.peek(&mut first)).await;
        if early.is_err() {
            socket.write_all(b"{}").await.unwrap();
        }

        let answer = read_answer(&mut socket).await;

        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{route}: {answer}"
        );
        if answer.to_ascii_lowercase().contains("connection: close") {
            continue;
        }
        assert!(
            early.is_err(),
            "{route} is answered before its body as if the socket were kept: {answer}"
        );
        socket
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .unwrap();
        let next = read_answer(&mut socket).await;
        assert!(next.starts_with("HTTP/1.1 200"), "{route}: {next}");
        kept += 1;
    }
    assert!(kept > 0, "no socket was kept");
}
