//! The Web API: one call, one answer. Most refusals come with the status 200 and a word.

use std::{fmt, time::Duration};

use gatehouse_core::Secret;
use reqwest::{Body, RequestBuilder, header};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use url::Url;

use super::{config::SlackConfig, event::Me};
use crate::{
    adapter::{FetchError, Remote},
    platform::web::{
        client::{CALL_WITHIN, Reply, Web, WebError},
        file::UPLOAD_WITHIN,
    },
};

/// Hosts that the bot's token may be shown to when a file is fetched: Slack's own, and what is below it.
const SLACK_HOST: &str = "slack.com";
/// The scopes of a token, as every answer has them.
const SCOPES: &str = "x-oauth-scopes";

/// Why a call gave nothing. Never contains a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ApiError {
    /// Slack said no.
    #[error("{0}")]
    Refused(Refused),
    #[error(transparent)]
    Web(#[from] WebError),
}

/// Slack's no.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refused {
    /// Its word, `not_in_channel` for example.
    pub(super) word: String,
    pub(super) status: u16,
    /// Nothing is wanted earlier.
    pub(super) retry_after: Option<Duration>,
    /// The scope that is missing.
    pub(super) needed: Option<String>,
    /// What stands between us and Slack said it, and not Slack.
    pub(super) is_foreign: bool,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word)?;
        match &self.needed {
            Some(scope) => write!(f, ", it needs the scope {scope}"),
            None => Ok(()),
        }
    }
}

/// What every answer begins with.
#[derive(Deserialize)]
struct Head {
    ok: bool,
    #[serde(default)]
    error: String,
    needed: Option<String>,
}

/// The methods of one app.
#[derive(Debug)]
pub(super) struct Api {
    web: Web,
    root: Url,
    bot: Secret,
    app: Option<Secret>,
    is_slack: bool,
}

impl Api {
    pub(super) fn new(config: &SlackConfig) -> Result<Self, String> {
        let secrets = std::iter::once(&config.bot_token).chain(&config.app_token);
        Ok(Self {
            web: Web::new("Slack", secrets.cloned().collect())?,
            root: config.api_root.clone(),
            bot: config.bot_token.clone(),
            app: config.app_token.clone(),
            is_slack: config.is_slack,
        })
    }

    /// Who the bot is, and the scopes of its token where Slack tells them.
    pub(super) async fn who_am_i(&self) -> Result<(Me, Option<String>), ApiError> {
        let reply = self.ask("auth.test", &json!({}), &self.bot).await?;
        let scopes = reply.header(SCOPES).map(|scopes| self.web.clean(scopes));
        Ok((self.read("auth.test", &reply)?, scopes))
    }

    /// The address of a socket, good once.
    pub(super) async fn open_socket(&self) -> Result<String, ApiError> {
        #[derive(Deserialize)]
        struct Opened {
            url: String,
        }
        let app = self.app.as_ref().unwrap_or(&self.bot);
        let reply = self.ask("apps.connections.open", &json!({}), app).await?;
        let Opened { url } = self.read("apps.connections.open", &reply)?;
        let safe = Url::parse(&url).is_ok_and(|url| url.scheme() == "wss" || !self.is_slack);
        if safe {
            Ok(url)
        } else {
            let words = "Slack named a socket that is not encrypted".to_owned();
            Err(WebError::Broken(words).into())
        }
    }

    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        method: &'static str,
        parameters: &impl Serialize,
    ) -> Result<T, ApiError> {
        let reply = self.ask(method, parameters, &self.bot).await?;
        self.read(method, &reply)
    }

    /// The same of a method that takes no JSON.
    pub(super) async fn query<T: DeserializeOwned>(
        &self,
        method: &'static str,
        parameters: &[(&str, &str)],
    ) -> Result<T, ApiError> {
        let mut address = self.address(method);
        address.query_pairs_mut().extend_pairs(parameters);
        let request = self.web.http().get(address);
        let reply = self.send(request, &self.bot).await?;
        self.read(method, &reply)
    }

    /// The bytes of a file, where Slack said that they go. No token is shown there.
    pub(super) async fn upload(&self, address: &str, body: Body, size_bytes: u64) -> Result<(), ApiError> {
        let address = Url::parse(address).ok().filter(|address| self.keeps(address));
        let Some(address) = address else {
            let words = "Slack named a place for files that is not Slack's".to_owned();
            return Err(WebError::Unreachable(words).into());
        };
        let request = self
            .web
            .http()
            .post(address)
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header(header::CONTENT_LENGTH, size_bytes)
            .body(body);
        let reply = self.web.ask(request, UPLOAD_WITHIN).await?;
        if reply.status == 200 {
            return Ok(());
        }
        Err(ApiError::Refused(Refused {
            word: format!("HTTP {} for a file", reply.status),
            status: reply.status,
            retry_after: reply.retry_after,
            ..Refused::default()
        }))
    }

    async fn ask(
        &self,
        method: &str,
        parameters: &impl Serialize,
        token: &Secret,
    ) -> Result<Reply, ApiError> {
        let request = self.web.http().post(self.address(method)).json(parameters);
        self.send(request, token).await
    }

    async fn send(&self, request: RequestBuilder, token: &Secret) -> Result<Reply, ApiError> {
        let request = request.bearer_auth(token.expose());
        Ok(self.web.ask(request, CALL_WITHIN).await?)
    }

    fn address(&self, method: &str) -> Url {
        let mut address = self.root.clone();
        if let Ok(mut path) = address.path_segments_mut() {
            path.pop_if_empty().push(method);
        }
        address
    }

    fn read<T: DeserializeOwned>(&self, method: &str, reply: &Reply) -> Result<T, ApiError> {
        let refused = |word: &str| Refused {
            word: self.web.clean(word),
            status: reply.status,
            retry_after: reply.retry_after,
            ..Refused::default()
        };
        if reply.status == 429 {
            return Err(ApiError::Refused(refused("ratelimited")));
        }
        let Some(Head { ok, error, needed }) = reply.json() else {
            // It was done, for all that is known, and what came back was cut off or garbled.
            if (200..300).contains(&reply.status) {
                let words = format!("the answer to {method} is not understood");
                return Err(WebError::Broken(words).into());
            }
            // HTML, as a rule.
            return Err(ApiError::Refused(Refused {
                is_foreign: true,
                ..refused(&format!("HTTP {} and no answer of Slack", reply.status))
            }));
        };
        if !ok {
            return Err(ApiError::Refused(Refused {
                needed: needed.map(|scope| self.web.clean(&scope)),
                ..refused(&error)
            }));
        }
        let answer: Option<Value> = reply.json();
        T::deserialize(answer.unwrap_or_default()).map_err(|error| {
            WebError::Broken(format!("the answer to {method} is not understood: {error}")).into()
        })
    }

    /// A file, which only Slack's own hosts are asked for.
    pub(super) async fn file(&self, address: &str, bytes_max: u64) -> Result<Remote, FetchError> {
        let address = Url::parse(address).ok().filter(|address| self.keeps(address));
        let address = address.ok_or_else(|| FetchError::Never("it is not a file of Slack".into()))?;
        let request = self.web.http().get(address).bearer_auth(self.bot.expose());
        // Without the scope Slack shows a page to log in at instead.
        let login = |response: &reqwest::Response| {
            let to_login = response.status().is_redirection();
            to_login.then(|| {
                FetchError::Never(
                    "Slack does not show files to this app: give it the scope files:read".into(),
                )
            })
        };
        self.web.file(request, bytes_max, login).await
    }

    /// Whether the token may be shown there.
    fn keeps(&self, address: &Url) -> bool {
        if !self.is_slack {
            return address.origin() == self.root.origin();
        }
        let host = address.host_str().unwrap_or_default();
        let below = host
            .strip_suffix(SLACK_HOST)
            .is_some_and(|below| below.is_empty() || below.ends_with('.'));
        address.scheme() == "https" && below && address.port().is_none()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use url::Url;

    use super::Api;
    use crate::platform::slack::config::SlackConfig;

    #[test]
    fn the_token_is_shown_to_slack_alone() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = SlackConfig::read(&json!({"botToken": "xoxb-1", "appToken": "xapp-1"})).unwrap();
        let api = Api::new(&config).unwrap();
        let keeps = |address: &str| api.keeps(&Url::parse(address).unwrap());

        assert!(keeps("https://files.slack.com/files-pri/T1-F1/cat.png"));
        assert!(keeps("https://slack.com/x"));
        for other in [
            "http://files.slack.com/x",
            "https://slack.com.example.org/x",
            "https://notslack.com/x",
            "https://files.slack.com:8443/x",
            "https://example.org/slack.com",
            "https://169.254.169.254/latest",
        ] {
            assert!(!keeps(other), "{other}");
        }
    }
}
