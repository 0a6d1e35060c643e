//! The Cloud API: one call, one answer. What went wrong is known by Meta's own number, not by the status.

use std::{fmt, time::Duration};

use gatehouse_core::Secret;
use reqwest::{
    RequestBuilder,
    multipart::{Form, Part},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use url::Url;

use super::config::WhatsappConfig;
use crate::{
    adapter::{FetchError, Remote},
    platform::web::{
        client::{CALL_WITHIN, Reply, Web, WebError},
        file::UPLOAD_WITHIN,
    },
};

/// What the address of a file begins with, behind which its id stands.
pub(super) const FILE: &str = "whatsapp-file:";
/// Hosts, and what is below them, that the token may be shown to when a file is fetched.
const FILE_HOSTS: [&str; 4] = ["facebook.com", "fbsbx.com", "fbcdn.net", "whatsapp.net"];

/// Why a call gave nothing. Never contains a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ApiError {
    /// Meta said no.
    #[error("{0}")]
    Refused(Refused),
    #[error(transparent)]
    Web(#[from] WebError),
}

/// Meta's no.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: u16,
    /// Its number of the reason; zero where it has none.
    pub(super) code: u32,
    /// Its words.
    pub(super) words: String,
    /// Nothing is wanted earlier.
    pub(super) retry_after: Option<Duration>,
    /// What stands between us and Meta said it, and not Meta.
    pub(super) is_foreign: bool,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.words, self.code)
    }
}

#[derive(Deserialize)]
struct No {
    error: Problem,
}

/// What is wrong, as answers and reports have it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Problem {
    pub(super) code: u32,
    message: String,
    title: String,
    error_data: Details,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    details: String,
}

impl Problem {
    /// What it says, the most exact words there are.
    pub(super) fn words(&self) -> &str {
        let words = [&self.error_data.details, &self.message, &self.title];
        let mut said = words.into_iter().filter(|words| !words.is_empty());
        said.next().map_or("no reason was given", String::as_str)
    }
}

/// The methods of one number.
#[derive(Debug)]
pub(super) struct Api {
    web: Web,
    root: Url,
    token: Secret,
    number: String,
    is_meta: bool,
}

impl Api {
    pub(super) fn new(config: &WhatsappConfig) -> Result<Self, String> {
        let secrets = [&config.access_token, &config.app_secret, &config.verify_token];
        Ok(Self {
            web: Web::new("WhatsApp", secrets.into_iter().cloned().collect())?,
            root: config.api_root.clone(),
            token: config.access_token.clone(),
            number: config.phone_number_id.clone(),
            is_meta: config.is_meta,
        })
    }

    /// Whether the number is there and the token good for it.
    pub(super) async fn number(&self) -> Result<Value, ApiError> {
        let mut address = self.address(&[&self.number]);
        address
            .query_pairs_mut()
            .append_pair("fields", "display_phone_number,verified_name,quality_rating");
        self.send(self.web.http().get(address)).await
    }

    pub(super) async fn message<T: DeserializeOwned>(&self, message: &Value) -> Result<T, ApiError> {
        let request = self.web.http().post(self.address(&[&self.number, "messages"]));
        self.send(request.json(message)).await
    }

    /// Brings a file, and gives the id by which a message names it.
    pub(super) async fn upload(&self, mime_type: String, file: Part) -> Result<String, ApiError> {
        #[derive(Deserialize)]
        struct Kept {
            id: String,
        }
        let form = Form::new()
            .text("messaging_product", "whatsapp")
            .text("type", mime_type)
            .part("file", file);
        let request = self.web.http().post(self.address(&[&self.number, "media"]));
        let kept: Kept = self.send_within(request.multipart(form), UPLOAD_WITHIN).await?;
        Ok(kept.id)
    }

    /// A file that somebody sent: asked for by its id, then fetched where Meta says, if that is one of Meta's hosts.
    pub(super) async fn file(&self, address: &str, bytes_max: u64) -> Result<Remote, FetchError> {
        #[derive(Deserialize)]
        struct Found {
            url: String,
            mime_type: Option<String>,
            file_size: Option<u64>,
        }
        let id = address
            .strip_prefix(FILE)
            .filter(|id| id.chars().all(|c| c.is_ascii_alphanumeric()));
        let id = id.ok_or_else(|| FetchError::Never("it is not a file of WhatsApp".into()))?;
        let found = self.send::<Found>(self.web.http().get(self.address(&[id]))).await;
        let found = found.map_err(|error| match error {
            ApiError::Refused(refused) if matches!(refused.status, 400..=404) => {
                FetchError::Never(format!("WhatsApp refused the file: {refused}"))
            }
            other => FetchError::Retry(other.to_string()),
        })?;
        if found.file_size.is_some_and(|size| size > bytes_max) {
            let words = format!("it is larger than {} MB", bytes_max / 1_000_000);
            return Err(FetchError::Never(words));
        }
        let place = Url::parse(&found.url).ok().filter(|place| self.keeps(place));
        let place =
            place.ok_or_else(|| FetchError::Never("WhatsApp named a place that is not Meta's".into()))?;
        let request = self.web.http().get(place).bearer_auth(self.token.expose());
        let remote = self.web.file(request, bytes_max, |_| None).await?;
        Ok(Remote {
            declared: found.mime_type.or(remote.declared),
            ..remote
        })
    }

    /// Whether the token may be shown there.
    fn keeps(&self, place: &Url) -> bool {
        if !self.is_meta {
            return place.origin() == self.root.origin();
        }
        let host = place.host_str().unwrap_or_default();
        let below = |known: &&str| {
            host.strip_suffix(*known)
                .is_some_and(|below| below.is_empty() || below.ends_with('.'))
        };
        place.scheme() == "https" && place.port().is_none() && FILE_HOSTS.iter().any(below)
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ApiError> {
        self.send_within(request, CALL_WITHIN).await
    }

    async fn send_within<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        within: Duration,
    ) -> Result<T, ApiError> {
        let reply = self
            .web
            .ask(request.bearer_auth(self.token.expose()), within)
            .await?;
        if !(200..300).contains(&reply.status) {
            return Err(ApiError::Refused(self.refused(&reply)));
        }
        serde_json::from_slice(&reply.body).map_err(|error| {
            WebError::Broken(format!("an answer of WhatsApp is not understood: {error}")).into()
        })
    }

    fn refused(&self, reply: &Reply) -> Refused {
        let problem = reply.json::<No>().map(|No { error }| error);
        let words = problem.as_ref().map_or("no answer of WhatsApp", Problem::words);
        Refused {
            status: reply.status,
            code: problem.as_ref().map_or(0, |problem| problem.code),
            words: self.web.clean(words),
            retry_after: reply.retry_after,
            is_foreign: problem.is_none(),
        }
    }

    fn address(&self, path: &[&str]) -> Url {
        let mut address = self.root.clone();
        if let Ok(mut segments) = address.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        address
    }

    /// Words of others that may be told on.
    pub(super) fn clean(&self, words: &str) -> String {
        self.web.clean(words)
    }
}
