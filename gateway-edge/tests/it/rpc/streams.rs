//! Answers that are streams, large bodies, and what else a request by HTTP may say.

use super::*;

fn accepted() -> Vec<u8> {
    RunAgentResponse {
        run_id: "k".to_owned(),
        status: "accepted".to_owned(),
        ..RunAgentResponse::default()
    }
    .encode_to_vec()
}

const ASK: &str = r#"{"message":"hi","idempotencyKey":"k"}"#;

#[tokio::test]
async fn a_method_that_answers_more_than_once_is_an_event_stream_when_asked_for_and_else_its_last_payload() {
    let gateway = Gateway::start().await;
    let done = RunAgentResponse {
        status: "ok".to_owned(),
        ..RunAgentResponse::default()
    };
    gateway.answers("agent", Reply::Many(vec![accepted(), done.encode_to_vec()]));
    gateway.answers("agents.list", Reply::Json(AGENTS));

    let events = call(&gateway, "agent", "Accept: text/event-stream\r\n", ASK).await;
    let last = call(&gateway, "agent", "", ASK).await;
    let unary = call(&gateway, "agents.list", "Accept: text/event-stream\r\n", "").await;

    assert!(
        events.head.contains("content-type: text/event-stream"),
        "{}",
        events.head
    );
    let data: Vec<Value> = events
        .body
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|data| serde_json::from_str(data).unwrap())
        .collect();
    assert_eq!(data.len(), 2, "{}", events.body);
    assert_eq!(
        (&data[0]["status"], &data[1]["status"]),
        (&json!("accepted"), &json!("ok"))
    );
    assert_eq!((last.status, &last.json()["status"]), (200, &json!("ok")));
    assert_eq!(unary.json()["defaultId"], "main");
}

/// A call whose answer has not ended; the head and the first event are read.
async fn followed(gateway: &Gateway) -> TcpStream {
    let mut socket = TcpStream::connect(&gateway.http).await.unwrap();
    let request = request("agent", &bearer("Accept: text/event-stream\r\n"), ASK);
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut read = String::new();
    while !read.contains("data: ") {
        let mut buffer = [0; 1024];
        let count = timeout(Duration::from_secs(10), socket.read(&mut buffer)).await;
        let count = count.expect("the first event in time").unwrap();
        assert!(count > 0, "{read}");
        read.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    socket
}

#[tokio::test]
async fn a_new_token_ends_the_streams_of_the_old_one() {
    let gateway = Gateway::start().await;
    gateway.answers(
        "agent",
        Reply::First(r#"{"runId":"k","status":"accepted","sessionKey":"s","agentId":"main"}"#),
    );
    let mut socket = followed(&gateway).await;

    gateway.config.send_replace(Some(revision("{}", "another")));

    let mut rest = String::new();
    let read = timeout(Duration::from_secs(10), socket.read_to_string(&mut rest)).await;
    read.expect("the end in time").unwrap();
    assert!(
        rest.contains("event: error") && rest.contains("AUTH_CHANGED"),
        "{rest}"
    );
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_call_with_it() {
    let limits = Limits {
        requests_max: 1,
        waits_max: 1,
        ..Limits::default()
    };
    let gateway = Gateway::with(limits, Some(revision("{}", TOKEN))).await;
    gateway.answers("agents.list", Reply::Hang);
    gateway.answers(
        "agent",
        Reply::First(r#"{"runId":"k","status":"accepted","sessionKey":"s","agentId":"main"}"#),
    );
    let follower = followed(&gateway).await;
    let mut asker = TcpStream::connect(&gateway.http).await.unwrap();
    let hanging = request("agents.list", &bearer(""), "");
    asker.write_all(hanging.as_bytes()).await.unwrap();
    until("the call", async || !gateway.calls("agents.list").is_empty()).await;

    let busy = call(&gateway, "agents.list", "", "").await;
    let busy_wait = call(&gateway, "agent", "", ASK).await;
    assert_eq!(
        (busy.status, &busy.error()["details"]["reason"]),
        (429, &json!("HTTP_BUSY"))
    );
    assert_eq!(busy_wait.status, 429);
    assert!(busy.head.contains("retry-after: 1"), "{}", busy.head);
    drop((asker, follower));

    gateway.answers("agents.list", Reply::Json(AGENTS));
    gateway.answers("agent", Reply::Many(vec![accepted()]));
    until("the end of both calls", async || {
        call(&gateway, "agents.list", "", "").await.status == 200
            && call(&gateway, "agent", "", ASK).await.status == 200
    })
    .await;
}

#[tokio::test]
async fn a_body_may_be_as_large_as_its_sender_may_write() {
    let gateway = Gateway::start().await;
    gateway.answers("agents.list", Reply::Json(AGENTS));
    let declared = async |scopes: &str, bytes: usize| {
        let head = request("agents.list", &bearer(scopes), "");
        let head = head.replace("Content-Length: 0", &format!("Content-Length: {bytes}"));
        send(
            &gateway,
            &head.replace("Connection: close", "Connection: close\r\nExpect: 100-continue"),
        )
        .await
    };
    let reader = "Gatehouse-Scopes: operator.read\r\n";

    let small = declared(reader, 512 * 1024 + 1).await;
    let large = declared("", 25 * 1024 * 1024 + 1).await;
    // Without a length, it is counted as it comes.
    let chunk = "x".repeat(600 * 1024);
    let chunked = format!(
        "POST /rpc/agents.list HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{chunk}\r\n0\r\n\r\n",
        bearer(reader),
        chunk.len()
    );
    let chunked = send(&gateway, &chunked).await;

    for refused in [&small, &large, &chunked] {
        assert_eq!(
            (refused.status, &refused.error()["details"]["code"]),
            (413, &json!("BODY_TOO_LARGE"))
        );
    }
    assert_eq!(small.error()["details"]["maxBytes"], 512 * 1024);
    assert!(gateway.calls("agents.list").is_empty());
}

#[tokio::test]
async fn the_idempotency_key_of_the_header_becomes_the_parameter() {
    let gateway = Gateway::start().await;
    gateway.answers(
        "chat.send",
        Reply::Json(r#"{"runId":"from-header","status":"started"}"#),
    );

    let sent = call(
        &gateway,
        "chat.send",
        "Idempotency-Key: from-header\r\n",
        r#"{"sessionKey":"main","message":"hello"}"#,
    )
    .await;

    assert_eq!(sent.status, 200, "{}", sent.body);
    let request = SendChatRequest::decode(gateway.calls("chat.send").pop().unwrap().body).unwrap();
    assert_eq!(
        (&*request.idempotency_key, &*request.message),
        ("from-header", "hello")
    );
}
