use serde_json::json;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{header, method, path},
};

use super::*;

fn tools() -> Tools {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let failing = crate::failing::Failing::new(gatehouse_core::health::Health::new());
    Tools::new(
        crate::http::Http::new().unwrap(),
        crate::metrics::Metrics::default(),
        Arc::new(failing),
    )
}

fn config(base: &str) -> Config {
    let document = json!({
        "models": {"providers": {
            "ollama": {"baseUrl": format!("{base}/v1"), "apiKey": "sk-of-ollama", "models": [{"id": "listed", "name": "Listed", "contextWindow": 4096}]},
            "gone": {"baseUrl": "http://127.0.0.1:1/v1"},
        }},
        "agents": {
            "defaults": {"model": {"primary": "ollama/llama3.2:3b", "fallbacks": ["ollama/listed", "nowhere/x", "echo"]},
                "models": {"ollama/llama3.2:3b": {"alias": "small"}}},
            "entries": {"clerk": {"model": "ollama/hf.co/a/b"}},
        },
    });
    serde_json::from_value(document).unwrap()
}

async fn list(
    config: &Config,
    view: View,
    provider: Option<&str>,
    discovered: &Discovered,
) -> (Vec<Model>, Vec<ProviderOutcome>) {
    let tools = tools();
    let catalog = Catalog {
        config,
        tools: &tools,
        discovered,
        provider,
    };
    catalog.list(view).await
}

fn names(models: &[Model]) -> Vec<String> {
    models
        .iter()
        .map(|model| format!("{}/{} {}", model.provider, model.id, model.tags.join(" ")))
        .collect()
}

async fn serve(expected: u64) -> MockServer {
    let server = MockServer::start().await;
    let models = json!({"object": "list", "data": [{"id": "llama3.2:3b", "context_length": 131_072}, {"id": "qwen/qwen3-8b@q4"}, {"id": "listed"}]});
    Mock::given(method("GET"))
        .and(path("/v1/models"))
        .and(header("authorization", "Bearer sk-of-ollama"))
        .respond_with(ResponseTemplate::new(200).set_body_json(models))
        .expect(expected)
        .mount(&server)
        .await;
    server
}

#[tokio::test]
async fn the_model_in_use_is_listed_though_no_entry_lists_it_and_nobody_is_asked() {
    let server = serve(0).await;

    let (models, outcomes) = list(
        &config(&server.uri()),
        View::Configured,
        None,
        &Discovered::default(),
    )
    .await;

    assert_eq!(
        names(&models),
        [
            "ollama/listed configured fallback#1",
            "ollama/llama3.2:3b default",
            "echo/echo fallback#3",
            "ollama/hf.co/a/b in-use",
        ]
    );
    assert_eq!(models[1].alias.as_deref(), Some("small"));
    assert_eq!(
        (models[0].name.as_str(), models[0].context_window),
        ("Listed", Some(4096))
    );
    assert!(outcomes.is_empty());
}

#[tokio::test]
async fn providers_are_asked_on_demand_and_one_that_is_away_fails_nobody() {
    let server = serve(1).await;

    let (models, outcomes) = list(&config(&server.uri()), View::Asked, None, &Discovered::default()).await;

    assert!(
        names(&models).contains(&"ollama/qwen/qwen3-8b@q4 discovered".to_owned()),
        "{models:?}"
    );
    let in_use = models.iter().find(|model| model.id == "llama3.2:3b").unwrap();
    assert_eq!(
        (in_use.tags.join(" ").as_str(), in_use.context_window),
        ("default discovered", Some(131_072))
    );
    let told: Vec<_> = outcomes
        .iter()
        .map(|outcome| (outcome.provider.as_str(), outcome.status.as_str()))
        .collect();
    assert_eq!(told, [("gone", "unavailable"), ("ollama", "ready")]);
}

#[tokio::test]
async fn what_a_provider_answered_is_kept_for_a_minute_unless_it_is_asked_anew() {
    let server = serve(2).await;
    let (config, discovered) = (config(&server.uri()), Discovered::default());

    for view in [View::All, View::All, View::Asked] {
        let (models, outcomes) = list(&config, view, Some("ollama"), &discovered).await;
        assert_eq!((models.len(), outcomes.len()), (4, 1), "{models:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_refused_is_told_from_a_provider_that_is_away() {
    let server = MockServer::start().await;
    let refused = ResponseTemplate::new(401).set_body_json(json!({"error": {"message": "no"}}));
    Mock::given(method("GET"))
        .respond_with(refused)
        .mount(&server)
        .await;

    let (_, outcomes) = list(
        &config(&server.uri()),
        View::Asked,
        Some("ollama"),
        &Discovered::default(),
    )
    .await;

    assert_eq!(outcomes[0].status, "auth-rejected");
}

#[tokio::test]
async fn a_provider_that_whose_circuit_is_open_is_shown_as_such() {
    let (config, tools, discovered) = (config("http://127.0.0.1:1"), tools(), Discovered::default());
    let why = Unanswered::new(FailureKind::Unavailable, "refused");
    for _ in 0..3 {
        tools
            .breakers
            .failed("ollama", config.providers["ollama"].fingerprint, &why);
    }
    let catalog = Catalog {
        config: &config,
        tools: &tools,
        discovered: &discovered,
        provider: None,
    };

    let (models, _) = catalog.list(View::Configured).await;

    let row = &models[1];
    assert_eq!(
        (row.available, row.unavailable_reason.as_deref()),
        (Some(false), Some("cooldown"))
    );
    assert!(row.unavailable_until.is_some());
    assert_eq!(
        models
            .iter()
            .find(|model| model.provider == "echo")
            .unwrap()
            .available,
        None
    );
}
