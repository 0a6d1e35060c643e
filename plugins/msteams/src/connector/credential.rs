//! The bot's own token: asked for with its secret, or by the identity that Azure gives its machine. One is kept until shortly before its end.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, redirect};
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};
use url::{Url, form_urlencoded};

use super::error::ConnectorError;
use crate::Secret;

/// How long Microsoft may take.
const WITHIN: Duration = Duration::from_secs(10);
/// An answer with a token has about 2 KB.
const BYTES_MAX: usize = 64 * 1024;
/// A token is replaced so long before its end: calls that are under way still end with it.
const BEFORE_ITS_END: Duration = Duration::from_secs(5 * 60);
/// After a refusal it is not asked anew for so long: whoever writes in a loop does not get the app locked out.
const REFUSED_FOR: Duration = Duration::from_secs(10);
/// What the connector of the public cloud is called towards Entra.
const RESOURCE: &str = "https://api.botframework.com";
const RESOURCE_US_GOVERNMENT: &str = "https://api.botframework.us";

/// Where Azure answers for the machine's identity.
#[derive(Clone, Debug)]
pub enum Managed {
    /// On a virtual machine.
    Machine(Url),
    /// In App Service, Container Apps and the like: the address and its key are in the environment.
    Service {
        /// Where.
        endpoint: Url,
        /// What it is shown.
        key: Secret,
    },
}

/// How the bot shows who it is.
#[derive(Clone, Debug)]
pub enum Credential {
    /// By a secret of its app, in its own tenant.
    Secret {
        /// `https://login.microsoftonline.com/<tenant>/oauth2/v2.0/token`.
        token_url: Url,
        /// The app.
        app_id: String,
        /// Its secret.
        secret: Secret,
    },
    /// By the identity of the machine.
    Managed {
        /// The identity's client id: the app.
        client_id: String,
        /// Where Azure answers.
        place: Managed,
    },
    /// Not at all: the Playground.
    None,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    /// Seconds; a number from Entra, a text from machines.
    expires_in: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct NotGranted {
    error: Option<String>,
    error_description: Option<String>,
}

#[derive(Debug, Default)]
struct Kept {
    token: Option<(Secret, Instant)>,
    refused: Option<(ConnectorError, Instant)>,
}

/// The token, kept.
#[derive(Debug)]
pub struct Tokens {
    http: Client,
    credential: Credential,
    resource: &'static str,
    kept: Mutex<Kept>,
}

impl Tokens {
    /// Tokens for this bot.
    ///
    /// # Errors
    /// When an HTTP client cannot be made.
    pub fn new(credential: Credential, us_government: bool) -> Result<Self, String> {
        // A redirect would carry the secret to another place; so would a proxy of the environment for the machine's own address.
        let http = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(WITHIN);
        let http = match &credential {
            Credential::Managed { .. } => http.no_proxy(),
            _ => http,
        };
        Ok(Self {
            http: http
                .build()
                .map_err(|error| format!("the HTTP client cannot be built: {error}"))?,
            credential,
            resource: if us_government {
                RESOURCE_US_GOVERNMENT
            } else {
                RESOURCE
            },
            kept: Mutex::default(),
        })
    }

    /// A token that is good for a while. `None`: this bot shows none.
    ///
    /// # Errors
    /// When Microsoft gives none.
    pub async fn get(&self) -> Result<Option<Secret>, ConnectorError> {
        let Some(request) = self.request() else {
            return Ok(None);
        };
        let mut kept = self.kept.lock().await;
        let now = Instant::now();
        if let Some((token, until)) = &kept.token
            && now < *until
        {
            return Ok(Some(token.clone()));
        }
        if let Some((error, until)) = &kept.refused
            && now < *until
        {
            return Err(error.clone());
        }
        match granted(request).await {
            Ok((token, lasts)) => {
                let until = now + lasts.saturating_sub(BEFORE_ITS_END).max(lasts / 2);
                kept.token = Some((token.clone(), until));
                kept.refused = None;
                Ok(Some(token))
            }
            Err(error) => {
                if matches!(error, ConnectorError::Credential(_)) {
                    kept.refused = Some((error.clone(), now + REFUSED_FOR));
                }
                Err(error)
            }
        }
    }

    /// Teams did not believe this one.
    pub async fn forget(&self, token: &Secret) {
        let mut kept = self.kept.lock().await;
        if kept.token.as_ref().is_some_and(|(known, _)| known == token) {
            kept.token = None;
        }
    }

    fn request(&self) -> Option<RequestBuilder> {
        match &self.credential {
            Credential::None => None,
            Credential::Secret {
                token_url,
                app_id,
                secret,
            } => {
                let form = form_urlencoded::Serializer::new(String::new())
                    .append_pair("grant_type", "client_credentials")
                    .append_pair("client_id", app_id)
                    .append_pair("client_secret", secret.expose())
                    .append_pair("scope", &format!("{}/.default", self.resource))
                    .finish();
                let request = self.http.post(token_url.clone()).body(form);
                Some(request.header("content-type", "application/x-www-form-urlencoded"))
            }
            Credential::Managed { client_id, place } => Some(match place {
                Managed::Machine(url) => self
                    .http
                    .get(asked(url, "2018-02-01", self.resource, client_id))
                    .header("metadata", "true"),
                Managed::Service { endpoint, key } => self
                    .http
                    .get(asked(endpoint, "2019-08-01", self.resource, client_id))
                    .header("x-identity-header", key.expose()),
            }),
        }
    }
}

fn asked(url: &Url, version: &str, resource: &str, client_id: &str) -> Url {
    let mut url = url.clone();
    url.query_pairs_mut()
        .append_pair("api-version", version)
        .append_pair("resource", resource)
        .append_pair("client_id", client_id);
    url
}

async fn granted(request: RequestBuilder) -> Result<(Secret, Duration), ConnectorError> {
    let unreached =
        |error: reqwest::Error| ConnectorError::Unreached(format!("no token: {}", error.without_url()));
    let mut answer = request.send().await.map_err(unreached)?;
    let status = answer.status();
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unreached)? {
        if bytes.len() + chunk.len() > BYTES_MAX {
            return Err(ConnectorError::Unreached(
                "no token: the answer is too long".into(),
            ));
        }
        bytes.extend_from_slice(&chunk);
    }
    if !status.is_success() {
        let said: NotGranted = serde_json::from_slice(&bytes).unwrap_or(NotGranted {
            error: None,
            error_description: None,
        });
        return Err(not_granted(status.as_u16(), &said));
    }
    let granted: Granted = serde_json::from_slice(&bytes)
        .map_err(|_| ConnectorError::Unreached("no token: the answer is something else".into()))?;
    let seconds = match &granted.expires_in {
        Some(serde_json::Value::Number(number)) => number.as_u64(),
        Some(serde_json::Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    // Entra's last an hour at least. A day at most: whatever a machine answers, a new one is asked for.
    let lasts = Duration::from_secs(seconds.unwrap_or(3_600).clamp(1, 86_400));
    Ok((Secret::new(&granted.access_token), lasts))
}

fn not_granted(status: u16, said: &NotGranted) -> ConnectorError {
    let error = said.error.as_deref().unwrap_or_default();
    if status >= 500 || status == 429 {
        return ConnectorError::Unreached(format!("no token: Microsoft answers {status}"));
    }
    let code = said
        .error_description
        .as_deref()
        .unwrap_or_default()
        .split([':', ' '])
        .next()
        .unwrap_or_default();
    // The codes of Entra, which say more than the words of OAuth.
    let next = match code {
        "AADSTS7000215" => "the secret is wrong: copy its value, not its id",
        "AADSTS7000222" => "the secret has expired: make a new one under Certificates & secrets",
        "AADSTS700016" => "the app is not in this tenant: check `appId` and `tenantId`",
        "AADSTS90002" => "there is no such tenant: check `tenantId`",
        _ => "check `appId`, `tenantId` and the secret",
    };
    ConnectorError::Credential(format!("no token: {error} {code}: {next}"))
}
