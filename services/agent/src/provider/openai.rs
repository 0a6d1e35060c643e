//! Any endpoint that speaks OpenAI's chat completions: OpenAI, Ollama, vLLM, llama.cpp, ...

pub(crate) mod address;
pub(crate) mod body;
mod chunk;
mod decoder;
mod embeddings;
mod ending;
pub(crate) mod messages;
mod models;
mod reading;
mod transcripts;
mod whole;

use std::time::Duration;

use gatehouse_core::{Secret, trace};
use gatehouse_proto::agent::v1::FailureKind;
use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::time::timeout;

use self::address::Base;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::decoder::trial;
pub(crate) use self::ending::AT_ITS_LIMIT;
pub use self::models::Offered;
use super::{
    Answered, Unanswered,
    failure::{self, Callee},
    redaction::{Redaction, is_public_header},
};
use crate::{answer::Answer, config, http::Http, request::ModelName};

/// One endpoint, for one of its models.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    name: ModelName,
    base: Base,
    url: url::Url,
    headers: HeaderMap,
    redaction: Redaction,
    has_key: bool,
    timeout: Duration,
    sends_trace: bool,
    http: reqwest::Client,
}

/// A key without what editors leave around it: the mark of a file's encoding, and ends of lines.
fn bare(key: &Secret) -> Secret {
    Secret::new(
        key.expose()
            .trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}'),
    )
}

impl Endpoint {
    /// Reads an entry of `models.providers`.
    pub(crate) fn new(
        name: &ModelName,
        provider: &config::Provider,
        http: &Http,
    ) -> Result<Self, Unanswered> {
        let wrong = |key: &str, what: &str| {
            Unanswered::new(
                FailureKind::Config,
                format!("models.providers.{}.{key} {what}", name.provider),
            )
        };
        let base = provider
            .base_url
            .as_deref()
            .ok_or_else(|| wrong("baseUrl", "is missing"))?;
        let base = Base::read(base).map_err(|what| wrong("baseUrl", what))?;
        let url = base.completions();

        let mut headers = HeaderMap::new();
        // Without the header a server may pack as it likes (RFC 9110, section 12.5.3), and what is packed comes in lumps.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let mut secrets: Vec<Secret> = Vec::new();
        let key = provider.api_key.as_ref().map(bare);
        let bearer = key
            .iter()
            .filter(|key| provider.shows_key && !key.is_empty())
            .map(|key| ("authorization", "Bearer ", key));
        let others = provider.headers_for(&name.model);
        let others = others.iter().map(|(header, value)| (header.as_str(), "", value));
        for (header, prefix, secret) in bearer.chain(others) {
            let value = HeaderValue::from_str(&format!("{prefix}{}", secret.expose()));
            let mut value = value.map_err(|_| {
                if prefix.is_empty() {
                    wrong("headers", "holds a value that no header can carry")
                } else {
                    wrong(
                        "apiKey",
                        "holds more than one line, or a character that no header can carry",
                    )
                }
            })?;
            value.set_sensitive(true);
            let header = HeaderName::try_from(header)
                .map_err(|_| wrong("headers", "holds a name that no header can have"))?;
            if !is_public_header(header.as_str()) {
                secrets.push(secret.clone());
            }
            headers.insert(header, value);
        }
        let http = http.to(&url);
        Ok(Self {
            name: name.clone(),
            base,
            redaction: Redaction::of(&url, &secrets),
            has_key: !secrets.is_empty(),
            url,
            headers,
            timeout: provider.timeout,
            sends_trace: provider.sends_trace,
            http,
        })
    }

    /// Whether it is OpenAI's own API or Azure's.
    pub(crate) fn is_openai(&self) -> bool {
        self.base.is_openai()
    }

    /// Sends a request, and hands the pieces of its answer on as they come. Dropping the future ends the provider's connection.
    ///
    /// There is one bound for all of it: a model that is loaded first and one that thinks in silence are slow and not dead, and only
    /// the operator knows how slow theirs may be. A dead peer is found by the connection itself.
    pub(crate) async fn answer(&self, body: &Value, answer: &mut Answer) -> Result<Answered, Unanswered> {
        match timeout(self.timeout, self.stream(body, answer)).await {
            Ok(answered) => answered,
            Err(_) => Err(self.late(answer.was_seen())),
        }
    }

    fn late(&self, began: bool) -> Unanswered {
        let callee = self.callee();
        let what = if began { "finish its answer" } else { "answer" };
        let message = format!(
            "provider {name} at {origin} did not {what} within {seconds} s. If its model needs longer, raise \
             models.providers.{name}.timeoutSeconds",
            name = callee.provider,
            origin = callee.origin(),
            seconds = self.timeout.as_secs(),
        );
        callee.failed(FailureKind::Timeout, message)
    }

    fn callee(&self) -> Callee<'_> {
        Callee {
            provider: &self.name.provider,
            model: &self.name.model,
            url: &self.url,
            has_key: self.has_key,
            redaction: &self.redaction,
        }
    }

    async fn stream(&self, body: &Value, answer: &mut Answer) -> Result<Answered, Unanswered> {
        let request = self.http.post(self.url.clone()).headers(self.headers.clone());
        let request = request
            .header("content-type", "application/json")
            .header("accept", "text/event-stream")
            .body(body.to_string());
        let context = trace::current().filter(|_| self.sends_trace);
        let request = match context {
            Some(context) => request.header(trace::TRACEPARENT, context.to_string()),
            None => request,
        };
        let callee = self.callee();
        let response = request
            .send()
            .await
            .map_err(|error| failure::from_transport(&callee, &error))?;
        if !response.status().is_success() {
            return Err(reading::refusal(&callee, response).await);
        }
        reading::answer(&callee, response, self.timeout, answer).await
    }
}
