//! What the door answers to plain HTTP, and where a request becomes a WebSocket.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use gatehouse_core::Kind;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Incoming;
use serde::Serialize;
use tokio::sync::watch;

use self::{
    answer::{crowded, json, not_allowed, page, refuse, secure, starting, upgrade_required},
    upgrade::{Refused, bearer, wants_upgrade},
};
use crate::{
    accept::{self, crowd::Crowd},
    admission::{Client, Place, Turned, Way},
    edge::Edge,
    error::Refusal,
    limits::VERSION,
    metrics::Reason,
    policy::Door,
    profile::Arrival,
    ready::Readiness,
    webhook::{self, Webhooks},
};

pub(crate) mod answer;
mod upgrade;

pub(crate) use self::{answer::plain, upgrade::switch};

/// The HTTP side of the edge.
#[derive(Debug)]
pub(crate) struct Http {
    pub(crate) edge: Arc<Edge>,
    pub(crate) readiness: Readiness,
    pub(crate) webhooks: Webhooks,
    pub(crate) crowd: Crowd,
    /// Whether the stream of events flows.
    pub(crate) fed: watch::Receiver<bool>,
    /// The address that the door listens on.
    pub(crate) bound: IpAddr,
}

/// The place of a socket; an upgrade takes it along.
pub(crate) type Held = Arc<Mutex<Option<Place>>>;

/// The two ends of a socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    pub(crate) peer: IpAddr,
    pub(crate) local: IpAddr,
}

impl Http {
    /// Answers one request.
    pub(crate) async fn serve(
        &self,
        request: Request<Incoming>,
        ends: Ends,
        held: Held,
    ) -> Response<Full<Bytes>> {
        let mut response = match self.check_host(request.uri(), request.headers()) {
            Ok(()) => self.route(request, ends, held).await,
            Err(refused) => *refused,
        };
        secure(response.headers_mut());
        response
    }

    async fn route(&self, request: Request<Incoming>, ends: Ends, held: Held) -> Response<Full<Bytes>> {
        let read = matches!(*request.method(), Method::GET | Method::HEAD);
        match request.uri().path() {
            "/" | "/ws" if wants_upgrade(request.headers()) => self.upgrade(request, ends, &held),
            "/" if read => page(),
            "/ws" if read => upgrade_required(),
            "/healthz" | "/health" if read => json(
                StatusCode::OK,
                &Live {
                    ok: true,
                    status: "live",
                },
            ),
            "/startupz" if read => {
                let started = Started {
                    ok: true,
                    status: "started",
                    version: VERSION,
                    uptime_ms: self.edge.uptime_ms(),
                };
                json(StatusCode::OK, &started)
            }
            "/readyz" | "/ready" if read => {
                let report = self.readiness.report(&self.edge, &self.fed).await;
                json(
                    if report.ready {
                        StatusCode::OK
                    } else {
                        StatusCode::SERVICE_UNAVAILABLE
                    },
                    &report,
                )
            }
            "/" | "/ws" | "/healthz" | "/health" | "/startupz" | "/readyz" | "/ready" => {
                not_allowed("GET, HEAD")
            }
            path if path.starts_with("/webhooks/") => self.webhook(request, ends, &held).await,
            _ => plain(StatusCode::NOT_FOUND, "there is nothing here"),
        }
    }

    async fn webhook(&self, request: Request<Incoming>, ends: Ends, held: &Held) -> Response<Full<Bytes>> {
        let (parts, body) = request.into_parts();
        if webhook::target(parts.uri.path()).is_none() {
            return plain(
                StatusCode::NOT_FOUND,
                "a webhook's path is /webhooks/<channel>/<account>",
            );
        }
        if parts.method != Method::POST {
            return not_allowed("POST");
        }
        let client = match self.edge.policy() {
            Some(policy) => policy.door.client_of(self.way(ends), &parts.headers),
            None => Ok(self.peer_of(ends)),
        };
        match client {
            Ok(client) => {
                self.webhooks
                    .receive(&self.edge, client, &parts, body, held)
                    .await
            }
            Err(turned) => self.turn(turned),
        }
    }

    /// Turns a request into a connection.
    fn upgrade(&self, mut request: Request<Incoming>, ends: Ends, held: &Held) -> Response<Full<Bytes>> {
        let visitor = match self.door(|door| door.admit(self.way(ends), request.uri(), request.headers())) {
            Ok(visitor) => visitor,
            Err(response) => return *response,
        };
        let (response, upgrade) = match switch(&mut request) {
            Ok(switched) => switched,
            Err(response) => return *response,
        };
        let place = held.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Behind a proxy, the place belongs to the client and not to the proxy.
        let Client { ip, reach } = visitor.client;
        let place = if ip == ends.peer.to_canonical() {
            place
        } else {
            self.edge.counter.enter(visitor.client.key(), reach)
        };
        let Some(place) = place else {
            self.count("crowd");
            return refuse(StatusCode::SERVICE_UNAVAILABLE, &crowded());
        };
        let arrival = Arrival {
            ip,
            reach,
            browser: visitor.browser,
            bearer: bearer(request.headers()),
        };
        let edge = Arc::clone(&self.edge);
        self.edge.drain.spawn_work("connection", async move {
            match upgrade.await {
                Ok(upgraded) => accept::converse(edge, upgraded, arrival, place).await,
                Err(error) => tracing::debug!(error = %error, "an upgrade was cut"),
            }
        });
        response
    }

    /// Whoever is at the other end, before anything is said.
    pub(crate) fn peer_of(&self, ends: Ends) -> Client {
        match self.edge.policy() {
            Some(policy) => policy.door.peer_of(self.way(ends)),
            None => Door::default().peer_of(self.way(ends)),
        }
    }

    fn way(&self, Ends { peer, local }: Ends) -> Way<'_> {
        Way {
            peer,
            local,
            bound: self.bound,
            gateways: &self.edge.gateways,
        }
    }

    /// Every route is asked by a name that is ours, or a page whose owner made its name point here could read from it.
    fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refused> {
        self.door(|door| door.check_host(self.bound, uri, headers))
            .map(|_| ())
    }

    fn door<T>(&self, check: impl FnOnce(&Door) -> Result<T, Turned>) -> Result<T, Refused> {
        match self.edge.policy() {
            Some(policy) => check(&policy.door).map_err(|turned| Box::new(self.turn(turned))),
            // The configuration may allow what the defaults do not: ask to come back instead of refusing.
            None => check(&Door::default())
                .map_err(|_| Box::new(refuse(StatusCode::SERVICE_UNAVAILABLE, &starting()))),
        }
    }

    fn turn(&self, turned: Turned) -> Response<Full<Bytes>> {
        self.count(turned.code);
        let Turned {
            status,
            code,
            message,
        } = turned;
        refuse(
            status,
            &Refusal::new(Kind::Forbidden, message).detail("code", code),
        )
    }

    pub(crate) fn count(&self, reason: &'static str) {
        self.edge
            .metrics
            .turned_away
            .get_or_create(&Reason { reason })
            .inc();
    }
}

#[derive(Serialize)]
struct Live {
    ok: bool,
    status: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Started {
    ok: bool,
    status: &'static str,
    version: &'static str,
    uptime_ms: u64,
}
