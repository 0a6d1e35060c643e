//! The gRPC server of a service: the same for all of them.
//!
//! A call passes, in this order: the guard (whose credential is it), the authority (may this process, and the client behind
//! it, call this method), a place among those that are served at once (where a panic stays one caller's failure), a span that
//! names the call and who stands behind it, the bounds that its contract declares, and then the service. Who is refused
//! takes nobody's place. Health and reflection come with it.

mod authority;
mod bounds;
mod budget;
mod connection;
mod guard;
mod health;
mod incoming;
mod large;
mod meters;
mod places;
mod reflection;
mod taken;
mod trace;

use std::{convert::Infallible, sync::Arc, time::Duration};

pub use connection::Connection;
use gatehouse_contract::Map;
use http::{Request, Response};
pub(crate) use incoming::identity as socket_identity;
use prometheus_client::registry::Registry;
use tokio::time::timeout;
use tonic::{
    body::Body,
    server::NamedService,
    service::{Routes, RoutesBuilder},
};
use tower::{Service as TowerService, ServiceBuilder};

use self::{meters::Meters, places::PlacesLayer};

use crate::{
    address::Listener,
    beat,
    credential::Directory,
    drain::{Drain, plan},
    health::Health,
};

/// How often a silent client in the network is asked whether it is still there. One behind a Unix socket cannot vanish unseen,
/// because its kernel is ours.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Beats between two looks at the credentials: who replaced one is not told that the old one has gone sooner.
const REREAD_BEATS: usize = 4;

/// The paths of the standard health service, which answers anybody.
const HEALTH: &str = "/grpc.health.v1.Health/";

/// The largest message between services: a history page of 8 MiB with room to spare. Services set it on their generated
/// servers and clients, whose own default is 4 MiB.
pub const MESSAGE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Why a server ended.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The transport failed.
    #[error("the gRPC server failed")]
    Transport(#[source] tonic::transport::Error),
}

/// A server that is bound and does not serve yet.
pub struct Server {
    listener: Listener,
    callers: Directory,
    health: Health,
    routes: RoutesBuilder,
    names: Vec<&'static str>,
    meters: Meters,
    places: PlacesLayer,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Server")
            .field("listener", &self.listener)
            .field("services", &self.names)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// A server on this listener for those whom the directory knows.
    #[must_use]
    pub fn new(listener: Listener, callers: Directory, health: Health) -> Self {
        let meters = Meters::default();
        Self {
            listener,
            callers,
            health,
            routes: RoutesBuilder::default(),
            names: Vec::new(),
            places: PlacesLayer::new(meters.clone()),
            meters,
        }
    }

    /// Shows in a registry how long calls take, and how many of the places are taken.
    pub fn register(&self, registry: &mut Registry) {
        self.meters.register(registry);
        taken::register(&self.places, registry);
    }

    /// The same with one service more.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "services are added, not summed")]
    pub fn add<S>(mut self, service: S) -> Self
    where
        S: TowerService<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send + 'static>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
    {
        self.offer(service);
        self
    }

    /// Offers a service.
    pub fn offer<S>(&mut self, service: S)
    where
        S: TowerService<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send + 'static>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
    {
        self.names.push(S::NAME);
        self.routes.add_service(service);
    }

    /// Serves until the drain starts, then finishes what is under way within [`plan::CALLS`]. Streams end at once (see
    /// [`Drain::end_stream`]).
    ///
    /// # Errors
    /// When it cannot serve.
    pub async fn run(self, drain: Drain) -> Result<(), ServerError> {
        let Self {
            listener,
            callers,
            health,
            mut routes,
            names,
            meters: _,
            places,
        } = self;
        routes.add_service(health::service(&health, names.clone(), &drain).await);
        reflection::offer(&mut routes, &names);

        drain.spawn("credentials", follow(callers.clone(), drain.clone()));
        let requested = drain.clone();
        let serving = serve(
            listener,
            (callers, places),
            Map::core(),
            routes.routes(),
            async move { requested.requested().await },
        );
        tokio::pin!(serving);
        tokio::select! {
            ended = &mut serving => return ended.map_err(ServerError::Transport),
            () = drain.requested() => {}
        }
        match timeout(plan::CALLS, serving).await {
            Ok(ended) => ended.map_err(ServerError::Transport),
            Err(_) => {
                tracing::warn!(limit = ?plan::CALLS, "calls were still under way when the server closed");
                Ok(())
            }
        }
    }
}

async fn serve(
    listener: Listener,
    (callers, places): (Directory, PlacesLayer),
    map: &Arc<Map>,
    routes: Routes,
    end: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let layers = ServiceBuilder::new()
        .layer(guard::GuardLayer::new(callers))
        .layer(authority::AuthorityLayer(Arc::clone(map)))
        .layer(places)
        .layer(trace::TraceLayer)
        .layer(bounds::BoundsLayer)
        .into_inner();
    let keep_alive = matches!(listener, Listener::Tcp(_)).then_some(KEEP_ALIVE);
    let server = tonic::transport::Server::builder()
        .http2_keepalive_interval(keep_alive)
        .http2_keepalive_timeout(keep_alive)
        .layer(layers)
        .add_routes(routes);
    match listener {
        Listener::Unix(socket, path) => {
            let ours = incoming::identity(&path);
            let ended = server
                .serve_with_incoming_shutdown(incoming::unix(socket), end)
                .await;
            // A successor may have bound the same path by now.
            if ours.is_some() && incoming::identity(&path) == ours {
                let _ = std::fs::remove_file(path);
            }
            ended
        }
        Listener::Tcp(socket) => {
            server
                .serve_with_incoming_shutdown(incoming::tcp(socket), end)
                .await
        }
    }
}

/// Takes in credentials that were replaced, so that an old one does not open for long. One that was made is looked for when it
/// is shown.
async fn follow(callers: Directory, drain: Drain) {
    let rereading = async {
        loop {
            for _ in 0..REREAD_BEATS {
                beat::next().await;
            }
            callers.reread().await;
        }
    };
    tokio::select! { () = rereading => (), () = drain.requested() => () }
}

#[cfg(test)]
mod tests;
