use serde_json::json;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_partial_json, method, path},
};

use super::*;

fn entry(base: &str) -> models::Provider {
    let _ = rustls::crypto::ring::default_provider().install_default();
    serde_json::from_value(json!({"baseUrl": format!("{base}/v1"), "apiKey": "sk-of-the-test"})).unwrap()
}

async fn tried(base: &str) -> TestModelResponse {
    try_model("p", entry(base), "a/b:c", LIMIT).await.unwrap()
}

#[tokio::test]
async fn a_model_that_answers_is_shown_with_its_word_and_its_time() {
    let server = MockServer::start().await;
    let body = "data: {\"choices\":[{\"delta\":{\"content\":\"ready\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":1}}\n\ndata: [DONE]\n\n";
    Mock::given(method("POST"))
        .and(path("/v1/chat/completions"))
        .and(body_partial_json(
            json!({"model": "a/b:c", "max_tokens": ANSWER_TOKENS_MAX}),
        ))
        .respond_with(ResponseTemplate::new(200).set_body_raw(body, "text/event-stream"))
        .expect(1)
        .mount(&server)
        .await;

    let tried = tried(&server.uri()).await;

    assert!(tried.ok, "{tried:?}");
    assert_eq!(
        (tried.status.as_str(), tried.text.as_deref()),
        ("ok", Some("ready"))
    );
    assert_eq!((tried.provider.as_str(), tried.model.as_str()), ("p", "a/b:c"));
    assert_eq!((tried.usage.unwrap().total_tokens, tried.reason), (10, None));
}

#[tokio::test]
async fn one_that_does_not_answer_says_why_and_what_to_do_and_is_asked_once() {
    let server = MockServer::start().await;
    let refused =
        ResponseTemplate::new(401).set_body_json(json!({"error": {"message": "bad key sk-of-the-test"}}));
    Mock::given(method("POST"))
        .respond_with(refused)
        .expect(1)
        .mount(&server)
        .await;

    let key = tried(&server.uri()).await;
    assert_eq!((key.ok, key.status.as_str()), (false, "auth"));
    assert!(!key.reason.unwrap().contains("sk-of-the-test"));
    assert!(key.next_step.unwrap().contains("models.providers.p.apiKey"));

    let away = tried("http://127.0.0.1:1").await;
    assert_eq!(away.status, "unknown");
    assert!(away.next_step.unwrap().contains("baseUrl"));
}

#[tokio::test]
async fn a_model_that_only_thinks_is_there() {
    let server = MockServer::start().await;
    let body = "data: {\"choices\":[{\"delta\":{\"reasoning_content\":\"hm\"},\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n";
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(body, "text/event-stream"))
        .mount(&server)
        .await;

    let tried = tried(&server.uri()).await;

    assert!(tried.ok, "{tried:?}");
}

#[tokio::test]
async fn what_a_model_thinks_without_saying_so_is_not_shown_as_its_word() {
    let server = MockServer::start().await;
    let piece = |text: &str| format!("data: {}\n\n", json!({"choices": [{"delta": {"content": text}}]}));
    let body = [
        piece("They ask me."),
        piece("</think>\n\nready"),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat();
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(body, "text/event-stream"))
        .mount(&server)
        .await;

    let tried = tried(&server.uri()).await;

    assert_eq!((tried.ok, tried.text.as_deref()), (true, Some("ready")));
}

#[tokio::test]
async fn what_a_provider_has_is_told_without_a_configuration() {
    let server = MockServer::start().await;
    Mock::given(path("/v1/models"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": [{"id": "one"}]})))
        .mount(&server)
        .await;

    let offered = offered_models("p", entry(&server.uri())).await.unwrap();
    assert_eq!(offered[0].id, "one");

    let refused = offered_models("p", entry("http://127.0.0.1:1"))
        .await
        .unwrap_err();
    assert!(refused.message.contains('p'), "{}", refused.message);
}

#[tokio::test]
async fn a_list_of_models_is_read_packed_as_well_and_what_is_none_is_told_in_the_words_of_the_server() {
    let packed = {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(br#"{"data":[{"id":"one"}]}"#).unwrap();
        encoder.finish().unwrap()
    };
    let server = MockServer::start().await;
    let told = ResponseTemplate::new(200)
        .set_body_raw(packed, "application/json")
        .insert_header("content-encoding", "gzip");
    Mock::given(path("/v1/models"))
        .respond_with(told)
        .mount(&server)
        .await;
    let offered = offered_models("p", entry(&server.uri())).await.unwrap();
    assert_eq!(offered[0].id, "one");

    for (body, words) in [
        (
            r#"{"error":{"message":"the licence is over"}}"#,
            "the licence is over",
        ),
        (r#"{"detail":"no workers yet"}"#, "no workers yet"),
        ("<html><title>Sign in</title></html>", "Sign in"),
        ("{}", "sent no list of models"),
    ] {
        let server = MockServer::start().await;
        Mock::given(path("/v1/models"))
            .respond_with(ResponseTemplate::new(200).set_body_raw(body, "application/json"))
            .mount(&server)
            .await;

        let refused = offered_models("p", entry(&server.uri())).await.unwrap_err();

        assert!(refused.message.contains(words), "{}", refused.message);
    }
}

#[tokio::test]
async fn without_a_name_the_model_in_use_is_tried_then_the_first_that_is_listed_then_the_first_that_it_has() {
    let server = MockServer::start().await;
    Mock::given(path("/v1/models"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": [{"id": "had"}]})))
        .mount(&server)
        .await;
    let base = format!("{}/v1", server.uri());
    let config: Config = serde_json::from_value(json!({
        "models": {"providers": {
            "used": {"baseUrl": base}, "listing": {"baseUrl": base, "models": [{"id": "first"}, {"id": "second"}]}, "bare": {"baseUrl": base},
        }},
        "agents": {"defaults": {"model": "used/m"}},
    }))
    .unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (tools, discovered) = (tools().unwrap(), Discovered::default());
    let catalog = Catalog {
        config: &config,
        tools: &tools,
        discovered: &discovered,
        provider: None,
    };
    let chosen = async |model, provider| choose(&catalog, model, provider).await.unwrap().to_string();

    assert_eq!(chosen(None, None).await, "used/m");
    assert_eq!(chosen(Some("bare/x"), Some("used")).await, "bare/x");
    assert_eq!(chosen(None, Some("used")).await, "used/m");
    assert_eq!(chosen(None, Some("listing")).await, "listing/first");
    assert_eq!(chosen(None, Some("bare")).await, "bare/had");
    assert_eq!(chosen(None, Some("echo")).await, "echo/echo");
    let unknown = not_asked(
        None,
        Some("nobody"),
        choose(&catalog, None, Some("nobody")).await.unwrap_err(),
    );
    assert_eq!(
        (unknown.status.as_str(), unknown.provider.as_str()),
        ("no_model", "nobody")
    );
}

#[tokio::test]
async fn a_model_whose_thoughts_are_hidden_and_use_up_its_few_tokens_is_there() {
    let server = MockServer::start().await;
    let body = "data: {\"choices\":[{\"delta\":{\"content\":\"\"}}]}\n\ndata: {\"choices\":[{\"delta\":{},\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":256}}\n\ndata: [DONE]\n\n";
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(body, "text/event-stream"))
        .mount(&server)
        .await;

    let tried = tried(&server.uri()).await;

    assert_eq!((tried.ok, tried.status.as_str()), (true, "ok"), "{tried:?}");
}

#[tokio::test]
async fn a_model_for_vectors_is_not_the_one_that_is_tried() {
    for (list, chosen) in [
        (
            json!(["all-minilm", "llama3.2", "nomic-embed-text"]),
            Some("llama3.2"),
        ),
        (json!(["all-minilm", "nomic-embed-text"]), None),
    ] {
        let server = MockServer::start().await;
        Mock::given(path("/v1/models"))
            .respond_with(ResponseTemplate::new(200).set_body_json(list))
            .mount(&server)
            .await;
        let offered = offered_models("p", entry(&server.uri())).await.unwrap();
        assert_eq!(
            offered.len(),
            chosen.map_or(2, |_| 1),
            "to begin with: {offered:?}"
        );
        let (config, tools) = (alone("p", entry(&server.uri())), tools().unwrap());
        let catalog = Catalog {
            config: &config,
            tools: &tools,
            discovered: &Discovered::default(),
            provider: None,
        };

        let name = choose(&catalog, None, Some("p")).await;

        match chosen {
            Some(model) => assert_eq!(name.unwrap().model, model),
            None => assert!(
                name.unwrap_err()
                    .message
                    .contains("none of its models is for conversations")
            ),
        }
    }
}
