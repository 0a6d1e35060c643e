//! What is sent to models.

mod fields;
mod refused;

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
