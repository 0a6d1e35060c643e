//! A reply on its way to the operator's platform, and the word before it that somebody is being answered.

use std::time::Duration;

use gatehouse_core::{Chain, Clock, Secret};
use reqwest::{Client, RequestBuilder, Response, StatusCode, header, redirect};
use serde_json::{Value, json};
use url::Url;

use super::{
    WebhookConfig,
    signature::{self, Direction, Scope},
};
use crate::{
    adapter::{AccountKey, Receipt, SendError, SendPart, Typing},
    id::ID_BYTES_MAX,
};

/// The whole of one callback that carries a reply.
pub(crate) const CALLBACK_WITHIN: Duration = Duration::from_secs(15);
/// The whole of one that only says that somebody is being answered. A platform shows such a thing for a few seconds.
pub(crate) const TYPING_WITHIN: Duration = Duration::from_secs(3);
/// What is read of the answer, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Where replies go. Each has connections of its own.
#[derive(Debug)]
pub(crate) struct Callback {
    http: Client,
    url: Url,
    secret: Secret,
    account: AccountKey,
    /// Whether receivers of the first version are served as well.
    legacy: bool,
    clock: Clock,
}

impl Callback {
    /// `None` when the account has no callback.
    pub(crate) fn new(
        account: &AccountKey,
        config: &WebhookConfig,
        clock: Clock,
        within: Duration,
    ) -> Result<Option<Self>, String> {
        let Some(url) = config.callback_url.clone() else {
            return Ok(None);
        };
        // A redirect would carry the signed reply to a place that nobody configured; a proxy of the environment as well.
        let http = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(within)
            .user_agent(concat!("gatehouse/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("the HTTP client cannot be built: {error}"))?;
        Ok(Some(Self {
            http,
            url,
            secret: config.callback_secret.clone(),
            account: account.clone(),
            legacy: config.legacy_signature,
            clock,
        }))
    }

    pub(crate) async fn send(&self, part: &SendPart) -> Result<Receipt, SendError> {
        let body = json!({
            "id": part.key, "delivery": part.delivery, "part": part.index, "to": part.to, "threadId": part.thread_id,
            "replyToId": part.reply_to_id, "text": part.text, "createdAt": part.created_at,
        })
        .to_string();
        let sent = self
            .signed(body)
            .header("idempotency-key", header_value(&part.key))
            .send()
            .await;
        match sent {
            Ok(answer) => receipt(answer).await,
            Err(error) if error.is_connect() => Err(SendError::retry("the callback cannot be reached")),
            Err(error) if error.is_timeout() => {
                Err(SendError::unknown("the callback did not answer in time"))
            }
            Err(error) => Err(SendError::unknown(format!(
                "the callback broke off: {}",
                error.without_url()
            ))),
        }
    }

    /// Says that somebody is being answered. Whether it was heard changes nothing, so it is said once.
    pub(crate) async fn typing(&self, hint: &Typing) {
        let body = json!({"typing": true, "to": hint.to, "threadId": hint.thread_id}).to_string();
        match self.signed(body).send().await {
            Ok(answer) if answer.status().is_success() => {}
            Ok(answer) => {
                tracing::debug!(status = answer.status().as_u16(), "a typing hint was refused");
            }
            Err(error) => {
                tracing::debug!(error = %Chain(&error.without_url()), "a typing hint was not delivered");
            }
        }
    }

    /// Every request to the callback is signed.
    fn signed(&self, body: String) -> RequestBuilder {
        let now = self.clock.now_ms().div_euclid(1000);
        let target = match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        };
        let scope = Scope {
            direction: Direction::Outbound,
            method: "POST",
            target: &target,
            account: &self.account,
        };
        let mut request = self
            .http
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(signature::TIMESTAMP, now)
            .header(
                signature::SIGNATURE,
                signature::sign(&self.secret, scope, now, body.as_bytes()),
            );
        if self.legacy {
            let old = signature::sign_v1(&self.secret, now, body.as_bytes());
            request = request.header(signature::SIGNATURE_V1, old);
        }
        request.body(body)
    }
}

async fn receipt(answer: Response) -> Result<Receipt, SendError> {
    let status = answer.status();
    let reason = format!("the callback answered {}", status.as_u16());
    if status.is_success() {
        return Ok(Receipt {
            platform_id: platform_id(answer).await,
            ..Receipt::default()
        });
    }
    let after = answer
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(Duration::from_secs); // the outbox bounds it
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY => {
            Err(SendError::Retry { after, reason })
        }
        _ if status.is_server_error() => Err(SendError::Retry { after, reason }),
        _ => Err(SendError::permanent(reason)),
    }
}

/// `{"id": "..."}` of the answer, if it says one.
async fn platform_id(mut answer: Response) -> Option<String> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_BYTES_MAX {
            return None;
        }
    }
    let value: Value = gatehouse_core::json::read(str::from_utf8(&body).ok()?).ok()?;
    value
        .get("id")?
        .as_str()
        .filter(|id| id.len() <= ID_BYTES_MAX)
        .map(str::to_owned)
}

/// A key as a header's value: what is not visible ASCII would be refused by the HTTP library.
fn header_value(key: &str) -> String {
    key.chars()
        .map(|c| if c.is_ascii_graphic() { c } else { '_' })
        .collect()
}
