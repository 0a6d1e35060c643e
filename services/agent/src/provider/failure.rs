//! What a provider's refusal means, by what somebody would do about it.

mod rules;

use std::time::Duration;

use gatehouse_proto::agent::v1::FailureKind;
use reqwest::{StatusCode, header::HeaderMap};
use serde::Deserialize;

pub(crate) use self::rules::rules;
use super::{Unanswered, redaction::Redaction};

/// The most of a provider's words that is shown.
const PREVIEW_CHARS: usize = 300;

/// The error body of OpenAI's API, which the others follow.
#[derive(Debug, Default, Deserialize)]
struct Body {
    #[serde(default)]
    error: Detail,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detail {
    message: Option<String>,
    code: Option<serde_json::Value>,
}

/// Reads a refusal.
pub(crate) fn from_response(
    provider: &str,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    redaction: &Redaction,
) -> Unanswered {
    let detail = serde_json::from_slice::<Body>(body).unwrap_or_default().error;
    let code = detail
        .code
        .as_ref()
        .and_then(|code| code.as_str())
        .unwrap_or_default();
    let words = clean(&detail.message.unwrap_or_default(), redaction);
    let kind = kind(status, code, &words);
    let advice = match kind {
        FailureKind::Auth => format!("check models.providers.{provider}.apiKey"),
        FailureKind::RateLimit => "wait, or check the account's limits and credit".into(),
        FailureKind::Context => {
            "the conversation is too long for the model: start a new one with sessions.reset".into()
        }
        _ => format!("it answered HTTP {}", status.as_u16()),
    };
    let said = if words.is_empty() {
        String::new()
    } else {
        format!(": {words}")
    };
    let mut failure = Unanswered::new(kind, format!("provider {provider} refused ({advice}){said}"));
    failure.retry_after = headers
        .get("retry-after")
        .and_then(|value| value.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    failure
}

fn kind(status: StatusCode, code: &str, words: &str) -> FailureKind {
    let words = words.to_lowercase();
    let too_long = code == "context_length_exceeded"
        || words.contains("context length")
        || words.contains("maximum context");
    match status.as_u16() {
        400 | 413 | 422 if too_long => FailureKind::Context,
        401 | 403 => FailureKind::Auth,
        402 | 429 => FailureKind::RateLimit,
        408 | 504 | 524 => FailureKind::Timeout,
        500..=599 => FailureKind::Unavailable,
        _ => FailureKind::Rejected,
    }
}

/// A provider's words for a person: one line, bounded, and without anything we sent as a secret.
fn clean(words: &str, redaction: &Redaction) -> String {
    let line: String = redaction
        .clean(words)
        .chars()
        .map(|sign| if sign.is_control() { ' ' } else { sign })
        .take(PREVIEW_CHARS)
        .collect();
    line.trim().to_owned()
}

/// Reads a failure of the connection.
pub(crate) fn from_transport(provider: &str, error: &reqwest::Error) -> Unanswered {
    if error.is_timeout() {
        return Unanswered::new(
            FailureKind::Timeout,
            format!("provider {provider} did not answer in time"),
        );
    }
    let advice = format!(
        "provider {provider} cannot be reached: check models.providers.{provider}.baseUrl and that it runs"
    );
    Unanswered::new(FailureKind::Unavailable, advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> Unanswered {
        from_response(
            "p",
            StatusCode::from_u16(status).unwrap(),
            &HeaderMap::new(),
            body.as_bytes(),
            &Redaction::of(
                &url::Url::parse("http://h/v1").unwrap(),
                &[gatehouse_core::Secret::new("sk-secret")],
            ),
        )
    }

    #[test]
    fn a_refusal_is_told_by_its_kind() {
        let kinds = [
            (401, FailureKind::Auth),
            (403, FailureKind::Auth),
            (429, FailureKind::RateLimit),
            (408, FailureKind::Timeout),
            (503, FailureKind::Unavailable),
            (404, FailureKind::Rejected),
            (400, FailureKind::Rejected),
        ];
        for (status, kind) in kinds {
            assert_eq!(read(status, "{}").kind, kind, "{status}");
        }
        let long = r#"{"error":{"code":"context_length_exceeded","message":"too long"}}"#;
        assert_eq!(read(400, long).kind, FailureKind::Context);
    }

    #[test]
    fn a_key_that_the_provider_repeats_is_not_shown() {
        let failure = read(
            401,
            r#"{"error":{"message":"Incorrect API key provided: sk-secret.\nSee docs"}}"#,
        );

        assert!(!failure.message.contains("sk-secret"), "{}", failure.message);
        assert!(failure.message.contains("models.providers.p.apiKey"));
    }

    #[test]
    fn a_wait_is_taken_from_the_header() {
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", "7".parse().unwrap());

        let failure = from_response(
            "p",
            StatusCode::TOO_MANY_REQUESTS,
            &headers,
            b"not json",
            &Redaction::default(),
        );

        assert_eq!(failure.retry_after, Some(Duration::from_secs(7)));
    }
}
