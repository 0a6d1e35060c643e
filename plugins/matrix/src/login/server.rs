//! The server before there is a session: who a token is of, and logging in.

use gatehouse_plugin_sdk::{Secret, for_good, for_now};
use gatehouse_proto::channel::v1::Ended;
use matrix_sdk::reqwest;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::REQUEST_WITHIN;

#[derive(Deserialize)]
pub(super) struct Who {
    pub(super) user_id: String,
    pub(super) device_id: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Login {
    pub(super) user_id: String,
    pub(super) device_id: String,
    pub(super) access_token: String,
}

/// The server before there is a session.
pub(super) struct Server {
    http: reqwest::Client,
    at: Url,
}

impl Server {
    pub(super) fn new(at: &Url) -> Result<Self, Ended> {
        let http = reqwest::Client::builder()
            .timeout(REQUEST_WITHIN)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| for_now(error.to_string()))?;
        Ok(Self { http, at: at.clone() })
    }

    fn url(&self, path: &str) -> String {
        format!(
            "{}/_matrix/client/v3/{path}",
            self.at.as_str().trim_end_matches('/')
        )
    }

    pub(super) async fn whoami(&self, token: &Secret) -> Result<Who, Ended> {
        let request = self.http.get(self.url("account/whoami"));
        answered(request.bearer_auth(token.expose())).await
    }

    pub(super) async fn login(&self, body: &Value) -> Result<Login, Ended> {
        answered(self.http.post(self.url("login")).body(body.to_string())).await
    }
}

/// What the server answers, or what its refusal means to whoever configured the account.
async fn answered<T: serde::de::DeserializeOwned>(request: reqwest::RequestBuilder) -> Result<T, Ended> {
    let answer = request
        .send()
        .await
        .map_err(|error| for_now(format!("the homeserver does not answer: {}", error.without_url())))?;
    let status = answer.status();
    let body = answer.bytes().await.map_err(|error| {
        for_now(format!(
            "the homeserver's answer broke off: {}",
            error.without_url()
        ))
    })?;
    if status.is_success() {
        return serde_json::from_slice(&body)
            .map_err(|_| for_good("`homeserver` answers, and is no Matrix homeserver: https://<your server>/.well-known/matrix/client says where it is"));
    }
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    let code = said["errcode"].as_str().unwrap_or_default();
    let words = said["error"].as_str().unwrap_or_default();
    Err(match code {
        "M_UNKNOWN_TOKEN" => {
            for_good("the server does not know `accessToken` (any more): log in again and set the new one")
        }
        "M_FORBIDDEN" => for_good(format!(
            "the server does not take `userId` and `password`: {words}"
        )),
        "M_USER_DEACTIVATED" => for_good("the account was deactivated"),
        "M_LIMIT_EXCEEDED" => for_now("the server wants fewer logins: they are tried again later"),
        "" if status.as_u16() == 404 => for_good(
            "`homeserver` is no Matrix homeserver: https://<your server>/.well-known/matrix/client says where it is",
        ),
        code => for_now(format!("the homeserver answered {status} {code}: {words}")),
    })
}
