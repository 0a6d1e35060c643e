//! Webhooks of chat platforms: read within bounds, handed to the bridge as they are, answered as the bridge says.
//!
//! Whether a request is genuine is the bridge's decision; here it only costs little until that is known.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use gatehouse_core::{Service, server::MESSAGE_BYTES_MAX};
use gatehouse_proto::channel::v1::{
    HttpHeader, ReceiveWebhookRequest, channel_service_client::ChannelServiceClient,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use tokio::{sync::Semaphore, time::timeout};
use tonic::Code;

use crate::{edge::Edge, http::plain, metrics::Reason};

/// What the contract allows.
const BODY_MAX: usize = 1024 * 1024;

/// The bridge commits before it answers. Platforms repeat what is not answered in about ten seconds.
const BRIDGE_PATIENCE: Duration = Duration::from_secs(10);

/// Webhooks under way at once: 64 MiB of bodies at most.
const AT_ONCE_MAX: usize = 64;

/// Longest name of a channel or an account in the path.
const NAME_MAX: usize = 64;

/// Receives webhooks.
#[derive(Debug)]
pub(crate) struct Webhooks {
    places: Semaphore,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            places: Semaphore::new(AT_ONCE_MAX),
        }
    }
}

/// Channel and account of `/webhooks/<channel>/<account>`. Names are taken letter by letter: no escapes, no dots at the start.
pub(crate) fn target(path: &str) -> Option<(&str, &str)> {
    let (channel, account) = path.strip_prefix("/webhooks/")?.split_once('/')?;
    let name = |name: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !name.is_empty() && name.len() <= NAME_MAX && !name.starts_with('.') && name.bytes().all(allowed)
    };
    (name(channel) && name(account)).then_some((channel, account))
}

impl Webhooks {
    /// Receives one.
    pub(crate) async fn receive(
        &self,
        edge: &Edge,
        (channel, account): (&str, &str),
        client: IpAddr,
        headers: &HeaderMap,
        body: Incoming,
    ) -> Response<Full<Bytes>> {
        let ended = |reason: &'static str| {
            edge.metrics.webhooks.get_or_create(&Reason { reason }).inc();
        };
        let Ok(_place) = self.places.try_acquire() else {
            ended("busy");
            return later("too many webhooks at once");
        };
        if body.size_hint().lower() > BODY_MAX as u64 {
            ended("too-large");
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 1 MiB");
        }
        let body = match timeout(
            edge.limits.webhook_body_max,
            Limited::new(body, BODY_MAX).collect(),
        )
        .await
        {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                ended("too-large");
                return plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 1 MiB");
            }
            Ok(Err(_)) => {
                ended("cut");
                return plain(StatusCode::BAD_REQUEST, "the body was cut");
            }
            Err(_) => {
                ended("too-slow");
                return plain(StatusCode::REQUEST_TIMEOUT, "the body did not come in time");
            }
        };
        let request = ReceiveWebhookRequest {
            channel: channel.to_owned(),
            account_id: account.to_owned(),
            method: "POST".to_owned(),
            headers: headers.iter().filter_map(readable).collect(),
            body,
            peer_address: client.to_string(),
        };
        let mut bridge = ChannelServiceClient::new(edge.backend.peer(Service::ChannelBridge).service())
            .max_decoding_message_size(MESSAGE_BYTES_MAX);
        match timeout(BRIDGE_PATIENCE, bridge.receive_webhook(request)).await {
            Ok(Ok(answer)) => {
                let answer = answer.into_inner();
                ended("answered");
                let status = u16::try_from(answer.status)
                    .ok()
                    .and_then(|status| StatusCode::from_u16(status).ok());
                let mut response = Response::new(Full::new(answer.body));
                *response.status_mut() = status.unwrap_or(StatusCode::BAD_GATEWAY);
                for HttpHeader { name, value } in answer.headers {
                    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value))
                        && !is_ours(&name)
                    {
                        response.headers_mut().append(name, value);
                    }
                }
                response
            }
            Ok(Err(status)) if status.code() == Code::NotFound => {
                ended("unknown");
                plain(StatusCode::NOT_FOUND, "there is no such channel account")
            }
            Ok(Err(status)) => {
                tracing::warn!(channel, account, code = ?status.code(), "a webhook could not be handed over");
                ended("bridge-failed");
                later("the gateway cannot take this in now")
            }
            Err(_) => {
                ended("bridge-slow");
                later("the gateway cannot take this in now")
            }
        }
    }
}

fn readable((name, value): (&HeaderName, &HeaderValue)) -> Option<HttpHeader> {
    Some(HttpHeader {
        name: name.as_str().to_owned(),
        value: value.to_str().ok()?.to_owned(),
    })
}

/// Headers that the edge's own HTTP writes.
fn is_ours(name: &HeaderName) -> bool {
    [
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::CONNECTION,
        header::UPGRADE,
    ]
    .contains(name)
}

fn later(message: &'static str) -> Response<Full<Bytes>> {
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, message);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_channel_and_an_account_letter_by_letter() {
        assert_eq!(target("/webhooks/webhook/home"), Some(("webhook", "home")));
        for bad in [
            "/webhooks/",
            "/webhooks/a",
            "/webhooks/a/",
            "/webhooks//b",
            "/webhooks/a/b/c",
            "/webhooks/../b",
            "/webhooks/a/%2e%2e",
            "/webhooks/a/.b",
            "/webhooks/a/b ",
            "/other/a/b",
        ] {
            assert_eq!(target(bad), None, "{bad}");
        }
    }
}
