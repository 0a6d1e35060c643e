//! HTTP to a platform: one request, one bounded answer, or the bytes of a file. Addresses are never part of an error, and whatever
//! the other side says is looked through for the account's secrets before it is told on.

use std::{fmt, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, stream};
use gatehouse_core::{Chain, Secret};
use reqwest::{Client, RequestBuilder, Response, header, redirect};
use serde::de::DeserializeOwned;

use crate::adapter::{FetchError, Remote};

/// The whole of one call, unless the call says otherwise.
pub(in crate::platform) const CALL_WITHIN: Duration = Duration::from_secs(30);
/// Finding the way.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// The longest answer, in bytes. Platforms answer a message with a few kilobytes.
pub(in crate::platform) const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Nothing of a file for so long: it broke off.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How much of a platform's words is told on, in characters.
const WORDS_CHARS_MAX: usize = 300;
/// What stands where a secret was.
const NO_SECRET: &str = "<secret>";
/// The longest pause that a platform's word is believed in, in seconds: a day.
const RETRY_SECONDS_MAX: f64 = 86_400.0;
/// Why there is no answer. Never contains a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::platform) enum WebError {
    /// Nothing of it arrived.
    #[error("{0}")]
    Unreachable(String),
    /// It may have arrived; no answer came back.
    #[error("{0}")]
    Broken(String),
}

/// An answer, whatever it says.
#[derive(Clone, Debug)]
pub(in crate::platform) struct Reply {
    pub(in crate::platform) status: u16,
    /// Nothing is wanted earlier.
    pub(in crate::platform) retry_after: Option<Duration>,
    pub(in crate::platform) headers: header::HeaderMap,
    pub(in crate::platform) body: Vec<u8>,
}

impl Reply {
    /// The body, if it is JSON of this shape.
    pub(in crate::platform) fn json<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// A header that is a text.
    pub(in crate::platform) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Seconds as platforms write them, with or without a fraction.
pub(in crate::platform) fn seconds(text: &str) -> Option<Duration> {
    let seconds: f64 = text.trim().parse().ok()?;
    if !seconds.is_finite() || seconds < 0.0 {
        return None;
    }
    Some(Duration::from_secs_f64(seconds.min(RETRY_SECONDS_MAX)))
}

/// The client of one account.
#[derive(Clone)]
pub(in crate::platform) struct Web {
    http: Client,
    /// The platform's name for people.
    platform: &'static str,
    secrets: Vec<Secret>,
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Web")
    }
}

impl Web {
    pub(in crate::platform) fn new(platform: &'static str, secrets: Vec<Secret>) -> Result<Self, String> {
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
            platform,
            secrets,
        })
    }

    /// Where requests are made.
    pub(in crate::platform) fn http(&self) -> &Client {
        &self.http
    }

    /// Asks, and reads the answer whatever its status.
    pub(in crate::platform) async fn ask(
        &self,
        request: RequestBuilder,
        within: Duration,
    ) -> Result<Reply, WebError> {
        self.ask_up_to(request, within, ANSWER_BYTES_MAX).await
    }

    /// The same for an answer that may have so many bytes.
    pub(in crate::platform) async fn ask_up_to(
        &self,
        request: RequestBuilder,
        within: Duration,
        bytes_max: usize,
    ) -> Result<Reply, WebError> {
        let sent = request.timeout(within).send().await;
        let mut response = sent.map_err(|error| self.failed(error))?;
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(part)) if body.len() + part.len() <= bytes_max => body.extend_from_slice(&part),
                Ok(Some(_)) => {
                    return Err(WebError::Broken(format!(
                        "an answer of {} is too large",
                        self.platform
                    )));
                }
                Ok(None) => break,
                // Its beginning came, so the request arrived.
                Err(error) => return Err(self.broken(error)),
            }
        }
        let retry_after = response.headers().get(header::RETRY_AFTER);
        Ok(Reply {
            status: response.status().as_u16(),
            retry_after: retry_after.and_then(|value| seconds(value.to_str().ok()?)),
            headers: response.headers().clone(),
            body,
        })
    }

    /// The bytes of a file, never more than this many. `wrong`: what the head of the answer already tells.
    pub(in crate::platform) async fn file(
        &self,
        request: RequestBuilder,
        bytes_max: u64,
        wrong: impl FnOnce(&Response) -> Option<FetchError>,
    ) -> Result<Remote, FetchError> {
        let sent = tokio::time::timeout(SILENCE_MAX, request.send()).await;
        let response = sent
            .map_err(|_| FetchError::Retry(format!("{} did not answer in time", self.platform)))?
            .map_err(|error| FetchError::Retry(self.failed(error).to_string()))?;
        let platform = self.platform;
        if let Some(wrong) = wrong(&response) {
            return Err(wrong);
        }
        match response.status().as_u16() {
            200 => {}
            status @ 400..=404 | status @ 410 => {
                return Err(FetchError::Never(format!(
                    "{platform} refused the file: {status}"
                )));
            }
            status => {
                return Err(FetchError::Retry(format!(
                    "{platform} answered {status} for a file"
                )));
            }
        }
        let too_large = move || FetchError::Never(format!("it is larger than {} MB", bytes_max / 1_000_000));
        if response.content_length().is_some_and(|length| length > bytes_max) {
            return Err(too_large());
        }
        let declared = response.headers().get(header::CONTENT_TYPE);
        let declared = declared.and_then(|kind| kind.to_str().ok()).map(str::to_owned);
        let bytes = stream::unfold((Some(response), 0_u64), move |(response, read)| async move {
            let mut response = response?;
            let broken = |reason: &str| FetchError::Retry(format!("{platform} {reason} in a file"));
            let part: Result<Bytes, FetchError> =
                match tokio::time::timeout(SILENCE_MAX, response.chunk()).await {
                    Ok(Ok(Some(part))) => Ok(part),
                    Ok(Ok(None)) => return None,
                    // Its words may hold the address.
                    Ok(Err(_)) => Err(broken("broke off")),
                    Err(_) => Err(broken("was silent")),
                };
            let read = read.saturating_add(part.as_ref().map_or(0, |part| part.len() as u64));
            let part = part.and_then(|part| {
                if read > bytes_max {
                    Err(too_large())
                } else {
                    Ok(part)
                }
            });
            let rest = part.is_ok().then_some(response);
            Some((part, (rest, read)))
        });
        Ok(Remote {
            declared,
            bytes_max,
            bytes: bytes.boxed(),
        })
    }

    /// What an error of a request means.
    pub(in crate::platform) fn failed(&self, error: reqwest::Error) -> WebError {
        if error.is_connect() || error.is_builder() {
            let words = self.clean(&Chain(&error.without_url()).to_string());
            return WebError::Unreachable(format!("{} cannot be reached: {words}", self.platform));
        }
        self.broken(error)
    }

    fn broken(&self, error: reqwest::Error) -> WebError {
        WebError::Broken(if error.is_timeout() {
            format!("{} did not answer in time", self.platform)
        } else {
            let error = error.without_url();
            format!(
                "{} broke off: {}",
                self.platform,
                self.clean(&Chain(&error).to_string())
            )
        })
    }

    /// Words of others, without the secrets and short enough for a line.
    pub(in crate::platform) fn clean(&self, words: &str) -> String {
        let secrets = self.secrets.iter().map(Secret::expose);
        let words = secrets
            .filter(|secret| !secret.is_empty())
            .fold(words.to_owned(), |words, secret| words.replace(secret, NO_SECRET));
        let printed = words.chars().filter(|c| !c.is_control());
        printed.take(WORDS_CHARS_MAX).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::seconds;

    #[test]
    fn a_pause_is_read_with_and_without_a_fraction_and_is_never_longer_than_a_day() {
        assert_eq!(seconds("30"), Some(Duration::from_secs(30)));
        assert_eq!(seconds("0.25"), Some(Duration::from_millis(250)));
        assert_eq!(seconds("1e300"), Some(Duration::from_secs(86_400)));
        for wrong in ["-1", "NaN", "soon", "inf"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
