//! What goes wrong here: why the edge cannot start, and refusals that a client is told.

use std::{borrow::Cow, io, net::SocketAddr, time::Duration};

use bytes::Bytes;
use gatehouse_core::{Failure, Kind, error::JSON_DETAIL};
use serde::Serialize;
use serde_json::{Map, Value};

/// Why the edge cannot start, beside what every service needs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The public address cannot be bound.
    #[error("cannot listen on {address}; set GATEHOUSE_PORT or GATEHOUSE_BIND to another one")]
    Bind {
        /// The address that was tried.
        address: SocketAddr,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// An error as a client is told of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refusal {
    /// For HTTP, which knows more answers than the protocol.
    #[serde(skip)]
    pub(crate) kind: Kind,
    pub(crate) code: &'static str,
    pub(crate) message: Box<str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub(crate) details: Map<String, Value>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after_ms: Option<u32>,
}

impl Refusal {
    pub(crate) fn new(kind: Kind, message: impl Into<Box<str>>) -> Self {
        Self {
            kind,
            code: kind.protocol_code(),
            message: message.into(),
            details: Map::new(),
            retryable: false,
            retry_after_ms: None,
        }
    }

    pub(crate) fn invalid(message: impl Into<Box<str>>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    pub(crate) fn unavailable(message: impl Into<Box<str>>, retry_after: Duration) -> Self {
        Self::new(Kind::Unavailable, message).retry_after(retry_after)
    }

    /// The refusal that makes clients fall back to something older; they compare the text.
    pub(crate) fn unknown_method(name: &str) -> Self {
        Self::new(Kind::NotFound, format!("unknown method: {name}"))
    }

    pub(crate) fn missing_scope(scope: &str) -> Self {
        Self::new(Kind::Forbidden, format!("missing scope: {scope}"))
            .detail("code", "MISSING_SCOPE")
            .detail("missingScope", scope)
            .detail("requiredScopes", vec![scope])
    }

    /// Under a code that the protocol has for this one case.
    pub(crate) fn coded(mut self, code: &'static str) -> Self {
        self.code = code;
        self
    }

    pub(crate) fn detail(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.insert(key.to_owned(), value.into());
        self
    }

    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        self.retryable = true;
        self.retry_after_ms = Some(u32::try_from(wait.as_millis()).unwrap_or(u32::MAX));
        self
    }

    /// The frame that answers a request with this.
    pub(crate) fn answer(&self, id: &str) -> Bytes {
        to_bytes(&Failed {
            kind: "res",
            id,
            ok: false,
            error: self,
        })
    }

    /// The frame that answers a request without an id, which only the plain dialect may send.
    pub(crate) fn flat(&self) -> Bytes {
        to_bytes(&Flat {
            kind: "error",
            error: self,
        })
    }

    /// The body of an HTTP answer that refuses with this.
    pub(crate) fn told(&self) -> Bytes {
        to_bytes(&Told { error: self })
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        let retryable = failure.retryable();
        let Failure {
            kind,
            message,
            reason,
            path,
            retry_after,
            details,
            ..
        } = failure;
        let mut refusal = Self::new(kind, message);
        refusal.details = details
            .into_iter()
            .map(|(key, value)| match key.strip_prefix(JSON_DETAIL) {
                Some(key) => (key.to_owned(), serde_json::from_str(&value).unwrap_or_default()),
                None => (key, Value::from(value)),
            })
            .collect();
        if let Some(reason) = reason {
            refusal = refusal.detail("reason", Cow::into_owned(reason));
        }
        if let Some(path) = path {
            refusal = refusal.detail("path", String::from(path));
        }
        refusal.retryable = retryable;
        match retry_after {
            Some(wait) => refusal.retry_after(wait),
            None => refusal,
        }
    }
}

#[derive(Serialize)]
struct Failed<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: &'a str,
    ok: bool,
    error: &'a Refusal,
}

#[derive(Serialize)]
struct Flat<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    error: &'a Refusal,
}

#[derive(Serialize)]
struct Told<'a> {
    error: &'a Refusal,
}

/// The frame that answers a request with a payload, which must be JSON.
pub(crate) fn answer(id: &str, payload: &[u8]) -> Bytes {
    let id = Value::from(id).to_string();
    let mut frame = Vec::with_capacity(payload.len() + id.len() + 48);
    frame.extend_from_slice(br#"{"type":"res","id":"#);
    frame.extend_from_slice(id.as_bytes());
    frame.extend_from_slice(br#","ok":true,"payload":"#);
    frame.extend_from_slice(payload);
    frame.push(b'}');
    frame.into()
}

pub(crate) fn to_bytes(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value)
        .expect("strings, numbers and maps with string keys are JSON")
        .into()
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn a_refusal_says_what_a_program_and_a_person_need() {
        let failure = Failure::new(Kind::Exhausted, "the queue is full")
            .reason("QUEUE_FULL")
            .path("/message")
            .retry_after(Duration::from_millis(1500));

        let frame = Refusal::from(failure).answer("7");

        assert_eq!(
            frame,
            r#"{"type":"res","id":"7","ok":false,"error":{"code":"UNAVAILABLE","message":"the queue is full","details":{"reason":"QUEUE_FULL","path":"/message"},"retryable":true,"retryAfterMs":1500}}"#
        );
    }

    #[test]
    fn an_id_is_repeated_as_json() {
        assert_eq!(
            answer("a\"b", b"[]"),
            r#"{"type":"res","id":"a\"b","ok":true,"payload":[]}"#
        );
    }
}
