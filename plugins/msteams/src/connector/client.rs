//! The connector's calls.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, Method, RequestBuilder, Response, redirect};
use serde::Deserialize;
use serde_json::Value;

use super::{credential::Tokens, error::ConnectorError, pace::Pace, retry};
use crate::service_url::ServiceUrl;

/// How long Teams may take for a call. Its stand-in hangs on a stream that begins in the middle.
const WITHIN: Duration = Duration::from_secs(15);
/// The longest message, in bytes: Teams says 100 KB and means what it makes of it, so Microsoft's advice is 80.
pub(crate) const MESSAGE_BYTES_MAX: usize = 80 * 1024;
/// An answer of the connector: a page of members is the longest.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Words of Teams that are repeated to people.
const WORDS_MAX: usize = 300;

/// Teams took something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Posted {
    /// Its id. Empty where Teams tells none.
    pub id: String,
}

/// Somebody in a conversation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Member {
    /// The id towards this bot.
    pub id: String,
    /// The id in the organisation.
    #[serde(alias = "objectId")]
    pub aad_object_id: Option<String>,
    /// What they are called.
    pub name: Option<String>,
    /// Their address.
    pub email: Option<String>,
    /// `user`, `guest` or the like.
    pub user_role: Option<String>,
}

/// A page of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Members {
    /// The members.
    pub members: Vec<Member>,
    /// Asks for the next page. Unset: there is none.
    pub continuation_token: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Failure {
    error: FailureBody,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FailureBody {
    code: String,
    message: String,
}

/// The connector.
#[derive(Clone, Debug)]
pub struct Connector {
    http: Client,
    tokens: Arc<Tokens>,
    pace: Arc<Pace>,
}

impl Connector {
    /// One for this bot.
    ///
    /// # Errors
    /// When an HTTP client cannot be made.
    pub fn new(tokens: Arc<Tokens>) -> Result<Self, String> {
        let http = Client::builder()
            .redirect(redirect::Policy::none()) // a redirect would carry the token elsewhere
            .timeout(WITHIN)
            .user_agent(concat!("gatehouse-msteams/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("the HTTP client cannot be built: {error}"))?;
        Ok(Self {
            http,
            tokens,
            pace: Arc::default(),
        })
    }

    /// Says something in a conversation.
    ///
    /// # Errors
    /// See [`ConnectorError`].
    pub async fn post(
        &self,
        service: &ServiceUrl,
        to: &str,
        activity: &Value,
    ) -> Result<Posted, ConnectorError> {
        let url = service.below(&["v3", "conversations", to, "activities"]);
        self.said(to, self.http.request(Method::POST, url), activity)
            .await
    }

    /// Changes what was said.
    ///
    /// # Errors
    /// See [`ConnectorError`].
    pub async fn update(
        &self,
        service: &ServiceUrl,
        to: &str,
        message: &str,
        activity: &Value,
    ) -> Result<Posted, ConnectorError> {
        let url = service.below(&["v3", "conversations", to, "activities", message]);
        self.said(to, self.http.request(Method::PUT, url), activity).await
    }

    /// Takes back what was said.
    ///
    /// # Errors
    /// See [`ConnectorError`].
    pub async fn delete(&self, service: &ServiceUrl, to: &str, message: &str) -> Result<(), ConnectorError> {
        let url = service.below(&["v3", "conversations", to, "activities", message]);
        self.take(to)?;
        self.call(self.http.request(Method::DELETE, url)).await.map(drop)
    }

    /// Opens a chat with a person, or finds the one there is.
    ///
    /// # Errors
    /// See [`ConnectorError`].
    pub async fn open(&self, service: &ServiceUrl, chat: &Value) -> Result<Posted, ConnectorError> {
        let url = service.below(&["v3", "conversations"]);
        self.said("", self.http.request(Method::POST, url), chat).await
    }

    /// Who is in a conversation.
    ///
    /// # Errors
    /// See [`ConnectorError`].
    pub async fn members(
        &self,
        service: &ServiceUrl,
        of: &str,
        page_size: u32,
        page: Option<&str>,
    ) -> Result<Members, ConnectorError> {
        let mut url = service.below(&["v3", "conversations", of, "pagedmembers"]);
        url.query_pairs_mut()
            .append_pair("pageSize", &page_size.to_string());
        if let Some(page) = page {
            url.query_pairs_mut().append_pair("continuationToken", page);
        }
        self.take(of)?;
        let bytes = self.call(self.http.request(Method::GET, url)).await?;
        serde_json::from_slice(&bytes)
            .map_err(|_| ConnectorError::Unknown("Teams answers something else than members".into()))
    }

    /// The bytes of a file that the connector keeps.
    ///
    /// # Errors
    /// See [`ConnectorError`].
    pub async fn file(&self, url: url::Url, with_token: bool) -> Result<Response, ConnectorError> {
        let request = self.http.get(url);
        let token = if with_token {
            self.tokens.get().await?
        } else {
            None
        };
        let request = match &token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        };
        let answer = request.send().await.map_err(broken)?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        Err(refused(answer).await)
    }

    async fn said(&self, to: &str, request: RequestBuilder, what: &Value) -> Result<Posted, ConnectorError> {
        let body = what.to_string();
        let bytes = body.encode_utf16().count() * 2; // what Teams counts
        if bytes > MESSAGE_BYTES_MAX {
            return Err(ConnectorError::Refused {
                code: "MessageSizeTooBig".into(),
                message: format!("{bytes} bytes of UTF-16, and Teams takes {MESSAGE_BYTES_MAX}"),
                status: 413,
            });
        }
        self.take(to)?;
        let request = request.header("content-type", "application/json").body(body);
        let bytes = self.call(request).await?;
        // An update answers nothing.
        Ok(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    fn take(&self, conversation: &str) -> Result<(), ConnectorError> {
        self.pace
            .take(conversation)
            .map_err(|after| ConnectorError::Busy {
                after,
                reason: "Teams takes no more messages in this moment".into(),
            })
    }

    /// Makes a call. A token that Teams does not believe any more is replaced once.
    async fn call(&self, request: RequestBuilder) -> Result<Vec<u8>, ConnectorError> {
        let again = request.try_clone();
        let token = self.tokens.get().await?;
        let answer = send(request, token.as_ref()).await?;
        if answer.status().as_u16() != 401 {
            return taken(answer).await;
        }
        if let (Some(token), Some(request)) = (token, again) {
            self.tokens.forget(&token).await;
            let token = self.tokens.get().await?;
            return taken(send(request, token.as_ref()).await?).await;
        }
        taken(answer).await
    }
}

async fn send(request: RequestBuilder, token: Option<&crate::Secret>) -> Result<Response, ConnectorError> {
    let request = match token {
        Some(token) => request.bearer_auth(token.expose()),
        None => request,
    };
    request.send().await.map_err(broken)
}

fn broken(error: reqwest::Error) -> ConnectorError {
    let unreached = error.is_connect();
    let reason = format!("Teams cannot be reached: {}", error.without_url());
    if unreached {
        ConnectorError::Unreached(reason)
    } else {
        ConnectorError::Unknown(reason)
    }
}

async fn taken(answer: Response) -> Result<Vec<u8>, ConnectorError> {
    if answer.status().is_success() {
        // It was taken, whatever becomes of the answer.
        return body(answer).await;
    }
    Err(refused(answer).await)
}

async fn refused(answer: Response) -> ConnectorError {
    let status = answer.status().as_u16();
    let retry_after = answer
        .headers()
        .get("retry-after")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let bytes = body(answer).await.unwrap_or_default();
    let said = serde_json::from_slice::<Failure>(&bytes);
    // A page of something in between says nothing of the message.
    let is_foreign = said.is_err() && !bytes.is_empty();
    let said = said.unwrap_or_default().error;
    if let Some(after) = retry::pause(status, retry_after.as_deref(), 0, retry::chance()) {
        return ConnectorError::Busy {
            after,
            reason: format!("Teams answers {status}"),
        };
    }
    match status {
        401 => ConnectorError::Credential(
            "Teams does not believe the bot's token: `appId` is not the bot's, or `tenantId` is not the bot's own tenant".into(),
        ),
        // 501 is a call that is not there, and will not be there in a minute either.
        404 | 413 | 501 => ConnectorError::Refused {
            code: words(&said.code, "no code"),
            message: words(&said.message, "no reason"),
            status,
        },
        _ if status >= 500 || is_foreign => ConnectorError::Busy {
            after: Duration::from_secs(5),
            reason: format!("Teams answers {status}"),
        },
        _ => ConnectorError::Refused {
            code: words(&said.code, "no code"),
            message: words(&said.message, "no reason"),
            status,
        },
    }
}

fn words(said: &str, none: &str) -> String {
    let words: String = said
        .chars()
        .filter(|letter| !letter.is_control())
        .take(WORDS_MAX)
        .collect();
    if words.is_empty() { none.to_owned() } else { words }
}

async fn body(mut answer: Response) -> Result<Vec<u8>, ConnectorError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(broken)? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(ConnectorError::Unknown("Teams answers more than 4 MiB".into()));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
