//! Any endpoint that speaks OpenAI's chat completions: OpenAI, Ollama, vLLM, llama.cpp, ...

mod chunk;
mod decoder;
mod ending;
mod messages;
mod reading;

use std::time::Duration;

use gatehouse_core::Secret;
use gatehouse_proto::agent::v1::FailureKind;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::time::timeout;

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::decoder::trial;
use super::{
    Answered, Unanswered,
    failure::{self, Callee},
    redaction::{Redaction, is_public_header},
};
use crate::{answer::Answer, config, http::Http, request::Question};

/// The longest wait for the head of an answer. Local servers load a model first; a minute is what the slowest disks need.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest silence inside an answer. A reasoning model that streams nothing for longer looks dead to a person too.
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);

/// Which model is asked, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) model: &'a str,
    pub(crate) max_tokens: Option<u64>,
    /// How hard it thinks, in its own words.
    pub(crate) effort: Option<&'a str>,
}

/// One endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    name: String,
    url: url::Url,
    headers: HeaderMap,
    secrets: Vec<Secret>,
    timeout: Duration,
    http: reqwest::Client,
}

impl Endpoint {
    /// Reads an entry of `models.providers`.
    pub(crate) fn new(name: &str, provider: &config::Provider, http: &Http) -> Result<Self, Unanswered> {
        let wrong = |key: &str, what: &str| {
            Unanswered::new(
                FailureKind::Config,
                format!("models.providers.{name}.{key} {what}"),
            )
        };
        let base = provider
            .base_url
            .as_deref()
            .ok_or_else(|| wrong("baseUrl", "is missing"))?;
        let url = completions(base).ok_or_else(|| wrong("baseUrl", "is no http or https address"))?;

        let mut headers = HeaderMap::new();
        let mut secrets = Vec::new();
        let bearer = provider
            .api_key
            .iter()
            .filter(|key| !key.is_empty())
            .map(|key| ("authorization", "Bearer ", key));
        let others = provider
            .headers
            .iter()
            .map(|(header, value)| (header.as_str(), "", value));
        for (header, prefix, secret) in bearer.chain(others) {
            let value = HeaderValue::from_str(&format!("{prefix}{}", secret.expose()));
            let mut value = value.map_err(|_| wrong("headers", "holds a value that no header can carry"))?;
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
            name: name.into(),
            url,
            headers,
            secrets,
            timeout: provider.timeout,
            http,
        })
    }

    /// Asks, and hands the pieces on as they come. Dropping the future ends the provider's connection.
    pub(crate) async fn answer(
        &self,
        asked: &Asked<'_>,
        question: &Question,
        answer: &mut Answer,
    ) -> Result<Answered, Unanswered> {
        let late = || {
            Unanswered::new(
                FailureKind::Timeout,
                format!("provider {} did not answer in time", self.name),
            )
        };
        timeout(self.timeout, self.stream(asked, question, answer))
            .await
            .map_err(|_| late())?
    }

    async fn stream(
        &self,
        asked: &Asked<'_>,
        question: &Question,
        answer: &mut Answer,
    ) -> Result<Answered, Unanswered> {
        let body = body(asked, question).to_string();
        let request = self.http.post(self.url.clone()).headers(self.headers.clone());
        let request = request
            .header("content-type", "application/json")
            .header("accept", "text/event-stream")
            .body(body);
        let redaction = Redaction::of(&self.url, &self.secrets);
        let callee = Callee {
            provider: &self.name,
            model: asked.model,
            url: &self.url,
            has_key: !self.secrets.is_empty(),
            redaction: &redaction,
        };
        let head = timeout(HEAD_TIMEOUT, request.send()).await;
        let late = || {
            Unanswered::new(
                FailureKind::Timeout,
                format!("provider {} did not begin to answer", self.name),
            )
        };
        let response = head
            .map_err(|_| late())?
            .map_err(|error| failure::from_transport(&callee, &error))?;
        if !response.status().is_success() {
            return Err(reading::refusal(&callee, response).await);
        }
        reading::answer(&callee, response, IDLE_TIMEOUT, answer).await
    }
}

/// Where completions are asked for: behind the path of the base address, before its query.
fn completions(base: &str) -> Option<url::Url> {
    let mut url = url::Url::parse(base)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let path = format!("{}/chat/completions", url.path().trim_end_matches('/'));
    url.set_path(&path);
    url.set_fragment(None);
    Some(url)
}

fn body(asked: &Asked<'_>, question: &Question) -> Value {
    let Asked {
        model,
        max_tokens,
        effort,
    } = *asked;
    let system = question
        .system_prompt
        .iter()
        .map(|prompt| json!({"role": "system", "content": prompt}));
    let messages: Vec<Value> = system.chain(messages::of(&question.messages)).collect();
    let mut body = json!({"model": model, "messages": messages, "stream": true, "stream_options": {"include_usage": true}});
    if let Some(max_tokens) = max_tokens {
        body["max_tokens"] = max_tokens.into();
    }
    if let Some(effort) = effort {
        body["reasoning_effort"] = effort.into();
    }
    body
}
