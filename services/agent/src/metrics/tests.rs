use std::time::Duration;

use prometheus_client::encoding::text::encode;
use tokio::time::advance;

use super::*;

fn text(metrics: &Metrics) -> String {
    let (mut registry, mut text) = (Registry::default(), String::new());
    metrics.register(&mut registry);
    encode(&mut text, &registry).unwrap();
    text
}

#[tokio::test(start_paused = true)]
async fn a_call_is_counted_with_its_times_tokens_and_outcome() {
    let metrics = Metrics::default();

    let call = metrics.call("ollama", "llama3.2");
    advance(Duration::from_secs(2)).await;
    let first = Instant::now();
    advance(Duration::from_secs(3)).await;
    let usage = Usage {
        input: 20,
        output: 7,
        ..Usage::default()
    };
    call.answered(Some(first), Some(&usage));
    metrics
        .call("ollama", "llama3.2")
        .failed(None, FailureKind::RateLimit);
    drop(metrics.call("ollama", "llama3.2"));

    let configured = ["ollama", "cloud"].map(str::to_owned).into_iter();
    metrics.providers(
        configured,
        &[("cloud".to_owned(), true), ("gone".to_owned(), true)],
    );

    let text = text(&metrics);
    assert!(!text.contains("gone"), "{text}");
    let model = "provider=\"ollama\",model=\"llama3.2\"";
    for line in [
        format!("gatehouse_model_calls_total{{{model},outcome=\"ok\"}} 1"),
        format!("gatehouse_model_calls_total{{{model},outcome=\"error\"}} 1"),
        format!("gatehouse_model_calls_total{{{model},outcome=\"cancelled\"}} 1"),
        "gatehouse_model_errors_total{provider=\"ollama\",kind=\"rate_limit\"} 1".to_owned(),
        format!("gatehouse_model_tokens_total{{{model},direction=\"input\"}} 20"),
        format!("gatehouse_model_tokens_total{{{model},direction=\"output\"}} 7"),
        format!("gatehouse_model_first_token_seconds_sum{{{model}}} 2.0"),
        format!("gatehouse_model_first_token_seconds_count{{{model}}} 1"),
        format!("gatehouse_model_seconds_sum{{{model}}} 5.0"),
        format!("gatehouse_model_seconds_count{{{model}}} 2"),
        "gatehouse_model_circuit_open{provider=\"ollama\"} 0".to_owned(),
        "gatehouse_model_circuit_open{provider=\"cloud\"} 1".to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
}
