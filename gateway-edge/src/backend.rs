//! Calls services with bytes: one pooled channel per service, no generated client, no type of any method.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use gatehouse_contract::Method;
use gatehouse_core::{
    Caller, Credentials, Failure, Kind, Service, client::Peer, raw::RawBytes, server::MESSAGE_BYTES_MAX,
};
use http::uri::PathAndQuery;
use tokio::time::{Instant, timeout_at};
use tonic::{Code, Request, Status, Streaming, client::Grpc, transport::Channel};

use crate::error::Refusal;

/// How long to wait before an idempotent call whose connection was lost is tried once more: a restarting service is back
/// within this time or not soon.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// What a client is told to wait when a service is away.
const AWAY_RETRY: Duration = Duration::from_secs(1);

/// The services that can be called, by the second part of their package: `gatehouse.session.v1` is served by session.
const PACKAGES: [(&str, Service); 5] = [
    ("session", Service::Session),
    ("agent", Service::Agent),
    ("channel", Service::ChannelBridge),
    ("config", Service::Config),
    ("broadcast", Service::Broadcast),
];

/// The channels.
#[derive(Debug)]
pub(crate) struct Backend {
    peers: HashMap<&'static str, Peer>,
}

/// A call that is under way.
pub(crate) enum Answer {
    /// The one answer.
    One(Bytes),
    /// The first of several, and where the others come from.
    Many(Option<Bytes>, Box<Streaming<Bytes>>),
}

impl Backend {
    pub(crate) fn new(credentials: &Credentials) -> Self {
        Self {
            peers: PACKAGES
                .into_iter()
                .map(|(package, service)| (package, credentials.peer(service)))
                .collect(),
        }
    }

    /// The peer for one service of the house.
    ///
    /// # Panics
    /// When asked for the edge itself.
    pub(crate) fn peer(&self, service: Service) -> &Peer {
        let package = PACKAGES
            .iter()
            .find(|(_, other)| *other == service)
            .map(|(package, _)| *package);
        package
            .and_then(|package| self.peers.get(package))
            .expect("every service but the edge has a peer")
    }

    /// Calls a method. A call that may be repeated is repeated once when its connection was lost.
    pub(crate) async fn call(
        &self,
        method: &Method,
        body: Bytes,
        caller: &Caller,
    ) -> Result<Answer, Refusal> {
        let deadline = Instant::now() + method.deadline;
        let late = |_| {
            Refusal::from(Failure::new(
                Kind::Timeout,
                format!("{} took too long", method.name),
            ))
        };
        let first = timeout_at(deadline, self.attempt(method, body.clone(), caller))
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
            self.attempt(method, body, caller).await
        };
        timeout_at(deadline, second)
            .await
            .map_err(late)?
            .map_err(|status| refusal(method, &status))
    }

    async fn attempt(&self, method: &Method, body: Bytes, caller: &Caller) -> Result<Answer, Status> {
        let package = method.service.split('.').nth(1).unwrap_or_default();
        let peer = self.peers.get(package).ok_or_else(|| Status::unimplemented(""))?;
        let path = PathAndQuery::try_from(method.path.as_str()).map_err(|_| Status::unimplemented(""))?;
        let mut request = Request::new(body);
        peer.authorize(request.metadata_mut());
        caller.attach(request.metadata_mut());
        let mut grpc: Grpc<Channel> = Grpc::new(peer.channel()).max_decoding_message_size(MESSAGE_BYTES_MAX);
        grpc.ready()
            .await
            .map_err(|error| Status::from_error(error.into()))?;
        if !method.streaming {
            // A service that knows the deadline stops working for nobody.
            request.set_timeout(method.deadline);
            return grpc
                .unary(request, path, RawBytes)
                .await
                .map(|answer| Answer::One(answer.into_inner()));
        }
        let mut stream = grpc.server_streaming(request, path, RawBytes).await?.into_inner();
        let first = stream.message().await?;
        Ok(Answer::Many(first, Box::new(stream)))
    }
}

/// The service that serves a method.
pub(crate) fn service_of(method: &Method) -> Option<Service> {
    let package = method.service.split('.').nth(1)?;
    let known = PACKAGES.iter().find(|(name, _)| *name == package);
    known.map(|(_, service)| *service)
}

/// Whether the connection was lost, rather than the service having answered.
fn is_lost(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled)
        && std::error::Error::source(status).is_some()
}

/// What a client is told. Only what a service said on purpose is repeated.
pub(crate) fn refusal(method: &Method, status: &Status) -> Refusal {
    let service = service_of(method).map_or("", Service::name);
    if status.code() == Code::Unimplemented {
        return Refusal::unknown_method(&method.name);
    }
    let away = || {
        Refusal::unavailable(format!("the {service} service is not available"), AWAY_RETRY)
            .detail("reason", "SERVICE_UNAVAILABLE")
            .detail("service", service)
    };
    if is_lost(status) {
        tracing::warn!(rpc.method = method.name, error = %status, "a service is away");
        return away();
    }
    match status.code() {
        Code::Unauthenticated => {
            // The edge's credential, not the client's: it must not read as the client's fault.
            tracing::error!(
                rpc.method = method.name,
                service,
                "a service refuses the edge's credential"
            );
            away()
        }
        Code::Unknown | Code::Internal | Code::DataLoss => {
            tracing::error!(rpc.method = method.name, error = %status, "a service failed");
            Refusal::from(Failure::new(Kind::Internal, "internal failure"))
        }
        _ => Refusal::from(Failure::from_status(status)),
    }
}
