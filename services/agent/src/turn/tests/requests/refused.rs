//! What servers refuse of a request that others take, and what is sent instead.

use super::*;

/// Asks twice with these fields, of a server that refuses what `refuses` says, and gives back what it was sent.
async fn asked(
    provider: Value,
    thinking: Option<&str>,
    refuses: impl Fn(&Value) -> Option<String> + Send + Sync + 'static,
) -> Vec<Value> {
    let server = server(
        move |request: &Request| match refuses(&request.body_json().unwrap()) {
            Some(words) => refusal(400, &words),
            None => stream(&["fine"]),
        },
    )
    .await;
    let tools = tools();
    for _ in 0..2 {
        let asked = RunTurnRequest {
            thinking_level: thinking.map(str::to_owned),
            ..request(&["p/m"])
        };
        let config = configured(&server.uri(), provider.clone(), json!({}));
        let events = turn(asked, config, tools.clone()).await;
        assert!(completed(&events), "{events:?}");
    }
    bodies(&server).await
}

#[tokio::test]
async fn a_server_that_takes_no_answer_so_long_is_asked_for_a_shorter_one_and_remembered() {
    let window = |most: u64| {
        format!(
            "This model's maximum context length is 4096 tokens. However, you requested {} tokens (12 in the messages, {most} in the completion). Please reduce the length of the messages or completion.",
            most + 12
        )
    };
    let bound = |_: u64| {
        "max_tokens is too large: 100000. This model supports at most 2048 completion tokens, whereas you provided 100000.".to_owned()
    };
    let words: [Box<dyn Fn(u64) -> String + Send + Sync>; 2] = [Box::new(window), Box::new(bound)];
    for words in words {
        let bodies = asked(json!({"maxTokens": 100_000}), None, move |body| {
            let most = body["max_tokens"].as_u64().unwrap();
            (most > 4_000).then(|| words(most))
        })
        .await;

        let sent: Vec<_> = bodies.iter().map(|body| &body["max_tokens"]).collect();
        assert_eq!(sent, [100_000, 2_048, 2_048], "refused once");
        assert!(
            bodies[1].get("stream_options").is_some(),
            "nothing else is left out"
        );
    }
}

#[tokio::test]
async fn a_model_that_cannot_be_told_how_hard_to_think_is_found_out_by_its_servers_words() {
    for words in [
        "\"llama3.2:latest\" does not support thinking",
        "Argument not supported on this model: reasoningEffort",
        "Unable to submit request because thinking is not supported by this model.",
        "`reasoning_effort` must be one of `none` or `default`",
        "`reasoning_effort` is not supported with this model",
    ] {
        let bodies = asked(json!({}), Some("high"), move |body| {
            body.get("reasoning_effort").map(|_| words.to_owned())
        })
        .await;

        let told: Vec<_> = bodies
            .iter()
            .map(|body| {
                (
                    body.get("reasoning_effort").is_some(),
                    body.get("stream_options").is_some(),
                )
            })
            .collect();
        assert_eq!(told, [(true, true), (false, true), (false, true)], "{words}");
    }
}

#[tokio::test]
async fn a_key_that_no_header_can_carry_is_told_by_its_own_name_and_what_editors_leave_around_one_is_no_part_of_it()
 {
    for key in ["k-1\n\n", "\u{feff}k-1\r\n", "  k-1  "] {
        let server = server(stream(&["fine"])).await;
        let config = configured(&server.uri(), json!({"apiKey": key}), json!({}));

        let events = turn(request(&["p/m"]), config, tools()).await;

        assert!(completed(&events), "{events:?}");
        let requests = server.received_requests().await.unwrap();
        assert_eq!(requests[0].headers["authorization"], "Bearer k-1", "{key:?}");
    }
    let two = configured("http://127.0.0.1:1", json!({"apiKey": "k-1\nk-2\n"}), json!({}));
    let failure = failed(&turn(request(&["p/m"]), two, tools()).await);
    assert!(
        failure
            .message
            .contains("models.providers.p.apiKey holds more than one line"),
        "{}",
        failure.message
    );
}
