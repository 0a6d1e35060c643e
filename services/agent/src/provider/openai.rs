//! Any endpoint that speaks OpenAI's chat completions: OpenAI, Ollama, vLLM, llama.cpp, ...

mod chunk;
mod messages;

use std::time::Duration;

use futures::StreamExt;
use gatehouse_core::Secret;
use gatehouse_proto::agent::v1::{FailureKind, Usage};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tokio::time::timeout;

use self::chunk::{Chunk, TokenCount};
use super::{Answered, StopReason, Unanswered, failure, redaction::Redaction, sse};
use crate::{
    answer::{Answer, TooLong},
    config,
    http::Http,
    request::Question,
};

/// The longest wait for the head of an answer. Local servers load a model first; a minute is what the slowest disks need.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);

/// The longest silence inside an answer. A reasoning model that streams nothing for longer looks dead to a person too.
const IDLE_TIMEOUT: Duration = Duration::from_secs(120);

/// The most of an error body that is read.
const ERROR_BODY_BYTES_MAX: usize = 64 * 1024;

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
            headers.insert(header, value);
            secrets.push(secret.clone());
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
        let head = timeout(HEAD_TIMEOUT, request.send()).await;
        let late = || {
            Unanswered::new(
                FailureKind::Timeout,
                format!("provider {} did not begin to answer", self.name),
            )
        };
        let response = head
            .map_err(|_| late())?
            .map_err(|error| failure::from_transport(&self.name, &error))?;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }

        let broken =
            |what: &str| Unanswered::new(FailureKind::Unavailable, format!("provider {} {what}", self.name));
        let mut bytes = response.bytes_stream();
        let (mut parser, mut events) = (sse::Parser::default(), Vec::new());
        let mut end = End::default();
        loop {
            let next = timeout(IDLE_TIMEOUT, bytes.next()).await;
            let idle = || {
                Unanswered::new(
                    FailureKind::Timeout,
                    format!("provider {} fell silent in its answer", self.name),
                )
            };
            let Some(chunk) = next.map_err(|_| idle())? else {
                break;
            };
            let chunk = chunk.map_err(|error| failure::from_transport(&self.name, &error))?;
            parser
                .push(&chunk, &mut events)
                .map_err(|sse::TooLong| broken("sent an event that is too long"))?;
            for event in events.drain(..) {
                if event == "[DONE]" {
                    return Ok(end.into());
                }
                let chunk: Chunk = serde_json::from_str(&event)
                    .map_err(|_| broken("sent something that is no chat completion"))?;
                if let Some(error) = chunk.error {
                    let body = json!({"error": error}).to_string();
                    return Err(self.read_refusal(
                        reqwest::StatusCode::BAD_GATEWAY,
                        &HeaderMap::new(),
                        body.as_bytes(),
                    ));
                }
                if let Err(TooLong) = take(chunk, &mut end, answer).await {
                    return Ok(Answered::cut_off());
                }
            }
        }
        // Some servers leave out the closing mark; a reason to stop is as good.
        if end.stop_reason.is_none() {
            Err(broken("ended in the middle of its answer"))
        } else {
            Ok(end.into())
        }
    }

    async fn refusal(&self, response: reqwest::Response) -> Unanswered {
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        let mut bytes = response.bytes_stream();
        while let Some(Ok(chunk)) = bytes.next().await {
            body.extend_from_slice(&chunk);
            if body.len() > ERROR_BODY_BYTES_MAX {
                break;
            }
        }
        self.read_refusal(status, &headers, &body)
    }

    fn read_refusal(&self, status: reqwest::StatusCode, headers: &HeaderMap, body: &[u8]) -> Unanswered {
        failure::from_response(
            &self.name,
            status,
            headers,
            body,
            &Redaction::of(&self.url, &self.secrets),
        )
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

/// What a stream has said of its end so far.
#[derive(Debug, Default)]
struct End {
    stop_reason: Option<StopReason>,
    usage: Option<Usage>,
}

impl From<End> for Answered {
    fn from(End { stop_reason, usage }: End) -> Self {
        Self {
            // A stream that closes with its mark and no reason has said everything.
            stop_reason: stop_reason.unwrap_or(StopReason::Other(String::new())),
            usage,
        }
    }
}

async fn take(chunk: Chunk, end: &mut End, answer: &mut Answer) -> Result<(), TooLong> {
    if let Some(TokenCount {
        prompt_tokens: input,
        completion_tokens: output,
    }) = chunk.usage
    {
        end.usage = Some(Usage {
            input,
            output,
            total_tokens: input.saturating_add(output),
        });
    }
    for choice in chunk.choices {
        let (thinking, text) = choice.delta.into_words();
        answer.think(thinking).await?;
        answer.say(text).await?;
        if let Some(reason) = choice.finish_reason.and_then(StopReason::read) {
            end.stop_reason = Some(reason);
        }
    }
    Ok(())
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
