//! How long models are waited for, and when they are asked again.

use tokio::time::sleep;

use super::requests::{bodies, completed, configured, refusal, server};
use super::*;

/// A provider that says nothing for a time, and then answers. Served by hand: the clock is paused.
async fn slow(head: Duration, word: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut asked = [0; 4096];
                let _ = socket.read(&mut asked).await;
                sleep(head).await;
                let _ = socket
                    .write_all(
                        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n",
                    )
                    .await;
                sleep(word).await;
                let answer = "data: {\"choices\":[{\"delta\":{\"content\":\"here\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
                let _ = socket.write_all(answer.as_bytes()).await;
            });
        }
    });
    address
}

#[tokio::test(start_paused = true)]
async fn a_model_that_is_loaded_first_or_thinks_in_silence_is_waited_for_as_long_as_the_configuration_says() {
    for (head, word) in [(75, 0), (0, 400), (300, 290)] {
        let address = slow(Duration::from_secs(head), Duration::from_secs(word)).await;
        let mut asked = request(&["p/m"]);
        asked.timeout_ms = 3_600_000;

        let events = turn(asked, config(&format!("http://{address}")), tools()).await;

        assert_eq!(text(&events), "here", "{head} {word}: {events:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_over_names_the_key_that_bounds_it_and_the_model_is_not_asked_again() {
    let address = slow(Duration::from_secs(75), Duration::ZERO).await;
    let began = Instant::now();
    let limited = json!({"timeoutSeconds": 70});

    let failure = failed(
        &turn(
            request(&["p/m"]),
            configured(&format!("http://{address}"), limited.clone(), json!({})),
            tools(),
        )
        .await,
    );
    assert_eq!(failure.kind(), FailureKind::Timeout);
    assert!(
        failure.message.contains("agents.defaults.timeoutSeconds"),
        "the turn's own bound of 60 s: {}",
        failure.message
    );

    let mut asked = request(&["p/m"]);
    asked.timeout_ms = 600_000;
    let failure = failed(
        &turn(
            asked,
            configured(&format!("http://{address}"), limited, json!({})),
            tools(),
        )
        .await,
    );
    assert!(
        failure.message.contains("70 s") && failure.message.contains("models.providers.p.timeoutSeconds"),
        "{}",
        failure.message
    );
    assert_eq!(began.elapsed().as_secs(), 60 + 70, "asked once each");
}

#[tokio::test]
async fn a_provider_is_asked_again_not_before_it_said() {
    let server = MockServer::start().await;
    let limited = refusal(429, "slow down").insert_header("retry-after-ms", "300");
    Mock::given(method("POST"))
        .respond_with(limited)
        .up_to_n_times(1)
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .respond_with(stream(&["now"]))
        .mount(&server)
        .await;
    let began = Instant::now();

    let events = turn(request(&["p/m"]), config(&server.uri()), tools()).await;

    assert!(completed(&events), "{events:?}");
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn a_wait_that_is_too_long_for_a_turn_is_told_and_not_sat_out() {
    let limited = refusal(429, "slow down")
        .insert_header("date", "Fri, 27 Nov 2026 10:14:00 GMT")
        .insert_header("retry-after", "Fri, 27 Nov 2026 10:14:52 GMT");
    let server = server(limited).await;

    let failure = failed(&turn(request(&["p/m"]), config(&server.uri()), tools()).await);

    assert_eq!(failure.kind(), FailureKind::RateLimit);
    assert!(
        failure.message.ends_with("try again in 52 s"),
        "{}",
        failure.message
    );
    assert_eq!(bodies(&server).await.len(), 1);
}

#[tokio::test]
async fn a_limit_is_no_outage_and_a_repaired_entry_starts_afresh() {
    let server = server(refusal(429, "slow down").insert_header("retry-after", "600")).await;
    let tools = tools();
    for _ in 0..4 {
        let failure = failed(&turn(request(&["p/m"]), config(&server.uri()), tools.clone()).await);
        assert!(!failure.message.contains("circuit open"), "{}", failure.message);
    }
    assert_eq!(bodies(&server).await.len(), 4);

    let away = || configured("http://127.0.0.1:1", json!({}), json!({}));
    for _ in 0..2 {
        turn(request(&["p/m"]), away(), tools.clone()).await;
    }
    let alone = failed(&turn(request(&["p/m"]), away(), tools.clone()).await);
    assert!(
        alone.message.contains("not asked for 30 s more (circuit open)"),
        "{}",
        alone.message
    );
    assert_eq!(alone.kind(), FailureKind::Unavailable);

    let good = self::server(stream(&["back"])).await;
    let events = turn(
        request(&["p/m"]),
        configured(&good.uri(), json!({}), json!({})),
        tools,
    )
    .await;
    assert_eq!(text(&events), "back");
}
