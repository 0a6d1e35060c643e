//! The fields of a request, and how a server is found out.

use super::*;

#[tokio::test]
async fn a_server_that_does_not_know_a_field_is_asked_without_it_and_remembered() {
    let server = server(|request: &Request| {
        let body: Value = request.body_json().unwrap();
        match body.get("stream_options") {
            Some(_) => refusal(400, "Unrecognized request argument supplied: stream_options"),
            None => stream(&["fine"]),
        }
    })
    .await;
    let tools = tools();

    for _ in 0..2 {
        let events = turn(request(&["p/m"]), config(&server.uri()), tools.clone()).await;
        assert!(completed(&events), "{events:?}");
    }
    assert_eq!(bodies(&server).await.len(), 3, "refused once");

    let told = json!({"compat": {"supportsUsageInStreaming": false}});
    let events = turn(
        request(&["p/m"]),
        configured(&server.uri(), told, json!({})),
        self::tools(),
    )
    .await;
    assert!(completed(&events));
    assert_eq!(bodies(&server).await.len(), 4, "told before");
}

#[tokio::test]
async fn a_server_that_refuses_without_a_word_is_asked_once_more_in_the_plainest_form() {
    let server = server(|request: &Request| {
        let body: Value = request.body_json().unwrap();
        match body.get("stream_options") {
            Some(_) => ResponseTemplate::new(400),
            None => stream(&["fine"]),
        }
    })
    .await;

    assert!(completed(
        &turn(request(&["p/m"]), config(&server.uri()), tools()).await
    ));
}

#[tokio::test]
async fn the_bound_of_an_answer_is_sent_under_the_name_that_the_server_takes() {
    let server = server(|request: &Request| {
        let body: Value = request.body_json().unwrap();
        match body.get("max_completion_tokens") {
            Some(bound) if *bound == 77 => stream(&["fine"]),
            _ => refusal(400, "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."),
        }
    })
    .await;
    let bounded = json!({"maxTokens": 77});

    let events = turn(
        request(&["p/m"]),
        configured(&server.uri(), bounded, json!({})),
        tools(),
    )
    .await;

    assert!(completed(&events), "{events:?}");
    assert_eq!(bodies(&server).await.len(), 2);
}

#[tokio::test]
async fn parameters_and_headers_of_provider_model_and_agent_are_sent() {
    let server = MockServer::start().await;
    let expected = json!({"temperature": 0.1, "top_p": 0.5, "seed": 7, "reasoning": {"effort": "low"}});
    Mock::given(body_partial_json(expected))
        .and(header("x-team", "home"))
        .and(header("x-model", "one"))
        .and(header("accept-encoding", "identity"))
        .respond_with(stream(&["fine"]))
        .expect(1)
        .mount(&server)
        .await;
    let provider = json!({"headers": {"x-team": "home"}, "params": {"temperature": 0.9, "topP": 0.5},
        "models": [{"id": "m", "headers": {"x-model": "one"}, "params": {"extra_body": {"reasoning": {"effort": "low"}}}}]});
    let agents = json!({"entries": {"clerk": {"params": {"temperature": 0.1}, "models": {"p/m": {"params": {"seed": 7}}}}}});
    let mut asked = request(&["p/m"]);
    asked.agent_id = Some("clerk".to_owned());

    let events = turn(asked, configured(&server.uri(), provider, agents), tools()).await;

    assert!(completed(&events), "{events:?}");
}

#[tokio::test]
async fn the_key_is_a_bearer_token_unless_the_document_has_another_header_for_it() {
    for (own, expected) in [
        (json!({}), true),
        (json!({"authHeader": true}), true),
        (json!({"authHeader": false}), false),
    ] {
        let server = server(stream(&["fine"])).await;
        let mut provider = json!({"apiKey": "k-1", "headers": {"api-key": "k-1"}});
        provider
            .as_object_mut()
            .unwrap()
            .extend(own.as_object().unwrap().clone());

        let events = turn(
            request(&["p/m"]),
            configured(&server.uri(), provider, json!({})),
            tools(),
        )
        .await;

        assert!(completed(&events), "{events:?}");
        let requests = server.received_requests().await.unwrap();
        let sent = &requests[0].headers;
        assert_eq!(sent.contains_key("authorization"), expected, "{own}");
        assert_eq!(sent["api-key"], "k-1");
    }
}

#[tokio::test]
async fn a_provider_is_told_the_trace_only_where_the_document_says_so() {
    for (own, expected) in [(json!({}), false), (json!({"sendTrace": true}), true)] {
        let server = server(stream(&["fine"])).await;
        let context = trace::Context::new();

        let asked = turn(
            request(&["p/m"]),
            configured(&server.uri(), own, json!({})),
            tools(),
        );
        let events = trace::within(context, asked).await;

        assert!(completed(&events), "{events:?}");
        let requests = server.received_requests().await.unwrap();
        let told = requests[0].headers.get(trace::TRACEPARENT);
        let told = told.map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(told, expected.then(|| context.to_string()));
    }
}

#[tokio::test]
async fn an_address_with_a_query_and_one_with_the_whole_endpoint_are_asked_at_the_right_place() {
    let server = MockServer::start().await;
    Mock::given(path("/openai/deployments/gpt/chat/completions"))
        .and(query_param("api-version", "2024-10-21"))
        .respond_with(stream(&["azure"]))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(path("/v1/chat/completions"))
        .and(query_param_is_missing("api-version"))
        .respond_with(stream(&["pasted"]))
        .expect(1)
        .mount(&server)
        .await;

    for (below, said) in [
        ("/openai/deployments/gpt?api-version=2024-10-21", "azure"),
        ("/v1/chat/completions", "pasted"),
    ] {
        let address = json!({"baseUrl": format!("{}{below}", server.uri())});
        let events = turn(request(&["p/m"]), configured("", address, json!({})), tools()).await;
        assert_eq!(text(&events), said, "{events:?}");
    }
}

#[tokio::test]
async fn what_the_echo_said_is_no_part_of_what_a_model_reads() {
    let server = server(stream(&["hi"])).await;
    let said = |role: Role, text: &str, provider: Option<&str>| TurnMessage {
        role: role.into(),
        text: text.to_owned(),
        content: None,
        provider: provider.map(str::to_owned),
    };
    let mut asked = request(&["p/m"]);
    let question = asked.messages.pop().unwrap();
    asked.messages = vec![
        said(Role::User, "anybody there?", None),
        said(
            Role::Assistant,
            "anybody there? (This is the echo agent)",
            Some("echo"),
        ),
        question,
    ];

    let events = turn(asked, config(&server.uri()), tools()).await;

    assert!(completed(&events), "{events:?}");
    let body = bodies(&server).await.remove(0);
    assert_eq!(
        body["messages"],
        json!([{"role": "system", "content": "be kind"}, {"role": "user", "content": "hello"}])
    );
}

#[tokio::test]
async fn a_model_without_its_provider_is_told_what_to_write_and_the_next_one_answers() {
    let server = server(stream(&["hi"])).await;

    let failure = failed(&turn(request(&["llama3.2"]), config(&server.uri()), tools()).await);
    assert_eq!(failure.kind(), FailureKind::Config);
    assert!(
        failure
            .message
            .contains("write <provider>/llama3.2; you have: gone, p"),
        "{}",
        failure.message
    );

    let events = turn(
        request(&["llama3.2", "p/qwen/qwen3:8b"]),
        config(&server.uri()),
        tools(),
    )
    .await;
    assert!(completed(&events));
    assert_eq!(bodies(&server).await[0]["model"], "qwen/qwen3:8b");
}
