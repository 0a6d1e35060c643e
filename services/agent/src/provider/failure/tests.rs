use std::time::Duration;

use gatehouse_core::Secret;
use url::Url;

use super::*;

fn read_at(url: &str, status: u16, headers: &HeaderMap, body: &str) -> Unanswered {
    let url = Url::parse(url).unwrap();
    let redaction = Redaction::of(&url, &[Secret::new("sk-secret-1")]);
    let callee = Callee {
        provider: "p",
        model: "m",
        url: &url,
        has_key: true,
        redaction: &redaction,
    };
    from_response(
        &callee,
        StatusCode::from_u16(status).unwrap(),
        headers,
        body.as_bytes(),
    )
}

fn read(status: u16, body: &str) -> Unanswered {
    read_at("http://h/v1/chat/completions", status, &HeaderMap::new(), body)
}

#[test]
fn a_refusal_names_the_provider_its_reason_and_the_next_step() {
    for (status, body, kind, parts) in [
        (
            401,
            r#"{"error":{"message":"bad key"}}"#,
            FailureKind::Auth,
            ["HTTP 401 from http://h): bad key.", "models.providers.p.apiKey"],
        ),
        (
            404,
            r#"{"error":"model 'm' not found"}"#,
            FailureKind::ModelMissing,
            ["model 'm' not found", "Check the model's name"],
        ),
        (
            400,
            r#"{"object":"error","message":"maximum context length is 4096 tokens."}"#,
            FailureKind::Context,
            ["maximum context length is 4096", "/new"],
        ),
        (
            503,
            "upstream is down",
            FailureKind::Unavailable,
            ["upstream is down", "log"],
        ),
        (
            404,
            "{}",
            FailureKind::Config,
            ["HTTP 404", "Check the path of models.providers.p.baseUrl"],
        ),
        (
            400,
            "{}",
            FailureKind::Rejected,
            ["refused the request (HTTP 400 from http://h)", "log"],
        ),
    ] {
        let failure = read(status, body);
        assert_eq!(failure.kind, kind, "{body}");
        for part in parts {
            assert!(failure.message.contains(part), "{}", failure.message);
        }
        assert_eq!(failure.origin.as_deref(), Some("http://h"));
    }
}

#[test]
fn an_address_without_its_last_part_is_said_to_lack_it() {
    for body in [
        "404 page not found",
        r#"{"detail":"Not Found"}"#,
        "<html><title>404 Not Found</title></html>",
        r#"{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}"#,
        "",
    ] {
        let failure = read_at(
            "http://u:secret@h:11434/chat/completions?k=secret",
            404,
            &HeaderMap::new(),
            body,
        );
        assert_eq!(failure.kind, FailureKind::Config, "{body}");
        assert!(
            failure
                .message
                .ends_with("set models.providers.p.baseUrl to http://h:11434/v1"),
            "{}",
            failure.message
        );
        assert!(!failure.message.contains("secret"), "{}", failure.message);
    }
    let unexpected = r#"{"error":"Unexpected endpoint or method. (POST /chat/completions)"}"#;
    let at_root = read_at(
        "http://h:1234/chat/completions",
        200,
        &HeaderMap::new(),
        unexpected,
    );
    assert!(
        at_root.message.contains("http://h:1234/v1"),
        "{}",
        at_root.message
    );
    assert_eq!(
        read(404, r#"{"error":"model 'x' not found"}"#).kind,
        FailureKind::ModelMissing,
        "a 404 about the model is not a wrong address"
    );
}

#[test]
fn a_redirect_says_where_to_and_takes_the_key_nowhere() {
    let mut headers = HeaderMap::new();
    headers.insert("location", "https://elsewhere/v1/x?token=1".parse().unwrap());

    let failure = read_at("http://h/v1/chat/completions", 307, &headers, "");

    assert_eq!(failure.kind, FailureKind::Rejected);
    assert!(
        failure
            .message
            .contains("redirects to https://elsewhere (HTTP 307 from http://h)"),
        "{}",
        failure.message
    );
    assert!(!failure.message.contains("token=1"));
}

#[test]
fn a_key_that_the_provider_repeats_is_not_shown() {
    let failure = read(
        401,
        r#"{"error":{"message":"Incorrect API key provided: sk-secret-1.\nSee docs"}}"#,
    );

    assert!(!failure.message.contains("sk-secret-1"), "{}", failure.message);
    assert!(failure.message.contains("models.providers.p.apiKey"));
    assert!(
        failure.message.contains("provided: [secret]. See docs"),
        "one line: {}",
        failure.message
    );
}

#[test]
fn a_long_reason_is_cut_and_says_so() {
    let failure = read(500, &"x".repeat(5000));

    assert!(
        failure.message.len() < 500 && failure.message.contains("x…"),
        "{}",
        failure.message
    );
}

#[test]
fn a_wait_is_taken_from_the_header() {
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", "7".parse().unwrap());

    let failure = read_at("http://h/v1/chat/completions", 429, &headers, "not json");

    assert_eq!(failure.retry_after, Some(Duration::from_secs(7)));
}

#[test]
fn what_is_known_of_a_refusal_names_the_next_step() {
    for (status, body, kind, parts) in [
        (
            400,
            "Client sent an HTTP request to an HTTPS server.\n",
            FailureKind::Rejected,
            ["wants https", "Write https:// in models.providers.p.baseUrl"],
        ),
        (
            400,
            "<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>",
            FailureKind::Rejected,
            ["wants https", "Write https://"],
        ),
        (
            403,
            "<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head></html>",
            FailureKind::Rejected,
            ["a guard in front of provider p", "the network that it asks from"],
        ),
        (
            403,
            r#"{"error":{"code":"unsupported_country_region_territory","message":"Country, region, or territory not supported","type":"request_forbidden"}}"#,
            FailureKind::Rejected,
            ["does not serve the place", "Choose another provider"],
        ),
        (
            400,
            r#"{"error":{"message":"Your organization must be verified to stream this model.","param":"stream"}}"#,
            FailureKind::Rejected,
            ["does not stream model m", "do there what it asks for"],
        ),
        (
            400,
            r#"{"error":{"message":"Unsupported value: 'stream' does not support true with this model."}}"#,
            FailureKind::Rejected,
            ["does not stream model m", "choose another model"],
        ),
        (
            400,
            r#"{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 8204 tokens (12 in the messages, 8192 in the completion)."}"#,
            FailureKind::Context,
            ["and the longest answer together", "Lower maxTokens"],
        ),
        (
            400,
            r#"{"error":{"message":"max_tokens is too large: 100000. This model supports at most 16384 completion tokens"}}"#,
            FailureKind::Rejected,
            ["refused the bound of the answer", "Lower maxTokens"],
        ),
        (
            400,
            r#"{"error":{"message":"Budget has been exceeded! Current cost: 10.01","type":"budget_exceeded"}}"#,
            FailureKind::RateLimit,
            ["takes no more requests", "credit"],
        ),
        (
            401,
            r#"{"error":{"message":"身份验证失败。"}}"#,
            FailureKind::Auth,
            ["身份验证失败. Check", "apiKey"],
        ),
    ] {
        let failure = read(status, body);
        assert_eq!(failure.kind, kind, "{}", failure.message);
        for part in parts {
            assert!(failure.message.contains(part), "{part}: {}", failure.message);
        }
    }
}

#[test]
fn a_wait_is_taken_from_the_body_where_no_header_says_one() {
    let google = r#"[{"error":{"code":429,"message":"Resource exhausted.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.Help"},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"36s"}]}}]"#;
    let wait = |body| read(429, body).retry_after;

    assert_eq!(wait(google), Some(Duration::from_secs(36)));
    assert_eq!(
        wait(r#"{"message":"You are being rate limited.","retry_after":1.5}"#),
        Some(Duration::from_millis(1_500))
    );
    assert_eq!(wait(r#"{"error":{"message":"slow down","retryAfter":0}}"#), None);
    let mut headers = HeaderMap::new();
    headers.insert("retry-after", "7".parse().unwrap());
    let both = read_at("http://h/v1/chat/completions", 429, &headers, google);
    assert_eq!(both.retry_after, Some(Duration::from_secs(7)));
}
