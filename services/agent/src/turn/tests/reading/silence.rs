//! Answers that say nothing, or not all.

use super::*;

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
        (nothing, FailureKind::Silent, "without a word"),
        (
            "data: [DONE]\n\n".to_owned(),
            FailureKind::Silent,
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

#[tokio::test]
async fn an_error_behind_words_makes_no_whole_answer_of_them() {
    let half = events(&[says("The answer begins")]);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n";
    for (rest, part) in [
        (
            "data: {\"code\":500,\"message\":\"CUDA error\"}\n\n",
            "CUDA error",
        ),
        (
            "data: {\"detail\":\"Internal error: worker died\"}\n\n",
            "worker died",
        ),
        ("data: Error: worker died\n\n", "worker died"),
        ("Internal Server Error", "Internal Server Error"),
        (
            "event: exception\ndata: {\"message\":\"worker gone\"}\n\n",
            "worker gone",
        ),
        (
            "data: {\"message\":\"worker died\",\"code\":500}\n\ndata: [DONE]\n\n",
            "worker died",
        ),
        (
            "<html><head><title>502 Bad Gateway</title></head></html>",
            "502 Bad Gateway",
        ),
    ] {
        let body = format!("{half}{rest}");
        let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());

        let events = ask(&Server::says(answer).await).await;

        let failure = failed(&events);
        assert_eq!(text(&events), "The answer begins");
        assert_eq!(failure.kind(), FailureKind::Unavailable, "{}", failure.message);
        assert!(failure.message.contains(part), "{}", failure.message);
    }
}

#[tokio::test]
async fn a_document_without_an_answer_in_it_is_no_outage() {
    for (body, kind, part) in [
        (
            r#"{"id":"x","object":"chat.completion","choices":[]}"#,
            FailureKind::Empty,
            "choices is empty",
        ),
        (
            r#"{"id":"x","choices":null,"usage":{"prompt_tokens":1,"completion_tokens":0}}"#,
            FailureKind::Empty,
            "choices is empty",
        ),
        (
            r#"{"choices":[],"prompt_feedback":{"block_reason":"SAFETY"}}"#,
            FailureKind::Moderation,
            "a filter of provider p",
        ),
        (
            r#"{"choices":[{"message":{"role":"assistant","content":"Hello wor"#,
            FailureKind::Unavailable,
            "in the middle of its answer",
        ),
    ] {
        let failure = failed(&ask(&Server::says(json_body("200 OK", body)).await).await);

        assert_eq!(failure.kind(), kind, "{}", failure.message);
        assert!(failure.message.contains(part), "{}", failure.message);
    }
}
