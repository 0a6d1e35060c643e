//! The Bot API over HTTP: one call, one answer.

use std::{fmt, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, stream, stream::BoxStream};
use gatehouse_core::{Chain, Secret};
use reqwest::{
    Client, RequestBuilder, Response,
    multipart::{Form, Part},
    redirect,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use url::Url;

use super::config::TelegramConfig;

/// The whole of one call, unless the call says otherwise.
pub(super) const CALL_WITHIN: Duration = Duration::from_secs(30);
/// Finding the way to Telegram.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// The longest answer, in bytes: a hundred updates, each with two messages of 4096 characters and what stands around them.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The longest pause that Telegram's word is believed in, in seconds: a day.
const RETRY_SECONDS_MAX: u64 = 86_400;
/// How much of Telegram's words is told on, in characters.
const WORDS_CHARS_MAX: usize = 300;
/// What stands where the token was.
const NO_TOKEN: &str = "<token>";

/// The bytes of a file as they come.
pub(super) type FileBytes = BoxStream<'static, Result<Bytes, ApiError>>;

/// The methods of one bot.
pub(super) struct Api {
    http: Client,
    root: Url,
    token: Secret,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Api")
    }
}

/// Why a call gave nothing. Never contains the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ApiError {
    /// Telegram said no.
    #[error("{0}")]
    Refused(Refused),
    /// Nothing of it arrived.
    #[error("{0}")]
    Unreachable(String),
    /// It may have arrived; no answer came back.
    #[error("{0}")]
    Broken(String),
}

/// Telegram's no.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refused {
    /// The status of HTTP, as a rule.
    pub(super) code: u16,
    /// Its own words.
    pub(super) words: String,
    /// Nothing is wanted earlier.
    pub(super) retry_after: Option<Duration>,
    /// The group is another chat by now.
    pub(super) moved_to: Option<i64>,
}

impl Refused {
    /// Whether these words are part of what Telegram says. It has no codes of its own.
    pub(super) fn says(&self, words: &str) -> bool {
        self.words.to_ascii_lowercase().contains(words)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.words)
    }
}

/// What every answer is wrapped in.
#[derive(Deserialize)]
struct Answer<T> {
    ok: bool,
    result: Option<T>,
    error_code: Option<u16>,
    description: Option<String>,
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
    retry_after: Option<u64>,
    migrate_to_chat_id: Option<i64>,
}

impl Api {
    pub(super) fn new(config: &TelegramConfig) -> Result<Self, String> {
        // A redirect would carry the token to a place that nobody configured; a proxy of the environment as well.
        let http = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_WITHIN)
            .user_agent(concat!("gatehouse/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("the HTTP client cannot be built: {error}"))?;
        Ok(Self {
            http,
            root: config.api_root.clone(),
            token: config.token.clone(),
        })
    }

    /// A call without parameters.
    pub(super) async fn ask<T: DeserializeOwned>(&self, method: &'static str) -> Result<T, ApiError> {
        self.call(method, &json!({}), CALL_WITHIN).await
    }

    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        parameters: &impl Serialize,
        within: Duration,
    ) -> Result<T, ApiError> {
        let sent = self.http.post(self.address(method)?).json(parameters);
        self.sent(sent, method, within).await
    }

    /// A call with a file. The other parameters stand beside it, each as a field.
    pub(super) async fn upload<T: DeserializeOwned>(
        &self,
        method: &'static str,
        parameters: &Map<String, Value>,
        field: &'static str,
        file: Part,
        within: Duration,
    ) -> Result<T, ApiError> {
        let mut form = Form::new();
        for (name, value) in parameters {
            let value = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            form = form.text(name.clone(), value);
        }
        let sent = self.http.post(self.address(method)?);
        self.sent(sent.multipart(form.part(field, file)), method, within)
            .await
    }

    async fn sent<T: DeserializeOwned>(
        &self,
        sent: RequestBuilder,
        method: &'static str,
        within: Duration,
    ) -> Result<T, ApiError> {
        match sent.timeout(within).send().await {
            Ok(response) => self.read(response, method).await,
            Err(error) if error.is_connect() => Err(ApiError::Unreachable(format!(
                "Telegram cannot be reached: {}",
                self.clean(&Chain(&error.without_url()).to_string())
            ))),
            Err(error) => Err(self.broken(error)),
        }
    }

    fn address(&self, method: &str) -> Result<Url, ApiError> {
        let mut address = self.root.clone();
        let Ok(mut path) = address.path_segments_mut() else {
            return Err(ApiError::Unreachable(
                "apiRoot cannot have methods behind it".into(),
            ));
        };
        path.pop_if_empty()
            .push(&format!("bot{}", self.token.expose()))
            .push(method);
        drop(path);
        Ok(address)
    }

    /// A file of this bot: its length where it is told, and its bytes. `silence_max`: nothing comes for so long, and it broke off.
    pub(super) async fn file(
        &self,
        path: &str,
        silence_max: Duration,
    ) -> Result<(Option<u64>, FileBytes), ApiError> {
        let mut address = self.root.clone();
        if let Ok(mut segments) = address.path_segments_mut() {
            segments
                .pop_if_empty()
                .push("file")
                .push(&format!("bot{}", self.token.expose()));
            // It never leads above itself, whatever a server says.
            segments.extend(path.split('/').filter(|part| !matches!(*part, "" | "." | "..")));
        }
        let sent = tokio::time::timeout(silence_max, self.http.get(address).send()).await;
        let response = sent
            .map_err(|_| ApiError::Broken("Telegram did not answer in time".into()))?
            .map_err(|error| self.broken(error))?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(ApiError::Refused(Refused {
                code: status,
                words: "for a file".into(),
                ..Refused::default()
            }));
        }
        let length = response.content_length();
        let bytes = stream::unfold(Some(response), move |response| async move {
            let mut response = response?;
            let broken = |reason: &str| Some((Err(ApiError::Broken(reason.to_owned())), None));
            match tokio::time::timeout(silence_max, response.chunk()).await {
                Ok(Ok(Some(part))) => Some((Ok(part), Some(response))),
                Ok(Ok(None)) => None,
                // Its words may hold the address.
                Ok(Err(_)) => broken("Telegram broke off in a file"),
                Err(_) => broken("Telegram was silent in a file"),
            }
        });
        Ok((length, bytes.boxed()))
    }

    async fn read<T: DeserializeOwned>(&self, mut response: Response, method: &str) -> Result<T, ApiError> {
        let status = response.status().as_u16();
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() <= ANSWER_BYTES_MAX => {
                    body.extend_from_slice(&chunk)
                }
                Ok(Some(_)) => return Err(ApiError::Broken(format!("the answer to {method} is too large"))),
                Ok(None) => break,
                Err(error) => return Err(self.broken(error)),
            }
        }
        let Ok(answer) = serde_json::from_slice::<Answer<Value>>(&body) else {
            // It was done, for all that is known, and what came back was cut off or garbled.
            if (200..300).contains(&status) {
                return Err(ApiError::Broken(format!(
                    "the answer to {method} is not understood"
                )));
            }
            // What stands between us and Telegram answers in HTML, and its word on a message is not Telegram's.
            return Err(ApiError::Refused(Refused {
                code: match status {
                    401 | 404 | 413 | 429 | 500.. => status,
                    _ => 502,
                },
                words: format!("(HTTP {status}) and no answer of the Bot API"),
                ..Refused::default()
            }));
        };
        match answer.result {
            Some(result) if answer.ok => T::deserialize(result).map_err(|error| {
                ApiError::Broken(format!("the answer to {method} is not understood: {error}"))
            }),
            None if answer.ok => Err(ApiError::Broken(format!("the answer to {method} is not whole"))),
            _ => {
                let parameters = answer.parameters.as_ref();
                Err(ApiError::Refused(Refused {
                    code: answer.error_code.unwrap_or(status),
                    words: self.clean(&answer.description.unwrap_or_default()),
                    retry_after: parameters
                        .and_then(|parameters| parameters.retry_after)
                        .map(|seconds| Duration::from_secs(seconds.min(RETRY_SECONDS_MAX))),
                    moved_to: parameters.and_then(|parameters| parameters.migrate_to_chat_id),
                }))
            }
        }
    }

    fn broken(&self, error: reqwest::Error) -> ApiError {
        ApiError::Broken(if error.is_timeout() {
            "Telegram did not answer in time".to_owned()
        } else {
            let error = error.without_url();
            format!("Telegram broke off: {}", self.clean(&Chain(&error).to_string()))
        })
    }

    /// Words of others, without the token and short enough for a line.
    pub(super) fn clean(&self, words: &str) -> String {
        let words = words.replace(self.token.expose(), NO_TOKEN);
        let printed = words.chars().filter(|c| !c.is_control());
        printed.take(WORDS_CHARS_MAX).collect()
    }
}
