//! Pauses between the pieces of an answer, of servers that give a reason to stop with each.

use tokio::time::sleep;

use super::*;

/// A server that says each piece after so many milliseconds, and leaves the connection open. Served by hand: the clock is paused.
async fn paced(pieces: Vec<(u64, String)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        question(&mut socket).await;
        socket.write_all(STREAM.as_bytes()).await.unwrap();
        for (pause, piece) in pieces {
            sleep(Duration::from_millis(pause)).await;
            if socket.write_all(piece.as_bytes()).await.is_err() {
                return; // nobody listens any more
            }
        }
        let _ = socket.read(&mut [0; 16]).await; // the other side leaves first
    });
    format!("http://{address}")
}

fn piece(delta: serde_json::Value, usage: bool) -> String {
    let mut document = json!({"choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}]});
    if usage {
        document["usage"] = json!({"prompt_tokens": 5, "completion_tokens": 7});
    }
    events(&[document])
}

async fn asked(pieces: Vec<(u64, String)>) -> (Vec<Event>, Duration) {
    let base = paced(pieces).await;
    let began = Instant::now();
    let mut asked = request(&["p/m"]);
    asked.timeout_ms = 3_600_000;
    let events = turn(asked, config(&base), tools()).await;
    (events, began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_reason_with_every_piece_cuts_no_answer() {
    let word = |text: &str, usage| piece(json!({"content": text}), usage);
    let thought = |text: &str| piece(json!({"reasoning_content": text}), false);
    let done = || (0, "data: [DONE]\n\n".to_owned());
    let slow = [300, 3_000, 45_000].map(|pause| {
        let usage = pause == 300;
        vec![
            (0, word("One ", usage)),
            (pause.min(20_000), word("two ", usage)),
            (pause, word("three", usage)),
            done(),
        ]
    });
    let after_thoughts = vec![
        (0, thought("hm ")),
        (500, thought("more ")),
        (3_000, word("One two three", false)),
        done(),
    ];
    let empty_first = vec![
        (0, piece(json!({"role": "assistant", "content": ""}), false)),
        (2_600, events(&[says("One two three")])),
        (0, piece(json!({}), false)),
        done(),
    ];
    let behind_a_thought = vec![
        (0, events(&[says("<think>hm</think>")])),
        (0, word("One ", false)),
        (2_500, word("two three", false)),
        done(),
    ];
    for pieces in slow
        .into_iter()
        .chain([after_thoughts, empty_first, behind_a_thought])
    {
        let (events, _) = asked(pieces.clone()).await;

        assert_eq!(text(&events), "One two three", "{pieces:?}");
        assert_eq!(completed(&events).stop_reason, "stop", "{pieces:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_more_behind_a_reason_is_an_end_soon_where_it_stands_alone_and_later_beside_words() {
    let alone = vec![(0, events(&[says("Hello"), stops("stop")]))];
    let (events, took) = asked(alone).await;
    assert_eq!(
        (text(&events).as_str(), completed(&events).stop_reason.as_str()),
        ("Hello", "stop")
    );
    assert!(took < Duration::from_secs(4), "{took:?}");

    let beside = vec![(0, piece(json!({"content": "Hello"}), true))];
    let (events, took) = asked(beside).await;
    assert_eq!(
        (text(&events).as_str(), completed(&events).stop_reason.as_str()),
        ("Hello", "stop")
    );
    assert!(took < Duration::from_secs(40), "{took:?}");
}

#[tokio::test]
async fn a_connection_that_breaks_between_pieces_with_a_reason_each_breaks_the_answer() {
    let body = [
        piece(json!({"content": "One "}), false),
        piece(json!({"content": "two "}), false),
    ]
    .concat();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let server = Server::says(format!("{head}{:x}\r\n{body}\r\n", body.len())).await;

    let events = ask(&server).await;

    assert_eq!(
        (text(&events).as_str(), failed(&events).kind()),
        ("One two ", FailureKind::Unavailable)
    );
}
