//! Calls services with bytes: one pooled channel per service, no generated client, no type of any method.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use gatehouse_contract::{BackendId, Identity, Method};
use gatehouse_core::{
    Caller, Credentials, Failure, Kind, Service, client::Peer, publish, raw::RawBytes,
    server::MESSAGE_BYTES_MAX,
};
use http::uri::PathAndQuery;
use tokio::{
    sync::{Semaphore, watch},
    time::{Instant, timeout_at},
};
use tonic::{Code, Request, Status, Streaming, client::Grpc};

use self::{
    large::{Expected, Held, Metered, Places},
    offer::Offer,
    sent::Sent,
};
use crate::error::Refusal;

pub(crate) mod large;
pub(crate) mod offer;
mod sent;

/// How long to wait before an idempotent call whose connection was lost is tried once more: a restarting service is back
/// within this time or not soon.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// How much later than the edge the other side gives a call up.
const BEHIND_DEADLINE: Duration = Duration::from_millis(500);

/// What a client is told to wait when a plugin has too much to do.
const BUSY_RETRY: Duration = Duration::from_millis(250);

/// What a client is told to wait when a service is away.
const AWAY_RETRY: Duration = Duration::from_secs(1);

/// Calls of one plugin that wait for an answer: one that hangs holds these and no more.
const PLUGIN_CALLS_MAX: usize = 64;

/// The services that the edge calls.
const SERVICES: [Service; 5] = [
    Service::Session,
    Service::Agent,
    Service::ChannelBridge,
    Service::Config,
    Service::Broadcast,
];

/// A plugin is in the map, and cannot be reached.
#[derive(Debug, thiserror::Error)]
#[error("the plugin is away")]
struct NotThere;

/// Where calls go.
#[derive(Debug)]
pub(crate) struct Backend {
    core: HashMap<Identity, Target>,
    offers: watch::Receiver<Arc<Offer>>,
}

/// One process that serves methods.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    peer: Peer,
    /// Places for its large answers.
    places: Places,
    /// Its methods whose last answer was large.
    large: Arc<Expected>,
    /// Places for calls under way. `None`: the service bounds them itself, by fair shares.
    under_way: Option<Arc<Semaphore>>,
}

impl Target {
    /// A plugin.
    pub(crate) fn new(peer: Peer) -> Self {
        Self {
            peer,
            places: Places::default(),
            large: Arc::default(),
            under_way: Some(Arc::new(Semaphore::new(PLUGIN_CALLS_MAX))),
        }
    }

    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// One of the gateway's services.
    fn service(peer: Peer) -> Self {
        Self {
            under_way: None,
            ..Self::new(peer)
        }
    }
}

/// A call that is under way.
pub(crate) enum Answer {
    /// The one answer, its place if it is a large one, and the offset of the event that is to be heard before it.
    One(Bytes, Held, Option<u64>),
    /// The first of several, and where the others come from.
    Many(Option<Bytes>, Box<Streaming<Bytes>>),
}

impl Backend {
    pub(crate) fn new(credentials: &Credentials, offers: watch::Receiver<Arc<Offer>>) -> Self {
        let target = |service: Service| (service.identity(), Target::service(credentials.peer(service)));
        Self {
            core: SERVICES.into_iter().map(target).collect(),
            offers,
        }
    }

    /// The peer for one of the gateway's services.
    ///
    /// # Panics
    /// When asked for the edge itself.
    pub(crate) fn peer(&self, service: Service) -> &Peer {
        let target = self.core.get(&service.identity());
        &target.expect("every service but the edge has a peer").peer
    }

    /// Calls a method. A call that may be repeated is repeated once when its connection was lost. `turns` are those in which the
    /// large answers of one connection come: the next one waits for the last one, so that nobody fills the queue for places.
    pub(crate) async fn call(
        &self,
        method: &Method,
        body: Bytes,
        caller: &Caller,
        turns: &Arc<Semaphore>,
    ) -> Result<Answer, Refusal> {
        let deadline = Instant::now() + method.deadline;
        let late = |_| {
            Refusal::from(Failure::new(
                Kind::Timeout,
                format!("{} took too long", method.name),
            ))
        };
        let first = timeout_at(deadline, self.attempt(method, body.clone(), caller, turns))
            .await
            .map_err(late)?;
        let status = match first {
            Ok(answer) => return Ok(answer),
            Err(status) => status,
        };
        if !(method.idempotent && is_lost(&status)) {
            return Err(refusal(method, &status));
        }
        let second = async {
            tokio::time::sleep(RETRY_PAUSE).await;
            self.attempt(method, body, caller, turns).await
        };
        timeout_at(deadline, second)
            .await
            .map_err(late)?
            .map_err(|status| refusal(method, &status))
    }

    async fn attempt(
        &self,
        method: &Method,
        body: Bytes,
        caller: &Caller,
        turns: &Arc<Semaphore>,
    ) -> Result<Answer, Status> {
        let plugin;
        let target = match &method.backend {
            Some(BackendId::Core(identity)) => self.core.get(identity),
            Some(BackendId::Plugin(id)) => {
                plugin = self.offers.borrow().plugin(id).cloned();
                plugin.as_ref()
            }
            None => None,
        };
        let Some(Target {
            peer,
            places,
            large,
            under_way,
        }) = target
        else {
            return Err(match &method.backend {
                // It is away, or has left the map since and has taken its methods with it.
                Some(BackendId::Plugin(_)) => Status::from_error(Box::new(NotThere)),
                Some(BackendId::Core(_)) | None => Status::unimplemented(""),
            });
        };
        let _place = match under_way.as_ref().map(|places| places.try_acquire()) {
            Some(Err(_)) => {
                let full = format!(
                    "{PLUGIN_CALLS_MAX} calls of {} wait for an answer already",
                    who(method)
                );
                let busy = Failure::new(Kind::Exhausted, full).retry_after(BUSY_RETRY);
                return Err(busy.reason("PLUGIN_BUSY").into());
            }
            place => place.transpose().ok().flatten(),
        };
        if method.streaming {
            return stream(peer, method, body, caller).await;
        }
        let places = Some(places).filter(|_| method.idempotent);
        let held = Held::default();
        if places.is_some() && large.is_large(&method.path) {
            held.wait_for_turn(turns).await;
        }
        let answer = unary(peer, method, body.clone(), caller, places, held.clone()).await;
        let Some(places) = places else { return answer };
        large.note(&method.path, &held);
        if !held.is_lacking() {
            return answer;
        }
        held.wait_for_turn(turns).await;
        held.wait_for(places).await;
        unary(peer, method, body, caller, Some(places), held).await
    }
}

async fn unary(
    peer: &Peer,
    method: &Method,
    body: Bytes,
    caller: &Caller,
    places: Option<&Places>,
    held: Held,
) -> Result<Answer, Status> {
    let (channel, body) = Sent::new(peer.channel(), body);
    let (mut request, path) = request(peer, method, body, caller)?;
    // A service that knows the deadline stops working for nobody. The client's side of gRPC ends the call by it as well, and does not say
    // why: the end that is told apart from others is ours, and comes before.
    request.set_timeout(method.deadline + BEHIND_DEADLINE);
    // Without places of the service, an answer has one of its own.
    let channel = Metered::new(channel, places.cloned().unwrap_or_default(), held.clone());
    let mut grpc = Grpc::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
    grpc.ready().await.map_err(unready)?;
    let answer = grpc.unary(request, path, RawBytes).await?;
    let after = publish::heard_after(answer.metadata());
    Ok(Answer::One(answer.into_inner(), held, after))
}

async fn stream(peer: &Peer, method: &Method, body: Bytes, caller: &Caller) -> Result<Answer, Status> {
    let (channel, body) = Sent::new(peer.channel(), body);
    let (request, path) = request(peer, method, body, caller)?;
    let mut grpc = Grpc::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
    grpc.ready().await.map_err(unready)?;
    let mut stream = grpc.server_streaming(request, path, RawBytes).await?.into_inner();
    let first = stream.message().await?;
    Ok(Answer::Many(first, Box::new(stream)))
}

fn request(
    peer: &Peer,
    method: &Method,
    body: Bytes,
    caller: &Caller,
) -> Result<(Request<Bytes>, PathAndQuery), Status> {
    let path = PathAndQuery::try_from(method.path.as_str()).map_err(|_| Status::unimplemented(""))?;
    let mut request = Request::new(body);
    peer.prepare(request.metadata_mut());
    caller.attach(request.metadata_mut());
    Ok((request, path))
}

fn unready(error: tonic::transport::Error) -> Status {
    Status::from_error(error.into())
}

/// Whether the connection was lost, rather than the service having answered.
fn is_lost(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled)
        && std::error::Error::source(status).is_some()
}

/// Who serves a method, for people.
fn who(method: &Method) -> String {
    match &method.backend {
        Some(BackendId::Core(identity)) => format!("the {identity} service"),
        Some(BackendId::Plugin(plugin)) => plugin.to_string(),
        None => "the service".to_owned(),
    }
}

/// What a client is told. Only what a service said on purpose is repeated.
pub(crate) fn refusal(method: &Method, status: &Status) -> Refusal {
    if status.code() == Code::Unimplemented {
        return Refusal::unknown_method(&method.name);
    }
    let service = match &method.backend {
        Some(BackendId::Core(identity)) => identity.name(),
        Some(BackendId::Plugin(plugin)) => plugin.as_str(),
        None => "",
    };
    let (who, is_plugin) = (who(method), matches!(method.backend, Some(BackendId::Plugin(_))));
    let away = || {
        Refusal::unavailable(format!("{who} is not available"), AWAY_RETRY)
            .detail("reason", "SERVICE_UNAVAILABLE")
            .detail("service", service)
    };
    if is_lost(status) {
        tracing::warn!(rpc.method = method.name, error = %status, "a service is unavailable");
        return away();
    }
    match status.code() {
        Code::Unauthenticated => {
            // The edge's credential, not the client's: it must not read as the client's fault.
            tracing::error!(
                rpc.method = method.name,
                service.name = service,
                "a service refuses the edge's credential"
            );
            away()
        }
        // What is larger than a message may be is said in the words of the client's side of gRPC, which blame whoever asked.
        Code::OutOfRange if is_plugin => {
            tracing::error!(rpc.method = method.name, error = %status, "a plugin's answer is not taken");
            Refusal::from(Failure::new(Kind::Internal, "internal failure"))
        }
        Code::Unknown | Code::Internal | Code::DataLoss => {
            tracing::error!(rpc.method = method.name, error = %status, "a service failed");
            Refusal::from(Failure::new(Kind::Internal, "internal failure"))
        }
        _ => Refusal::from(Failure::from_status(status)),
    }
}
