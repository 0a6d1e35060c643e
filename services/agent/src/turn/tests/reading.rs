//! What servers answer, byte by byte, and what becomes of it in a turn.

use super::*;

/// A server that says these bytes to each question, and then hangs up or stays.
struct Server {
    base: String,
    asked: Arc<std::sync::atomic::AtomicUsize>,
    _task: tokio_util::task::AbortOnDropHandle<()>,
}

impl Server {
    async fn says(bytes: impl Into<Vec<u8>>) -> Self {
        Self::start(bytes.into(), false).await
    }

    /// It leaves the connection open.
    async fn stays(bytes: impl Into<Vec<u8>>) -> Self {
        Self::start(bytes.into(), true).await
    }

    async fn start(bytes: Vec<u8>, stays: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<std::sync::atomic::AtomicUsize> = Arc::default();
        let count = Arc::clone(&asked);
        let task = tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut socket, _)) = listener.accept().await {
                count.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
                question(&mut socket).await;
                socket.write_all(&bytes).await.unwrap();
                if stays {
                    open.push(socket);
                } else {
                    socket.shutdown().await.unwrap();
                    let _ = socket.read(&mut [0; 16]).await; // the other side reads first
                }
            }
        });
        Self {
            base,
            asked,
            _task: tokio_util::task::AbortOnDropHandle::new(task),
        }
    }

    fn asked(&self) -> usize {
        self.asked.load(std::sync::atomic::Ordering::Acquire)
    }
}

/// Reads a request to the end of its body.
async fn question(socket: &mut tokio::net::TcpStream) {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let bytes = socket.read(&mut buffer).await.unwrap();
        read.extend_from_slice(&buffer[..bytes]);
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_lowercase()
                    .strip_prefix("content-length:")?
                    .trim()
                    .parse::<usize>()
                    .ok()
            });
            if bytes == 0 || body.len() >= length.unwrap_or(0) {
                return;
            }
        }
        if bytes == 0 {
            return;
        }
    }
}

const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

fn events(documents: &[serde_json::Value]) -> String {
    documents
        .iter()
        .map(|document| format!("data: {document}\n\n"))
        .collect()
}

fn says(text: &str) -> serde_json::Value {
    json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]})
}

fn stops(reason: &str) -> serde_json::Value {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

fn completed(events: &[Event]) -> &Completed {
    match events.last() {
        Some(Event::Completed(completed)) => completed,
        other => panic!("not completed: {other:?}"),
    }
}

async fn ask(server: &Server) -> Vec<Event> {
    turn(request(&["p/m"]), config(&server.base), tools()).await
}

fn json_body(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn an_answer_whose_connection_stays_open_ends_soon_after_its_reason() {
    let body = events(&[says("Hello there"), stops("stop")]);
    let server = Server::stays(format!("{STREAM}{body}")).await;
    let began = std::time::SystemTime::now();

    let events = ask(&server).await;

    assert_eq!(
        (text(&events).as_str(), completed(&events).stop_reason.as_str()),
        ("Hello there", "stop")
    );
    assert!(
        began.elapsed().unwrap() < Duration::from_secs(30),
        "not after the longest silence"
    );
}

#[tokio::test]
async fn a_last_line_without_an_end_counts_although_the_connection_stays_open() {
    let document = r#"{"choices":[{"message":{"content":"Hello there"},"finish_reason":"stop"}]}"#;
    for body in [
        format!("{}data: {}", events(&[says("Hello there")]), stops("stop")),
        format!("{}data: [DONE]", events(&[says("Hello there")])),
        document.to_owned(),
    ] {
        let events = ask(&Server::stays(format!("{STREAM}{body}")).await).await;

        assert_eq!(text(&events), "Hello there", "{body}");
        assert_eq!(completed(&events).stop_reason, "stop", "{body}");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_behind_a_whole_answer_does_not_break_the_answer() {
    let body = events(&[says("Hello there"), stops("stop")]);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    for rest in ["", "5\r\nda", "zz\r\n"] {
        let server = Server::says(format!("{head}{:x}\r\n{body}\r\n{rest}", body.len())).await;

        let events = ask(&server).await;

        assert_eq!(
            (text(&events).as_str(), completed(&events).stop_reason.as_str()),
            ("Hello there", "stop"),
            "{rest:?}"
        );
    }
    let done = format!("{STREAM}{}data: [DONE]", events(&[says("Hello there")]));
    assert_eq!(
        completed(&ask(&Server::says(done).await).await).stop_reason,
        "stop"
    );
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_called_whole() {
    let half = events(&[says("half")]);
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    for answer in [
        format!("{STREAM}{half}"),
        format!("{chunked}{:x}\r\n{half}\r\nff\r\nda", half.len()),
        format!("HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n{half}"),
    ] {
        let events = ask(&Server::says(answer.clone()).await).await;

        assert_eq!(
            (text(&events).as_str(), failed(&events).kind()),
            ("half", FailureKind::Unavailable),
            "{answer}"
        );
    }
    // A server that says nothing of the end, and all of the body came.
    let whole = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{half}", half.len());
    assert_eq!(
        completed(&ask(&Server::says(whole).await).await).stop_reason,
        "stop"
    );
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_read() {
    let body = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello there"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#;
    let server = Server::says(json_body("200 OK", body)).await;

    let events = ask(&server).await;

    assert_eq!(
        (
            text(&events).as_str(),
            completed(&events).usage.unwrap().total_tokens
        ),
        ("Hello there", 3)
    );
}

#[tokio::test]
async fn a_body_that_cannot_be_unpacked_is_said_to_be_one() {
    let answer = "HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 3\r\n\r\nxyz";

    let failure = failed(&ask(&Server::says(answer).await).await);

    assert!(
        failure.message.contains("nobody asked for: br"),
        "{}",
        failure.message
    );
}

#[tokio::test]
async fn an_error_inside_a_success_is_told_with_its_reason_and_without_a_status_of_our_own() {
    let limited = json!({"error": {"code": 429, "message": "Provider returned error", "metadata": {"raw": "upstream is temporarily rate-limited"}}});
    let missing = r#"{"error":{"message":"Invalid model: foo","type":"invalid_request_error","code":400}}"#;
    for (answer, kind, part) in [
        (
            format!("{STREAM}data: {limited}\n\n"),
            FailureKind::RateLimit,
            "upstream is temporarily rate-limited",
        ),
        (
            json_body("200 OK", missing),
            FailureKind::ModelMissing,
            "Invalid model: foo",
        ),
    ] {
        let failure = failed(&ask(&Server::says(answer).await).await);

        assert_eq!(failure.kind(), kind, "{}", failure.message);
        assert!(
            failure.message.contains(part) && !failure.message.contains("HTTP 5"),
            "{}",
            failure.message
        );
    }
}

#[tokio::test]
async fn silence_is_no_success_and_the_next_model_is_asked() {
    let only_thought = events(&[
        json!({"choices": [{"delta": {"content": "", "reasoning": "I think so"}}]}),
        stops("length"),
    ]);
    let nothing = events(&[
        json!({"choices": [{"delta": {"role": "assistant"}}]}),
        stops("stop"),
    ]) + "data: [DONE]\n\n";
    for (body, kind, part) in [
        (
            only_thought,
            FailureKind::Empty,
            "used up its tokens for thinking",
        ),
        (nothing, FailureKind::Empty, "without a word"),
        (
            "data: [DONE]\n\n".to_owned(),
            FailureKind::Empty,
            "without a word",
        ),
        (
            events(&[stops("content_filter")]),
            FailureKind::Moderation,
            "filter",
        ),
    ] {
        let server = Server::says(format!("{STREAM}{body}")).await;
        let alone = failed(&ask(&server).await);
        assert_eq!((alone.kind(), server.asked()), (kind, 1), "{}", alone.message);
        assert!(alone.message.contains(part), "{}", alone.message);

        let next = turn(request(&["p/m", "echo/echo"]), config(&server.base), tools()).await;
        assert!(text(&next).starts_with("hello"), "{next:?}");
        assert!(
            completed(&next).content.is_none(),
            "the thoughts of the first are no part of the answer"
        );
    }
}

#[tokio::test]
async fn what_a_template_began_as_a_thought_is_none_of_the_answer() {
    let body = events(&[
        says("It greets me.\n</thi"),
        says("nk>\n\nHello"),
        says(" there"),
        stops("stop"),
    ]);
    let server = Server::says(format!("{STREAM}{body}")).await;

    let events = ask(&server).await;

    let content = gatehouse_core::Content::try_from(completed(&events).content.clone().unwrap()).unwrap();
    assert_eq!(
        content.to_json(),
        r#"[{"type":"thinking","thinking":"It greets me.\n"},{"type":"text","text":"Hello there"}]"#
    );
}

#[tokio::test]
async fn an_answer_that_reached_its_limit_is_kept_and_says_so() {
    let body = events(&[says("Once upon"), stops("length")]);
    let server = Server::says(format!("{STREAM}{body}")).await;

    let events = ask(&server).await;

    assert_eq!(
        (text(&events).as_str(), completed(&events).stop_reason.as_str()),
        ("Once upon", "length")
    );
}

#[tokio::test]
async fn nothing_that_lies_with_one_conversation_leaves_a_provider_alone() {
    let too_long = json_body("400 Bad Request", r#"{"error":{"message":"prompt is too long"}}"#);
    let server = Server::says(too_long).await;
    let tools = tools();

    for _ in 0..5 {
        let failure = failed(&turn(request(&["p/m"]), config(&server.base), tools.clone()).await);
        assert_eq!(failure.kind(), FailureKind::Context, "{}", failure.message);
    }

    assert_eq!(server.asked(), 5, "asked each time, and once");
}

#[tokio::test]
async fn the_health_of_the_service_names_the_provider_that_fails_until_it_answers() {
    use gatehouse_core::health::State;
    let health = gatehouse_core::health::Health::new();
    let tools = Tools {
        failing: Arc::new(crate::failing::Failing::new(health.clone())),
        ..tools()
    };
    let (gone, well) = (
        config("http://127.0.0.1:1"),
        Server::says(format!("{STREAM}{}", events(&[says("Hi"), stops("stop")]))).await,
    );

    let failure = failed(&turn(request(&["gone/m"]), gone, tools.clone()).await);

    assert!(
        failure.message.contains("http://127.0.0.1:1: connection refused"),
        "{}",
        failure.message
    );
    assert_eq!(
        health.current(),
        State::Degraded(failure.message),
        "the same reason"
    );
    let answered = json!({"models": {"providers": {"gone": {"baseUrl": format!("{}/v1", well.base)}}}});
    turn(
        request(&["gone/m"]),
        Arc::new(serde_json::from_value(answered).unwrap()),
        tools,
    )
    .await;
    assert_eq!(health.current(), State::Serving);
}
