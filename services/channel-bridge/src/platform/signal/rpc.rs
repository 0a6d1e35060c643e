//! The daemon of signal-cli: questions over JSON-RPC, and the events that it tells.

use std::{fmt, time::Duration};

use reqwest::Response;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use url::Url;

use super::config::SignalConfig;
use crate::platform::web::client::{ANSWER_BYTES_MAX, CALL_WITHIN, Web, WebError};

/// A message to a group waits for all of its members' phones.
const SEND_WITHIN: Duration = Duration::from_secs(90);
/// The daemon begins to answer a question for events at once.
const EVENTS_WITHIN: Duration = Duration::from_secs(15);

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum RpcError {
    /// signal-cli said no.
    #[error("{0}")]
    Refused(Refused),
    #[error(transparent)]
    Web(#[from] WebError),
}

/// signal-cli's no.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refused {
    /// Its number of the kind of reason.
    pub(super) code: i64,
    /// Its words.
    pub(super) words: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.words, self.code)
    }
}

#[derive(Deserialize)]
struct Answer {
    result: Option<Value>,
    error: Option<No>,
}

#[derive(Deserialize)]
struct No {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    message: String,
}

/// The daemon, for one account.
#[derive(Debug)]
pub(super) struct Rpc {
    web: Web,
    root: Url,
    account: String,
}

impl Rpc {
    pub(super) fn new(config: &SignalConfig) -> Result<Self, String> {
        Ok(Self {
            web: Web::new("signal-cli", Vec::new())?,
            root: config.http_url.clone(),
            account: config.account.clone(),
        })
    }

    /// A question that is answered at once.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: &'static str,
        parameters: Map<String, Value>,
    ) -> Result<T, RpcError> {
        self.call(method, parameters, CALL_WITHIN, ANSWER_BYTES_MAX).await
    }

    /// A message on its way to phones.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        parameters: Map<String, Value>,
    ) -> Result<T, RpcError> {
        self.call("send", parameters, SEND_WITHIN, ANSWER_BYTES_MAX).await
    }

    /// A question whose answer may have so many bytes.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        mut parameters: Map<String, Value>,
        within: Duration,
        bytes_max: usize,
    ) -> Result<T, RpcError> {
        parameters.insert("account".to_owned(), json!(self.account));
        let question = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters});
        let request = self.web.http().post(self.address("rpc")).json(&question);
        let reply = self.web.ask_up_to(request, within, bytes_max).await?;
        let Some(Answer { result, error }) = reply.json() else {
            // It was done, for all that is known, and what came back was cut off or garbled.
            if (200..300).contains(&reply.status) {
                return Err(WebError::Broken(format!("the answer to {method} is not understood")).into());
            }
            return Err(RpcError::Refused(Refused {
                code: i64::from(reply.status),
                words: format!(
                    "{} and no answer of signal-cli: does httpUrl lead to its daemon?",
                    reply.status
                ),
            }));
        };
        if let Some(No { code, message }) = error {
            let words = self.web.clean(&message);
            return Err(RpcError::Refused(Refused { code, words }));
        }
        T::deserialize(result.unwrap_or_default()).map_err(|error| {
            WebError::Broken(format!("the answer to {method} is not understood: {error}")).into()
        })
    }

    /// The events from now on.
    pub(super) async fn events(&self) -> Result<Response, RpcError> {
        let mut address = self.address("events");
        address.query_pairs_mut().append_pair("account", &self.account);
        let asked = self
            .web
            .http()
            .get(address)
            .header("accept", "text/event-stream")
            .send();
        let asked = tokio::time::timeout(EVENTS_WITHIN, asked).await;
        let response = asked
            .map_err(|_| WebError::Broken("signal-cli did not begin to tell events in time".into()))?
            .map_err(|error| self.web.failed(error))?;
        match response.status().as_u16() {
            200 => Ok(response),
            status => Err(RpcError::Refused(Refused {
                code: i64::from(status),
                words: format!("{status} for its events: does httpUrl lead to its daemon?"),
            })),
        }
    }

    fn address(&self, name: &str) -> Url {
        let mut address = self.root.clone();
        if let Ok(mut segments) = address.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1", name]);
        }
        address
    }
}
