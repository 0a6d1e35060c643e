mod hearing;
mod program;
mod reading;
mod requests;
mod shown;
mod thinking;
mod waiting;

use std::net::SocketAddr;

use gatehouse_core::trace;
use gatehouse_proto::agent::v1::{RunTurnRequest, TurnMessage, turn_message::Role};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_partial_json, header, method, path},
};

use super::*;

const KEY: &str = "sk-very-secret";

fn tools() -> Tools {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let failing = crate::failing::Failing::new(gatehouse_core::health::Health::new());
    Tools::new(
        crate::http::Http::new().unwrap(),
        Metrics::default(),
        Arc::new(failing),
    )
}

fn config(base: &str) -> Arc<Config> {
    let provider = |base: &str| json!({"baseUrl": format!("{base}/v1"), "apiKey": KEY});
    let config =
        json!({"models": {"providers": {"p": provider(base), "gone": provider("http://127.0.0.1:1")}}});
    Arc::new(serde_json::from_value(config).unwrap())
}

fn request(models: &[&str]) -> RunTurnRequest {
    RunTurnRequest {
        run_id: "run".into(),
        models: models.iter().map(ToString::to_string).collect(),
        system_prompt: Some("be kind".into()),
        messages: vec![TurnMessage {
            role: Role::User.into(),
            text: "hello".into(),
            content: None,
            provider: None,
        }],
        timeout_ms: 60_000,
        agent_name: "Main".into(),
        ..RunTurnRequest::default()
    }
}

/// All events of a turn.
async fn turn(request: RunTurnRequest, config: Arc<Config>, tools: Tools) -> Vec<Event> {
    let (sender, mut receiver) = mpsc::channel(8);
    let running = tokio::spawn(trace::carry(run(
        request.try_into().unwrap(),
        Bounds::TURN,
        config,
        tools,
        sender,
    )));
    let mut events = Vec::new();
    while let Some(response) = receiver.recv().await {
        events.extend(response.event);
    }
    running.await.unwrap();
    events
}

fn text(events: &[Event]) -> String {
    let deltas = events.iter().filter_map(|event| {
        if let Event::TextDelta(delta) = event {
            Some(&*delta.text)
        } else {
            None
        }
    });
    deltas.collect()
}

fn failed(events: &[Event]) -> Failed {
    match events.last() {
        Some(Event::Failed(failed)) => failed.clone(),
        other => panic!("not failed: {other:?}"),
    }
}

fn stream(words: &[&str]) -> ResponseTemplate {
    let chunks = words
        .iter()
        .map(|word| format!("data: {}\n\n", json!({"choices": [{"delta": {"content": word}}]})));
    let end = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";
    ResponseTemplate::new(200).set_body_raw(
        chunks.chain([end.to_owned()]).collect::<String>(),
        "text/event-stream",
    )
}

#[tokio::test]
async fn an_answer_is_streamed_with_its_usage() {
    let server = MockServer::start().await;
    let body = json!({"model": "m", "stream": true, "messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hello"}]});
    Mock::given(method("POST"))
        .and(path("/v1/chat/completions"))
        .and(header("authorization", format!("Bearer {KEY}")))
        .and(body_partial_json(body))
        .respond_with(stream(&["Hi", " there"]))
        .expect(1)
        .mount(&server)
        .await;

    let events = turn(request(&["p/m"]), config(&server.uri()), tools()).await;

    assert_eq!(text(&events), "Hi there");
    let Some(Event::Completed(done)) = events.last() else {
        panic!("{events:?}")
    };
    assert_eq!(
        (done.stop_reason.as_str(), done.usage.unwrap().total_tokens),
        ("stop", 5)
    );
    assert_eq!(
        events
            .iter()
            .filter(|event| matches!(event, Event::Completed(_) | Event::Failed(_)))
            .count(),
        1
    );
}

#[tokio::test]
async fn an_outage_is_retried_within_the_bound_and_the_next_model_answers() {
    let server = MockServer::start().await;
    Mock::given(body_partial_json(json!({"model": "broken"})))
        .respond_with(ResponseTemplate::new(503))
        .expect(2)
        .mount(&server)
        .await;
    Mock::given(body_partial_json(json!({"model": "good"})))
        .respond_with(stream(&["yes"]))
        .expect(1)
        .mount(&server)
        .await;

    let events = turn(request(&["p/broken", "p/good"]), config(&server.uri()), tools()).await;

    assert_eq!(text(&events), "yes");
    assert_eq!(
        events
            .iter()
            .filter(|event| matches!(event, Event::Retrying(_)))
            .count(),
        1
    );
}

#[tokio::test]
async fn a_provider_that_always_fails_is_called_four_times_at_most_and_then_left_alone() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(500))
        .expect(3)
        .mount(&server)
        .await;
    let (tools, models) = (tools(), ["p/a", "p/b", "p/c", "p/d"]);

    let first = turn(request(&models), config(&server.uri()), tools.clone()).await;
    let second = turn(request(&models), config(&server.uri()), tools).await;

    assert_eq!(failed(&first).kind(), FailureKind::Unavailable);
    let told = failed(&second);
    assert!(
        told.message.contains("not asked for 30 s more (circuit open)") && told.message.contains("HTTP 500"),
        "the time that is left, and the reason: {told:?}"
    );
    assert!(
        !failed(&first).message.contains("circuit open"),
        "the first one is told what the provider said"
    );
}

#[tokio::test]
async fn a_wrong_key_is_not_retried_and_not_shown() {
    let server = MockServer::start().await;
    let words = json!({"error": {"message": format!("bad key {KEY}")}});
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(401).set_body_json(words))
        .expect(1)
        .mount(&server)
        .await;

    let failure = failed(&turn(request(&["p/m"]), config(&server.uri()), tools()).await);

    assert_eq!(failure.kind(), FailureKind::Auth);
    assert!(
        !failure.message.contains(KEY) && failure.message.contains("apiKey"),
        "{}",
        failure.message
    );
}

#[tokio::test]
async fn a_redirect_takes_the_key_nowhere() {
    let (server, elsewhere) = (MockServer::start().await, MockServer::start().await);
    let away = ResponseTemplate::new(307)
        .insert_header("location", format!("{}/v1/chat/completions", elsewhere.uri()));
    Mock::given(method("POST"))
        .respond_with(away)
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .respond_with(stream(&["stolen"]))
        .expect(0)
        .mount(&elsewhere)
        .await;

    let events = turn(request(&["p/m"]), config(&server.uri()), tools()).await;

    assert_eq!(failed(&events).kind(), FailureKind::Rejected);
}

#[tokio::test]
async fn nothing_is_asked_twice_once_a_word_was_shown() {
    let server = MockServer::start().await;
    let cut = "data: {\"choices\":[{\"delta\":{\"content\":\"half\"}}]}\n\ndata: {\"choices\":[{\"delta\":{},\"finish_reason\":\"error\"}]}\n\n";
    let response = ResponseTemplate::new(200).set_body_raw(cut, "text/event-stream");
    Mock::given(method("POST"))
        .respond_with(response)
        .expect(1)
        .mount(&server)
        .await;

    let events = turn(request(&["p/m", "echo/echo"]), config(&server.uri()), tools()).await;

    assert_eq!(text(&events), "half");
    assert_eq!(failed(&events).kind(), FailureKind::Unavailable);
}

#[tokio::test]
async fn an_unknown_provider_says_what_to_add() {
    let events = turn(request(&["nobody/m"]), config("http://127.0.0.1:1"), tools()).await;

    let failure = failed(&events);
    assert_eq!(failure.kind(), FailureKind::Config);
    assert!(failure.message.contains("models.providers.nobody"));
}

#[tokio::test]
async fn a_provider_that_was_left_out_says_why() {
    let config = json!({"models": {"providers": {}, "leftOut": {"old": "`api` must be another"}}});
    let config = Arc::new(serde_json::from_value(config).unwrap());

    let events = turn(request(&["old/m"]), config, tools()).await;

    let failure = failed(&events);
    assert_eq!(failure.kind(), FailureKind::Config);
    assert!(
        failure.message.contains("`api` must be another"),
        "{}",
        failure.message
    );
}
