//! What servers answer, byte by byte, and what becomes of it in a turn.

mod gaps;
mod letters;
mod silence;

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
async fn a_refusal_whose_words_are_packed_in_a_foreign_way_is_told_without_them() {
    let answer = "HTTP/1.1 400 Bad Request\r\ncontent-encoding: deflate\r\ncontent-length: 4\r\n\r\nzqzq";

    let failure = failed(&ask(&Server::says(answer).await).await);

    assert!(
        failure.message.contains("HTTP 400") && !failure.message.contains("zqzq"),
        "{}",
        failure.message
    );
}
