//! What was shown, what is kept secret, and how thinking is read.

use super::*;

#[tokio::test]
async fn cancelling_ends_the_providers_connection() {
    let (address, closed) = endless_provider().await;
    let (sender, mut receiver) = mpsc::channel(8);
    let running = tokio::spawn(run(
        request(&["p/m"]).try_into().unwrap(),
        Bounds::TURN,
        config(&format!("http://{address}")),
        tools(),
        sender,
    ));
    while !matches!(receiver.recv().await.unwrap().event, Some(Event::TextDelta(_))) {}

    drop(receiver);

    tokio::time::timeout(Duration::from_secs(10), closed)
        .await
        .expect("the provider sees the end")
        .unwrap();
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_turns_own_limit_ends_it() {
    let mut limited = request(&["echo/echo"]);
    limited.messages[0].text = "[[echo tokens=1000 delay=1000]]".into();
    limited.timeout_ms = 2_500;

    let events = turn(limited, config("http://127.0.0.1:1"), tools()).await;

    assert_eq!(failed(&events).kind(), FailureKind::Timeout);
    assert_eq!(text(&events), "w0 w1 w2");
}

/// A provider that streams one word and then nothing. The receiver hears when its connection is closed.
async fn endless_provider() -> (SocketAddr, tokio::sync::oneshot::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (open, closed) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: {\"choices\":[{\"delta\":{\"content\":\"one\"}}]}\n\n";
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut rest = [0; 1024];
        while !matches!(socket.read(&mut rest).await, Ok(0) | Err(_)) {}
        let _ = open.send(());
    });
    (address, closed)
}

#[tokio::test]
async fn thinking_in_both_spellings_is_read_once_and_an_endless_one_is_stopped() {
    let server = MockServer::start().await;
    let word = "x".repeat(512 * 1024);
    let both = json!({"choices": [{"delta": {"reasoning": "hm", "reasoning_content": "hm"}}]});
    let endless = json!({"choices": [{"delta": {"reasoning": word}}]});
    let body = format!("data: {both}\n\n{}", format!("data: {endless}\n\n").repeat(100));
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(body, "text/event-stream"))
        .mount(&server)
        .await;

    let events = turn(request(&["p/m"]), config(&server.uri()), tools()).await;

    let thoughts: Vec<&str> = events
        .iter()
        .filter_map(|event| match event {
            Event::ThinkingDelta(delta) => Some(&*delta.text),
            _ => None,
        })
        .collect();
    assert_eq!((thoughts[0], thoughts[1].len()), ("hm", word.len()));
    let failure = failed(&events);
    assert_eq!(failure.kind(), FailureKind::Empty, "thoughts alone are no answer");
    assert!(
        failure.message.contains("thought without an end"),
        "{}",
        failure.message
    );
    assert!(thoughts.len() < 100, "not read to its end");
}

#[tokio::test]
async fn a_server_that_writes_null_for_nothing_is_understood() {
    let server = MockServer::start().await;
    let chunks = "data: {\"choices\":[{\"delta\":{\"content\":\"yes\",\"reasoning\":null},\"finish_reason\":null}],\"usage\":null}\n\n\
                  data: {\"choices\":[{\"delta\":null,\"finish_reason\":\"stop\"}]}\n\n\
                  data: {\"choices\":null,\"usage\":{\"prompt_tokens\":null,\"completion_tokens\":1}}\n\ndata: [DONE]\n\n";
    let response = ResponseTemplate::new(200).set_body_raw(chunks, "text/event-stream");
    Mock::given(method("POST"))
        .respond_with(response)
        .expect(1)
        .mount(&server)
        .await;

    let events = turn(request(&["p/m"]), config(&server.uri()), tools()).await;

    assert_eq!(text(&events), "yes");
    assert!(matches!(events.last(), Some(Event::Completed(_))), "{events:?}");
}

#[tokio::test]
async fn what_was_thought_before_an_outage_keeps_nobody_from_asking_on() {
    let thought = "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"}}]}\n\n";
    let limit = "data: {\"error\":{\"message\":\"Rate limit exceeded\",\"code\":429}}\n\n";
    for body in [thought.to_owned(), format!("{thought}{limit}")] {
        let server = MockServer::start().await;
        let response = ResponseTemplate::new(200).set_body_raw(body, "text/event-stream");
        Mock::given(method("POST"))
            .respond_with(response)
            .expect(2)
            .mount(&server)
            .await;

        let events = turn(request(&["p/m", "echo/echo"]), config(&server.uri()), tools()).await;

        assert!(text(&events).starts_with("hello"), "{events:?}");
        let Some(Event::Completed(done)) = events.last() else {
            panic!("{events:?}")
        };
        assert!(
            done.content.is_none(),
            "what was thought in vain is no part of it"
        );
    }
}

#[tokio::test]
async fn no_part_of_an_address_and_no_key_comes_back_in_a_refusal() {
    let server = MockServer::start().await;
    let echo = |request: &wiremock::Request| {
        let authorization = request
            .headers
            .get("authorization")
            .map(|value| value.to_str().unwrap().to_owned());
        let words = format!(
            "refused {} for {:?} by {:?}",
            request.url,
            authorization,
            request.headers.get("x-key")
        );
        ResponseTemplate::new(401).set_body_json(json!({"error": {"message": words}}))
    };
    Mock::given(method("POST"))
        .respond_with(echo)
        .mount(&server)
        .await;
    let address = server.uri().replace("http://", "http://me:hunter2@")
        + "/v1/?key=query-secret&api-version=2024-10-21";

    for provider in [
        json!({"baseUrl": address}),
        json!({"baseUrl": address, "apiKey": KEY, "headers": {"x-key": "header-secret"}}),
    ] {
        let config = serde_json::from_value(json!({"models": {"providers": {"p": provider}}})).unwrap();
        let events = turn(request(&["p/m"]), Arc::new(config), tools()).await;

        let told = format!("{events:?}");
        assert!(
            told.contains("2024-10-21") && told.contains("/v1/chat/completions?"),
            "{told}"
        );
        for secret in ["hunter2", "query-secret", KEY, "header-secret", "bWU6aHVudGVyMg"] {
            assert!(!told.contains(secret), "{secret}: {told}");
        }
    }
}

/// The proxy variables of this process would be those of every test in it, so the test runs itself again with them.
#[tokio::test]
async fn calls_to_this_machine_ignore_the_proxy_of_the_environment() {
    if std::env::var_os("GATEHOUSE_TEST_BEHIND_PROXY").is_some() {
        let server = MockServer::start().await;
        let answer = "data: {\"choices\":[{\"delta\":{\"content\":\"here\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(200).set_body_raw(answer, "text/event-stream"))
            .mount(&server)
            .await;
        let events = turn(request(&["p/m"]), config(&server.uri()), tools()).await;
        assert_eq!(text(&events), "here");
        return;
    }
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    proxy.set_nonblocking(true).unwrap();

    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "turn::tests::calls_to_this_machine_ignore_the_proxy_of_the_environment",
        ])
        .envs([
            ("GATEHOUSE_TEST_BEHIND_PROXY", "1"),
            ("HTTP_PROXY", &address),
            ("http_proxy", &address),
        ])
        .envs([("ALL_PROXY", &address), ("all_proxy", &address)])
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .unwrap();

    assert!(
        child.status.success(),
        "{}",
        String::from_utf8_lossy(&child.stdout)
    );
    assert!(proxy.accept().is_err(), "nobody came to the proxy");
}

#[tokio::test]
async fn thinking_that_comes_as_parts_is_kept_beside_the_answer() {
    let server = MockServer::start().await;
    let parts = json!([{"type": "thinking", "thinking": [{"type": "text", "text": "Let me see."}]}]);
    let thought = json!({"choices": [{"delta": {"content": parts}}]});
    let said = json!({"choices": [{"delta": {"content": "Hello there"}, "finish_reason": "stop"}]});
    let body = format!("data: {thought}\n\ndata: {said}\n\ndata: [DONE]\n\n");
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(body, "text/event-stream"))
        .mount(&server)
        .await;

    let events = turn(request(&["p/m"]), config(&server.uri()), tools()).await;

    assert_eq!(text(&events), "Hello there");
    let Some(Event::Completed(done)) = events.last() else {
        panic!("{events:?}")
    };
    let content = gatehouse_core::Content::try_from(done.content.clone().unwrap()).unwrap();
    assert_eq!(
        content.to_json(),
        r#"[{"type":"thinking","thinking":"Let me see."},{"type":"text","text":"Hello there"}]"#
    );
}
