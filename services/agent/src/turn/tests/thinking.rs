//! How hard a model is told to think.

use super::*;

/// What one model was told, of a turn with this level.
async fn told(model: &str, level: Option<&str>) -> Option<String> {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(stream(&["Hi"]))
        .mount(&server)
        .await;
    let config = json!({"models": {"providers": {"p": {"baseUrl": format!("{}/v1", server.uri()),
        "models": [{"id": "thinker", "reasoning": true}, {"id": "talker"}]}}}});
    let request = RunTurnRequest {
        thinking_level: level.map(str::to_owned),
        ..request(&[model])
    };

    let events = turn(request, serde_json::from_value(config).unwrap(), tools()).await;

    assert_eq!(text(&events), "Hi", "{events:?}");
    let asked = server.received_requests().await.unwrap();
    let body: serde_json::Value = asked.first().unwrap().body_json().unwrap();
    body.get("reasoning_effort")
        .map(|effort| effort.as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_model_that_reasons_is_told_how_hard_and_one_that_does_not_is_not() {
    let high = Some("high".to_owned());

    assert_eq!(told("p/thinker", Some("high")).await, high);
    assert_eq!(
        told("p/not-listed", Some("high")).await,
        high,
        "its own words may know it"
    );
    assert_eq!(told("p/talker", Some("high")).await, None);
    for nothing in [None, Some("off"), Some("")] {
        assert_eq!(told("p/thinker", nothing).await, None);
    }
}
