//! Discord's methods over HTTP: one call, one answer.

use std::{fmt, time::Duration};

use gatehouse_core::Secret;
use reqwest::{
    Method, RequestBuilder, header,
    multipart::{Form, Part},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use url::Url;

use super::config::DiscordConfig;
use crate::{
    adapter::{FetchError, Remote},
    platform::web::{
        client::{CALL_WITHIN, Reply, Web, WebError, seconds},
        file::UPLOAD_WITHIN,
    },
};

/// Discord lets nobody in whose name has another form.
const AGENT: &str = concat!(
    "DiscordBot (https://crates.io/crates/gatehouse, ",
    env!("CARGO_PKG_VERSION"),
    ")"
);
/// Hosts that keep what people send. No token is shown to them.
const FILE_HOSTS: [&str; 2] = ["cdn.discordapp.com", "media.discordapp.net"];

/// Why a call gave nothing. Never contains the token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ApiError {
    /// Discord said no.
    #[error("{0}")]
    Refused(Refused),
    #[error(transparent)]
    Web(#[from] WebError),
}

/// Discord's no.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: u16,
    /// Its own number of the reason; zero where it has none.
    pub(super) code: u32,
    /// Its words.
    pub(super) words: String,
    /// Nothing is wanted earlier.
    pub(super) retry_after: Option<Duration>,
    /// The silence is for the bot as a whole.
    pub(super) global: bool,
    /// What stands between us and Discord said it, and not Discord.
    pub(super) is_foreign: bool,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.status, self.words, self.code)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct No {
    code: u32,
    message: String,
    retry_after: Option<f64>,
    global: bool,
}

/// An answer, and for how long the same route wants silence after it.
#[derive(Debug)]
pub(super) struct Answered<T> {
    pub(super) value: T,
    pub(super) silence: Option<Duration>,
}

/// The methods of one bot.
#[derive(Debug)]
pub(super) struct Api {
    web: Web,
    root: Url,
    token: Secret,
    is_discord: bool,
}

impl Api {
    pub(super) fn new(config: &DiscordConfig) -> Result<Self, String> {
        Ok(Self {
            web: Web::new("Discord", vec![config.token.clone()])?,
            root: config.api_root.clone(),
            token: config.token.clone(),
            is_discord: config.is_discord,
        })
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, ApiError> {
        let request = self.web.http().request(Method::GET, self.address(path));
        Ok(self.send(request).await?.value)
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &Value,
    ) -> Result<Answered<T>, ApiError> {
        let request = self.web.http().request(Method::POST, self.address(path));
        self.send(request.json(body)).await
    }

    /// The same with a file, which comes within the form that Discord has for it.
    pub(super) async fn post_file<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &Value,
        file: Part,
    ) -> Result<Answered<T>, ApiError> {
        let form = Form::new()
            .text("payload_json", body.to_string())
            .part("files[0]", file);
        let request = self.web.http().request(Method::POST, self.address(path));
        self.send_within(request.multipart(form), UPLOAD_WITHIN).await
    }

    pub(super) async fn patch<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &Value,
    ) -> Result<Answered<T>, ApiError> {
        let request = self.web.http().request(Method::PATCH, self.address(path));
        self.send(request.json(body)).await
    }

    /// A call of this kind that says all in its path.
    pub(super) async fn ask(&self, verb: Method, path: &[&str]) -> Result<(), ApiError> {
        let request = self.web.http().request(verb, self.address(path));
        self.send::<Value>(request).await.map(drop)
    }

    async fn send<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<Answered<T>, ApiError> {
        self.send_within(request, CALL_WITHIN).await
    }

    async fn send_within<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
        within: Duration,
    ) -> Result<Answered<T>, ApiError> {
        let request = request
            .header(header::AUTHORIZATION, format!("Bot {}", self.token.expose()))
            .header(header::USER_AGENT, AGENT);
        let reply = self.web.ask(request, within).await?;
        if !(200..300).contains(&reply.status) {
            return Err(ApiError::Refused(self.refused(&reply)));
        }
        let body: &[u8] = if reply.body.is_empty() {
            b"null"
        } else {
            &reply.body
        };
        let value = serde_json::from_slice(body)
            .map_err(|error| WebError::Broken(format!("an answer of Discord is not understood: {error}")))?;
        let empty = reply.header("x-ratelimit-remaining") == Some("0");
        let silence = reply.header("x-ratelimit-reset-after").and_then(seconds);
        Ok(Answered {
            value,
            silence: silence.filter(|_| empty),
        })
    }

    fn refused(&self, reply: &Reply) -> Refused {
        let answer = reply.json();
        let is_foreign = answer.is_none();
        let No {
            code,
            message,
            retry_after,
            global,
        } = answer.unwrap_or_else(|| No {
            message: "and no answer of Discord".to_owned(),
            ..No::default()
        });
        let told = retry_after.and_then(|after| seconds(&after.to_string()));
        Refused {
            status: reply.status,
            code,
            words: self.web.clean(&message),
            retry_after: told.or(reply.retry_after),
            global: global || reply.header("x-ratelimit-global") == Some("true"),
            is_foreign,
        }
    }

    fn address(&self, path: &[&str]) -> Url {
        let mut address = self.root.clone();
        if let Ok(mut segments) = address.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        address
    }

    /// A file that somebody sent, from where Discord keeps such files only.
    pub(super) async fn file(&self, address: &str, bytes_max: u64) -> Result<Remote, FetchError> {
        let address = Url::parse(address).ok().filter(|address| self.keeps(address));
        let address = address.ok_or_else(|| FetchError::Never("it is not a file of Discord".into()))?;
        self.web
            .file(self.web.http().get(address), bytes_max, |_| None)
            .await
    }

    fn keeps(&self, address: &Url) -> bool {
        if !self.is_discord {
            return address.origin() == self.root.origin();
        }
        let host = address.host_str().unwrap_or_default();
        address.scheme() == "https" && address.port().is_none() && FILE_HOSTS.contains(&host)
    }

    /// Whether the token may be shown to a gateway there.
    pub(super) fn is_gateway(&self, address: &str) -> bool {
        let Ok(address) = Url::parse(address) else {
            return false;
        };
        let host = address.host_str().unwrap_or_default();
        let ours = host
            .strip_suffix("discord.gg")
            .is_some_and(|below| below.is_empty() || below.ends_with('.'));
        !self.is_discord || address.scheme() == "wss" && ours
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use url::Url;

    use super::{Api, DiscordConfig};

    #[test]
    fn files_come_from_where_discord_keeps_them_and_the_token_goes_to_its_gateway_alone() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let api = Api::new(&DiscordConfig::read(&json!({"token": "a.b.c"})).unwrap()).unwrap();
        let keeps = |address: &str| api.keeps(&Url::parse(address).unwrap());

        assert!(keeps("https://cdn.discordapp.com/attachments/1/2/cat.png?ex=1"));
        for other in [
            "http://cdn.discordapp.com/x",
            "https://cdn.discordapp.com.example.org/x",
            "https://example.org/cdn.discordapp.com",
            "https://cdn.discordapp.com:444/x",
        ] {
            assert!(!keeps(other), "{other}");
        }
        assert!(api.is_gateway("wss://gateway-us-east1-b.discord.gg"));
        for other in [
            "ws://gateway.discord.gg",
            "wss://notdiscord.gg",
            "wss://discord.gg.example.org",
            "x",
        ] {
            assert!(!api.is_gateway(other), "{other}");
        }
    }
}
