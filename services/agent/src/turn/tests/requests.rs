//! What is sent to models.

use gatehouse_proto::agent::v1::ContextTrimmed;
use serde_json::Value;
use wiremock::{
    Request, Respond,
    matchers::{query_param, query_param_is_missing},
};

use super::*;

/// A configuration with one provider `p`, and what else is said.
pub(super) fn configured(base: &str, provider: Value, agents: Value) -> Arc<Config> {
    let mut entry = json!({"baseUrl": format!("{base}/v1"), "apiKey": KEY});
    entry
        .as_object_mut()
        .unwrap()
        .extend(provider.as_object().unwrap().clone());
    let document = json!({"models": {"providers": {"p": entry}}, "agents": agents});
    Arc::new(serde_json::from_value(document).unwrap())
}

/// A server that answers each request by its body.
pub(super) async fn server(respond: impl Respond + 'static) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(respond)
        .mount(&server)
        .await;
    server
}

pub(super) async fn bodies(server: &MockServer) -> Vec<Value> {
    let requests = server.received_requests().await.unwrap();
    requests
        .iter()
        .map(|request| request.body_json().unwrap())
        .collect()
}

pub(super) fn refusal(status: u16, words: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({"error": {"message": words}}))
}

pub(super) fn completed(events: &[Event]) -> bool {
    matches!(events.last(), Some(Event::Completed(_)))
}

fn trimmed(events: &[Event]) -> Vec<ContextTrimmed> {
    let events = events.iter();
    events
        .filter_map(|event| match event {
            Event::ContextTrimmed(trimmed) => Some(trimmed.clone()),
            _ => None,
        })
        .collect()
}

/// A conversation of so many turns with a kilobyte each, and a question.
fn long(turns: usize) -> RunTurnRequest {
    let said = |role: Role, text: String, provider: Option<&str>| TurnMessage {
        role: role.into(),
        text,
        content: None,
        provider: provider.map(str::to_owned),
    };
    let mut asked = request(&["p/m"]);
    let question = asked.messages.pop().unwrap();
    for number in 0..turns {
        asked.messages.push(said(
            Role::User,
            format!("{number} {}", "lorem ipsum dolor sit ".repeat(23)),
            None,
        ));
        asked.messages.push(said(
            Role::Assistant,
            "consectetur adipiscing ".repeat(23),
            Some("p"),
        ));
    }
    asked.messages.push(question);
    asked
}

#[tokio::test]
async fn what_is_sent_fits_the_window_and_the_caller_is_told_what_is_left_out() {
    let server = server(stream(&["fine"])).await;
    let config = configured(
        &server.uri(),
        json!({"models": [{"id": "m", "contextWindow": 4096, "maxTokens": 512}]}),
        json!({}),
    );

    let events = turn(long(60), config, tools()).await;

    assert!(completed(&events), "{events:?}");
    let body = bodies(&server).await.remove(0);
    let messages = body["messages"].as_array().unwrap();
    let text: String = messages
        .iter()
        .map(|message| message["content"].as_str().unwrap())
        .collect();
    assert!(crate::tokens::estimate(&text) < 4096 - 512, "{}", text.len());
    assert!(text.len() > 8_000, "as much as fits: {}", text.len());
    let roles: Vec<_> = messages
        .iter()
        .map(|message| message["role"].as_str().unwrap())
        .collect();
    assert_eq!(&roles[..2], ["system", "user"]);
    assert_eq!(messages.last().unwrap()["content"], "hello");
    assert_eq!(body["max_tokens"], 512);
    let told = trimmed(&events);
    assert_eq!(told.len(), 1);
    assert_eq!(
        usize::try_from(told[0].messages_left_out).unwrap() + messages.len() - 1,
        121
    );
    assert_eq!(told[0].context_window, Some(4096));
    assert!(told[0].tokens_sent < told[0].tokens_before);
}

#[tokio::test]
async fn without_a_window_everything_is_sent_and_nobody_is_told() {
    let server = server(stream(&["fine"])).await;

    let events = turn(long(60), config(&server.uri()), tools()).await;

    assert!(completed(&events) && trimmed(&events).is_empty());
    assert_eq!(
        bodies(&server).await[0]["messages"].as_array().unwrap().len(),
        122
    );
}

#[tokio::test]
async fn a_provider_that_says_it_was_too_much_is_sent_less_once_and_not_again_in_the_next_turn() {
    let words = "This model's maximum context length is 4096 tokens. However, you requested 15013 tokens.";
    let server = server(move |request: &Request| {
        if request.body.len() > 16_000 {
            refusal(400, words)
        } else {
            stream(&["fine"])
        }
    })
    .await;
    let tools = tools();

    let first = turn(long(60), config(&server.uri()), tools.clone()).await;
    assert!(completed(&first), "{first:?}");
    assert_eq!(trimmed(&first).len(), 1);
    let second = turn(long(61), config(&server.uri()), tools).await;
    assert!(completed(&second), "{second:?}");
    let bodies = bodies(&server).await;
    assert_eq!(bodies.len(), 3);
    for body in bodies.iter().skip(1) {
        let length = body.to_string().len();
        assert!(
            length > 7_000,
            "as much as fits the window that it named: {length}"
        );
    }
}

#[tokio::test]
async fn a_question_that_is_too_long_alone_is_told_and_not_sent_twice() {
    let server = server(refusal(
        400,
        "maximum context length is 4096 tokens, you requested 5000",
    ))
    .await;

    let failure = failed(&turn(request(&["p/m"]), config(&server.uri()), tools()).await);

    assert_eq!(failure.kind(), FailureKind::Context);
    assert_eq!(bodies(&server).await.len(), 1);
}

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
