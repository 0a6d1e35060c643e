//! A reply on its way to the operator's platform.

use std::time::Duration;

use gatehouse_core::{Clock, Secret};
use reqwest::{Client, Response, StatusCode, header, redirect};
use serde_json::{Value, json};
use url::Url;

use super::{WebhookConfig, signature};
use crate::adapter::{ID_BYTES_MAX, Receipt, SendError, SendPart};

/// The whole of one callback.
const CALLBACK_WITHIN: Duration = Duration::from_secs(15);
/// What is read of the answer, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// The longest wait that a `Retry-After` is believed to mean.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Where replies go.
#[derive(Debug)]
pub(crate) struct Callback {
    http: Client,
    url: Url,
    secret: Secret,
    clock: Clock,
}

impl Callback {
    /// `None` when the account has no callback.
    pub(crate) fn new(config: &WebhookConfig, clock: Clock) -> Result<Option<Self>, String> {
        let Some(url) = config.callback_url.clone() else {
            return Ok(None);
        };
        // A redirect would carry the signed reply to a place that nobody configured; a proxy of the environment as well.
        let http = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(CALLBACK_WITHIN)
            .user_agent(concat!("gatehouse/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("the HTTP client cannot be built: {error}"))?;
        Ok(Some(Self {
            http,
            url,
            secret: config.callback_secret.clone(),
            clock,
        }))
    }

    /// Sends one part.
    pub(crate) async fn send(&self, part: &SendPart) -> Result<Receipt, SendError> {
        let body = json!({
            "id": part.key, "delivery": part.delivery, "part": part.index, "to": part.to, "threadId": part.thread_id,
            "replyToId": part.reply_to_id, "text": part.text, "createdAt": part.created_at,
        })
        .to_string();
        let now = self.clock.now_ms().div_euclid(1000);
        let sent = self
            .http
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", header_value(&part.key))
            .header(signature::TIMESTAMP, now)
            .header(
                signature::SIGNATURE,
                signature::sign(&self.secret, now, body.as_bytes()),
            )
            .body(body)
            .send()
            .await;
        match sent {
            Ok(answer) => judge(answer).await,
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
}

async fn judge(answer: Response) -> Result<Receipt, SendError> {
    let status = answer.status();
    let reason = format!("the callback answered {}", status.as_u16());
    if status.is_success() {
        return Ok(Receipt {
            platform_id: platform_id(answer).await,
        });
    }
    let after = answer
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(|seconds| Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
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
    let value: Value = serde_json::from_slice(&body).ok()?;
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
