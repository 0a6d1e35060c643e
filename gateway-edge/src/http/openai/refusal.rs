//! A refusal in OpenAI's form: `{"error": {"message", "type", "param", "code"}}`, with our details beside it.

use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use gatehouse_core::Kind;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    error::{Refusal, to_bytes},
    http::fields,
};

/// The header by which the published SDKs are told whether to ask again; without it they guess by the status.
const SHOULD_RETRY: &str = "x-should-retry";

#[derive(Debug, Serialize)]
struct Told<'a> {
    error: Error<'a>,
}

#[derive(Debug, Serialize)]
struct Error<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<String>,
    code: &'a str,
    #[serde(skip_serializing_if = "Map::is_empty")]
    details: &'a Map<String, Value>,
}

/// The answer of a route in OpenAI's form, if it refuses.
pub(in crate::http) fn shaped(response: Response) -> Response {
    let Some(refusal) = response.extensions().get::<Arc<Refusal>>().cloned() else {
        return response;
    };
    let (mut parts, _) = response.into_parts();
    // An agent that is not there is a `model` that is wrong, and a response that is not known a field that is: the APIs answer so.
    if matches!(reason(&refusal), Some("agent-unknown" | "run-not-found")) {
        parts.status = StatusCode::BAD_REQUEST;
    }
    let retries = if refusal.retryable { "true" } else { "false" };
    parts
        .headers
        .insert(SHOULD_RETRY, HeaderValue::from_static(retries));
    parts.headers.remove(header::CONTENT_LENGTH);
    let kind = HeaderValue::from_static("application/json");
    parts.headers.insert(header::CONTENT_TYPE, kind);
    Response::from_parts(parts, body(&refusal).into())
}

/// The body that says it.
pub(super) fn body(refusal: &Refusal) -> Bytes {
    let error = Error {
        message: &refusal.message,
        r#type: kind(refusal),
        param: param(refusal),
        code: code(refusal),
        details: &refusal.details,
    };
    to_bytes(&Told { error })
}

fn text<'a>(refusal: &'a Refusal, key: &str) -> Option<&'a str> {
    refusal.details.get(key).and_then(Value::as_str)
}

fn reason(refusal: &Refusal) -> Option<&str> {
    text(refusal, "reason")
}

fn kind(refusal: &Refusal) -> &'static str {
    match refusal.kind {
        Kind::Unauthenticated => "unauthorized",
        Kind::Forbidden => "forbidden",
        Kind::Exhausted => "rate_limit_error",
        Kind::Unavailable | Kind::Timeout | Kind::Internal => "server_error",
        _ => "invalid_request_error",
    }
}

fn param(refusal: &Refusal) -> Option<String> {
    match reason(refusal) {
        Some("agent-unknown") => Some("model".to_owned()),
        Some("run-not-found") => Some("previous_response_id".to_owned()),
        _ => text(refusal, "path")
            .map(fields::param)
            .filter(|param| !param.is_empty()),
    }
}

/// The word that clients act on: OpenAI's where there is one, else ours.
pub(super) fn code(refusal: &Refusal) -> &str {
    match (refusal.kind, reason(refusal)) {
        (_, Some("agent-unknown")) => "model_not_found",
        (_, Some("run-not-found")) => "previous_response_not_found",
        (_, Some("chat-request-conflict")) => "idempotency_conflict",
        (_, Some("tool-call-unknown")) => "tool_call_not_found",
        (_, Some("media-not-taken")) => "media_not_taken",
        _ => match (text(refusal, "code"), reason(refusal)) {
            (
                Some("AUTH_TOKEN_MISSING" | "AUTH_TOKEN_MISMATCH" | "AUTH_TOKEN_EXPIRED" | "AUTH_CHANGED"),
                _,
            ) => "invalid_api_key",
            (Some("MISSING_SCOPE"), _) => "missing_scope",
            (Some("BODY_TOO_LARGE"), _) => "request_too_large",
            (Some("METHOD_NOT_ALLOWED"), _) => "method_not_allowed",
            (Some("NOTHING_HERE"), _) => "unknown_url",
            (Some(code), _) => code,
            (None, _) if refusal.kind == Kind::Exhausted => "rate_limit_exceeded",
            (None, Some(reason)) => reason,
            (None, None) => refusal.code,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::http::respond;

    fn told(refusal: &Refusal) -> Value {
        serde_json::from_slice(&body(refusal)).unwrap()
    }

    #[test]
    fn a_client_is_told_what_it_can_act_on_in_the_words_that_it_knows() {
        let wrong = Refusal::new(Kind::Unauthenticated, "no").detail("code", "AUTH_TOKEN_MISMATCH");
        let scope = Refusal::missing_scope("operator.write");
        let field = Refusal::invalid("no").detail("path", "/temperature");
        let busy = Refusal::new(Kind::Exhausted, "no").retry_after(Duration::from_millis(1500));

        let words = |refusal: &Refusal| {
            let told = told(refusal)["error"].take();
            (told["type"].clone(), told["code"].clone(), told["param"].clone())
        };
        assert_eq!(
            words(&wrong),
            ("unauthorized".into(), "invalid_api_key".into(), Value::Null)
        );
        assert_eq!(
            words(&scope),
            ("forbidden".into(), "missing_scope".into(), Value::Null)
        );
        assert_eq!(told(&scope)["error"]["details"]["missingScope"], "operator.write");
        assert_eq!(words(&field).2, "temperature");
        let inner = Refusal::invalid("no").detail("path", "/messages/2/content/0/image_url/url");
        assert_eq!(words(&inner).2, "messages[2].content[0].image_url.url");
        assert_eq!(
            words(&busy),
            (
                "rate_limit_error".into(),
                "rate_limit_exceeded".into(),
                Value::Null
            )
        );
        let response = shaped(respond::refusal(&busy));
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(response.headers()[SHOULD_RETRY], "true");
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    }

    #[test]
    fn an_agent_that_is_not_there_is_a_model_that_is_wrong() {
        let unknown = Refusal::new(Kind::NotFound, "no such agent").detail("reason", "agent-unknown");

        let response = shaped(respond::refusal(&unknown));

        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(response.headers()[SHOULD_RETRY], "false");
        assert_eq!(told(&unknown)["error"]["param"], "model");
    }
}
