//! Webhooks of chat platforms: looked at by their heads, read within bounds, handed to the bridge as they are, answered as the
//! bridge says.
//!
//! Whether a request is genuine is the bridge's decision. Its head is shown to the bridge before one byte of the body is read,
//! so that what cannot be right costs a call and no permit; what may be right is read at a rate that no platform misses.
//!
//! A body that is there with its head, or right after it, waits for nobody and holds no permit. So those who send slowly can
//! only get in each other's way, from the same address too. What is whole waits for its turn at the bridge, and is not refused.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, HttpBody},
    response::Response,
};
use bytes::Bytes;
use gatehouse_core::{Service, client::PeerService, net::PeerKey, server::MESSAGE_BYTES_MAX, trace};
use gatehouse_proto::channel::v1::{
    HttpHeader, InspectWebhookRequest, InspectWebhookResponse, ReceiveWebhookRequest, ReceiveWebhookResponse,
    channel_service_client::ChannelServiceClient,
};
use http::{HeaderName, HeaderValue, StatusCode, header, request::Parts};
use tokio::time::timeout;
use tonic::{Code, Status};

use self::turns::{Turn, Turns};
use super::{
    body::{Bounds, Reading, Unread},
    respond::plain,
    socket::{Settled, Socket},
};
use crate::{
    admission::{Client, Reach},
    edge::Edge,
    metrics::Reason,
    permits::{Permit, Permits},
    step,
};

pub(super) mod handler;
mod turns;

/// What the contract allows, whatever the bridge says.
pub(super) const BODY_MAX: usize = 1024 * 1024;

/// The bridge answers what it knows by heart.
const HEAD_PATIENCE: Duration = Duration::from_secs(2);

/// The bridge commits before it answers. Platforms repeat what is not answered in about ten seconds.
const BRIDGE_PATIENCE: Duration = Duration::from_secs(10);

/// Heads before the bridge at once. Each is a few hundred bytes and takes about a millisecond.
const HEADS_MAX: usize = 256;

/// A body is there at once when it comes within this time of its head: a program sends both in one go, and the network may take
/// them apart.
const AT_ONCE: Duration = Duration::from_millis(250);

/// Bodies that are waited for at once: 4 MiB of the usual size, 64 MiB at most.
const BODIES_MAX: usize = 64;

/// Whole webhooks before the bridge at once. It commits many together; more would only wait there.
const HAND_OVERS_MAX: usize = 64;

/// How long a whole webhook waits for its turn. With the bridge's patience it is what platforms wait.
const TURN_PATIENCE: Duration = Duration::from_secs(5);

/// One account has at most half of them.
const OF_ONE_ACCOUNT_MAX: usize = BODIES_MAX / 2;

/// Slower than this, after the grace, a body does not come in time: 64 KiB are allowed eight seconds. A platform sends its
/// body at once; whoever needs longer holds a permit that others wait for.
const BODY_PACE: f64 = 8.0 * 1024.0;

/// Longest name of a channel or an account in the path.
const NAME_MAX: usize = 64;

/// Receives webhooks.
#[derive(Debug)]
pub(crate) struct Webhooks {
    heads: Turns<PeerKey>,
    bodies: Arc<Permits<PeerKey>>,
    by_account: Arc<Permits<Box<str>>>,
    hand_overs: Turns<PeerKey>,
    of_account: Turns<Box<str>>,
}

impl Default for Webhooks {
    fn default() -> Self {
        Self {
            heads: Turns::new(HEADS_MAX),
            bodies: Permits::new(BODIES_MAX),
            by_account: Permits::new(BODIES_MAX),
            hand_overs: Turns::new(HAND_OVERS_MAX),
            of_account: Turns::new(HAND_OVERS_MAX),
        }
    }
}

/// How a webhook ended, for the metrics, and its answer.
type Ended = (&'static str, Response);

/// Channel and account of `/webhooks/<channel>/<account>`. Names are taken letter by letter: no escapes, no dots at the start.
fn target(path: &str) -> Option<(&str, &str)> {
    let (channel, account) = path.strip_prefix("/webhooks/")?.split_once('/')?;
    let name = |name: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        !name.is_empty() && name.len() <= NAME_MAX && !name.starts_with('.') && name.bytes().all(allowed)
    };
    (name(channel) && name(account)).then_some((channel, account))
}

impl Webhooks {
    async fn receive(
        &self,
        edge: &Edge,
        client: Client,
        parts: &Parts,
        body: Body,
        socket: &Arc<Socket>,
    ) -> Response {
        let ended = self.take_in(edge, client, parts, body, socket).await;
        let (reason, response) = ended.unwrap_or_else(|ended| ended);
        edge.metrics.webhooks.get_or_create(&Reason { reason }).inc();
        response
    }

    async fn take_in(
        &self,
        edge: &Edge,
        client: Client,
        parts: &Parts,
        body: Body,
        socket: &Arc<Socket>,
    ) -> Result<Ended, Ended> {
        let (channel, account) = target(parts.uri.path()).unwrap_or_default();
        let mut bridge = ChannelServiceClient::new(edge.backend.peer(Service::ChannelBridge).service())
            .max_decoding_message_size(MESSAGE_BYTES_MAX);
        let head = InspectWebhookRequest {
            channel: channel.to_owned(),
            account_id: account.to_owned(),
            method: parts.method.to_string(),
            target: parts
                .uri
                .path_and_query()
                .map_or(String::new(), ToString::to_string),
            headers: parts.headers.iter().filter_map(readable).collect(),
            peer_address: client.ip.to_string(),
        };
        let InspectWebhookResponse {
            body_bytes_max,
            refusal,
        } = self.inspect(&mut bridge, client, &head).await?;
        if let Some(refusal) = refusal {
            return Err(("refused", answer(refusal)));
        }
        let max = usize::try_from(body_bytes_max).unwrap_or(BODY_MAX).min(BODY_MAX);
        if HttpBody::size_hint(&body).lower() > max as u64 {
            return Err(too_large());
        }
        let bounds = Bounds {
            max,
            grace: edge.limits.webhook_grace,
            pace: BODY_PACE,
        };
        let mut reading = Reading::new(body, bounds);
        // From where it is settled on, the bridge works for it: whoever comes, this one is answered.
        let (_waited, _settled) = if is_there_at_once(&mut reading, edge).await? {
            (None, socket.settled().ok_or_else(busy)?)
        } else {
            let mut permits = Bodies::enter(self, client, channel, account).ok_or_else(busy)?;
            tokio::select! {
                read = reading.read(None) => read.map_err(unread)?,
                () = permits.evicted() => return Err(busy()),
            }
            let settled = permits.settle(socket).ok_or_else(busy)?;
            (Some(permits), settled)
        };
        let _turn = timeout(TURN_PATIENCE, self.turn(client, channel, account))
            .await
            .map_err(|_| busy())?;
        let step = step::of_stranger(&parts.headers, &parts.method, "/webhooks/{channel}/{account}");
        trace::within(step.context(), hand_over(&mut bridge, head, reading.into_bytes())).await
    }

    /// A turn at the bridge: in the order in which whole webhooks come, and with no more at once for one peer or one account than
    /// their share.
    async fn turn(&self, client: Client, channel: &str, account: &str) -> (Turn, Turn) {
        let name = format!("{channel}/{account}").into_boxed_str();
        let of_account = self.of_account.take(name, HAND_OVERS_MAX / 2).await;
        let of_peer = self
            .hand_overs
            .take(client.key(), share(client, HAND_OVERS_MAX))
            .await;
        (of_account, of_peer)
    }

    /// What the bridge says of the head.
    async fn inspect(
        &self,
        bridge: &mut Bridge,
        client: Client,
        head: &InspectWebhookRequest,
    ) -> Result<InspectWebhookResponse, Ended> {
        let asked = async {
            let _turn = self.heads.take(client.key(), share(client, HEADS_MAX)).await;
            bridge.inspect_webhook(head.clone()).await
        };
        match timeout(HEAD_PATIENCE, asked).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(failed(head, &status)),
            Err(_) => Err(("bridge-slow", later("the gateway cannot take this in now"))),
        }
    }
}

/// Whether the whole body comes with its head or right after it. The memory of those who are looked at is leased; when there is none, a
/// body has to wait as one that is slow.
async fn is_there_at_once(reading: &mut Reading<Body>, edge: &Edge) -> Result<bool, Ended> {
    let mut lease = edge.budgets.unauthenticated.lease();
    match timeout(AT_ONCE, reading.read(Some(&mut lease))).await {
        Ok(Ok(())) => Ok(true),
        Ok(Err(Unread::NoMemory)) | Err(_) => Ok(false),
        Ok(Err(other)) => Err(unread(other)),
    }
}

type Bridge = ChannelServiceClient<PeerService>;

/// The two permits of a body: one of its peer, one of its account.
struct Bodies {
    peer: Permit<PeerKey>,
    account: Permit<Box<str>>,
}

impl Bodies {
    fn enter(webhooks: &Webhooks, client: Client, channel: &str, account: &str) -> Option<Self> {
        let name = format!("{channel}/{account}").into_boxed_str();
        Some(Self {
            peer: webhooks.bodies.enter(client.key(), share(client, BODIES_MAX))?,
            account: webhooks.by_account.enter(name, OF_ONE_ACCOUNT_MAX)?,
        })
    }

    /// Ends when another needs one of the permits.
    async fn evicted(&self) {
        let (peer, account) = (self.peer.evicted(), self.account.evicted());
        tokio::select! { () = peer.cancelled() => (), () = account.cancelled() => () }
    }

    /// Keeps the permits, and the permit of the socket. `None`: one of them is lost.
    fn settle(&mut self, socket: &Arc<Socket>) -> Option<Settled> {
        (self.peer.settle() && self.account.settle()).then(|| socket.settled())?
    }
}

/// How many of all permits one peer may have: never all.
pub(super) fn share(client: Client, all: usize) -> usize {
    match client.reach {
        Reach::Own => all / 4,
        Reach::Local | Reach::Shared => all / 2,
    }
}

async fn hand_over(bridge: &mut Bridge, head: InspectWebhookRequest, body: Bytes) -> Result<Ended, Ended> {
    let request = ReceiveWebhookRequest {
        channel: head.channel.clone(),
        account_id: head.account_id.clone(),
        method: head.method.clone(),
        headers: head.headers.clone(),
        body,
        peer_address: head.peer_address.clone(),
        target: head.target.clone(),
    };
    match timeout(BRIDGE_PATIENCE, bridge.receive_webhook(request)).await {
        Ok(Ok(received)) => Ok(("answered", answer(received.into_inner()))),
        Ok(Err(status)) => Err(failed(&head, &status)),
        Err(_) => Err(("bridge-slow", later("the gateway cannot take this in now"))),
    }
}

/// What the bridge wants to be answered.
fn answer(answer: ReceiveWebhookResponse) -> Response {
    let status = u16::try_from(answer.status)
        .ok()
        .and_then(|status| StatusCode::from_u16(status).ok());
    let mut response = Response::new(Body::from(answer.body));
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

fn failed(head: &InspectWebhookRequest, status: &Status) -> Ended {
    if status.code() == Code::NotFound {
        return (
            "unknown",
            plain(StatusCode::NOT_FOUND, "there is no such channel account"),
        );
    }
    let (channel, account) = (&*head.channel, &*head.account_id);
    tracing::warn!(channel.id = channel, account.id = account, code = ?status.code(), "the bridge did not take a webhook");
    ("bridge-failed", later("the gateway cannot take this in now"))
}

fn unread(unread: Unread) -> Ended {
    match unread {
        Unread::TooLarge | Unread::NoMemory => too_large(),
        Unread::Cut => ("cut", plain(StatusCode::BAD_REQUEST, "the body was cut")),
        Unread::TooSlow => (
            "too-slow",
            plain(StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
        ),
    }
}

fn too_large() -> Ended {
    let told = "the body is larger than this account takes";
    ("too-large", plain(StatusCode::PAYLOAD_TOO_LARGE, told))
}

fn busy() -> Ended {
    ("busy", later("too many webhooks at once"))
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

fn later(message: &'static str) -> Response {
    let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, message);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
    response
}

#[cfg(test)]
mod tests;
