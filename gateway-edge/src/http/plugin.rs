//! `/plugins/<id>/...`: what a plugin answers over HTTP.
//!
//! A request is let in by the plugin's entry, read within bounds, and handed over without anything that is the gateway's: no cookie, no
//! credential. What comes back is the plugin's and nobody else's: its pages run in an origin of their own (the sandbox of [`CSP`]), and of
//! its headers those reach the client that speak of the body. A plugin that hangs holds its own requests, and those for 30 seconds.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    response::Response,
    routing::{MethodRouter, get},
};
use bytes::Bytes;
use gatehouse_contract::{Access, PluginId};
use gatehouse_core::{Kind, Secret, net::PeerKey};
use gatehouse_document::plugins::PluginHttpAuth;
use gatehouse_proto::plugin::v1::ServeHttpRequest;
use http::{Method, StatusCode, request::Parts};

use self::answer::{Holding, ask};
use super::{
    bearer::{self, Known},
    body::{Bounds, Reading, Unread},
    context::Http,
    respond::{Refused, overloaded, refusal, refuse, too_large},
    socket::Socket,
    webhook::share,
};
use crate::{
    admission::Client,
    backend::offer::HttpPlugin,
    call,
    error::Refusal,
    permits::{Permit, Permits},
};

mod answer;
mod headers;

/// What a page of a plugin may: anything but what is the gateway's. Without `allow-same-origin` it has an origin of its own, so that it
/// neither reads what the gateway's page keeps in the browser nor calls the gateway as the person in front of it.
pub(super) const CSP: &str =
    "sandbox allow-scripts allow-forms allow-popups allow-downloads; frame-ancestors 'none'";

/// What plugins are asked.
pub(super) const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// The same, for the table of routes.
pub(super) fn methods() -> MethodRouter<Arc<Http>> {
    get(serve)
        .post(serve)
        .put(serve)
        .patch(serve)
        .delete(serve)
        .options(serve)
}

/// What the contract allows.
pub(super) const BODY_MAX: usize = 1024 * 1024;

/// Slower than this, after the grace, a body does not come in time.
const BODY_PACE: f64 = 32.0 * 1024.0;

/// Requests to all plugins that are under way: 64 MiB of the largest bodies.
const REQUESTS_MAX: usize = 64;

/// Those to one plugin: one that hangs leaves as many to the others.
const OF_ONE_PLUGIN_MAX: usize = REQUESTS_MAX / 2;

/// How long somebody is told to wait for a plugin that is away or busy.
const COME_BACK: Duration = Duration::from_secs(1);

/// Bounds what is under way.
#[derive(Debug)]
pub(crate) struct Requests {
    by_peer: Arc<Permits<PeerKey>>,
    by_plugin: Arc<Permits<Box<str>>>,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            by_peer: Permits::new(REQUESTS_MAX),
            by_plugin: Permits::new(REQUESTS_MAX),
        }
    }
}

/// Whether a path is that of a plugin's root, written as a folder.
pub(super) fn is_root(path: &str) -> bool {
    let id = path
        .strip_prefix("/plugins/")
        .and_then(|rest| rest.strip_suffix('/'));
    id.is_some_and(|id| PluginId::parse(id).is_some())
}

/// The plugin of a path, and the path below it.
fn target(path: &str) -> Option<(PluginId, &str)> {
    let path = path.strip_prefix("/plugins/")?;
    let (id, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
    Some((PluginId::parse(id)?, if rest.is_empty() { "/" } else { rest }))
}

/// Answers a request to a plugin.
pub(super) async fn serve(
    State(http): State<Arc<Http>>,
    Extension(socket): Extension<Arc<Socket>>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let answered = Asked::of(&http, &socket, &parts);
    match answered {
        Ok(asked) => asked.serve(http, socket, parts, body).await,
        Err(refused) => *refused,
    }
}

/// A request that its plugin is to see.
struct Asked {
    plugin: PluginId,
    path: Box<str>,
    at: HttpPlugin,
    client: Client,
    /// `None`: nobody was asked who they are.
    known: Option<Arc<Known>>,
}

impl Asked {
    /// Looks at the head.
    fn of(http: &Http, socket: &Arc<Socket>, parts: &Parts) -> Result<Self, Refused> {
        let nothing = || Box::new(refusal(&nothing_there()));
        let (plugin, path) = target(parts.uri.path()).ok_or_else(nothing)?;
        let at = http.edge.offers.borrow().http(&plugin).ok_or_else(nothing)?;
        let (client, known) = match at.auth {
            PluginHttpAuth::Token => {
                let known = bearer::authenticate(http, socket.ends, &parts.uri, &parts.headers)?;
                authorise(&known, &parts.method).map_err(|told| Box::new(refusal(&told)))?;
                (known.client, Some(Arc::new(known)))
            }
            PluginHttpAuth::None => (peer(http, socket, parts)?, None),
        };
        Ok(Self {
            plugin,
            path: path.into(),
            at,
            client,
            known,
        })
    }

    async fn serve(self, http: Arc<Http>, socket: Arc<Socket>, parts: Parts, body: Body) -> Response {
        match self.take_in(&http, &socket, &parts, body).await {
            Ok((request, holding)) => {
                let Some(peer) = &self.at.peer else {
                    return refusal(&away(&self.plugin));
                };
                ask(http, self.plugin, peer, request, holding).await
            }
            Err(refused) => *refused,
        }
    }

    /// Reads the body. Until it is whole, somebody else may take its place.
    async fn take_in(
        &self,
        http: &Http,
        socket: &Arc<Socket>,
        parts: &Parts,
        body: Body,
    ) -> Result<(ServeHttpRequest, Holding), Refused> {
        let refused = |told: Refusal| Box::new(refusal(&told));
        let mut places =
            Places::enter(&http.plugin_requests, self).ok_or_else(|| refused(busy(&self.plugin)))?;
        let budgets = &http.edge.budgets;
        let budget = if self.known.is_some() {
            &budgets.messages
        } else {
            &budgets.unauthenticated
        };
        let mut lease = budget.lease();
        let bounds = Bounds {
            max: BODY_MAX,
            grace: http.edge.limits.webhook_grace,
            pace: BODY_PACE,
        };
        let mut reading = Reading::new(body, bounds);
        tokio::select! {
            read = reading.read(Some(&mut lease)) => read.map_err(unread)?,
            () = places.evicted() => return Err(refused(busy(&self.plugin))),
        }
        if !places.settle() {
            return Err(refused(busy(&self.plugin)));
        }
        let settled = socket.settled().ok_or_else(|| refused(overloaded()))?;
        let request = self.request(http, parts, reading.into_bytes());
        Ok((
            request,
            Holding::new(socket, settled, &self.known, lease, places, http),
        ))
    }

    fn request(&self, http: &Http, parts: &Parts, body: Bytes) -> ServeHttpRequest {
        let is_ours = |token: &Secret| {
            let policy = http.edge.policy();
            policy.is_none_or(|policy| policy.credentials.known(token).is_some())
        };
        ServeHttpRequest {
            method: parts.method.to_string(),
            path: self.path.to_string(),
            query: parts.uri.query().map(str::to_owned),
            headers: headers::to_plugin(&parts.headers, is_ours),
            body,
            peer_address: self.client.ip.to_string(),
            caller: self.known.as_deref().map(headers::caller),
        }
    }
}

/// The places of a request: one of its peer's, one of its plugin's.
#[derive(Debug)]
struct Places {
    of_peer: Permit<PeerKey>,
    of_plugin: Permit<Box<str>>,
}

impl Places {
    fn enter(requests: &Requests, asked: &Asked) -> Option<Self> {
        let of_peer = share(asked.client, REQUESTS_MAX);
        Some(Self {
            of_peer: requests.by_peer.enter(asked.client.key(), of_peer)?,
            of_plugin: requests
                .by_plugin
                .enter(asked.plugin.as_str().into(), OF_ONE_PLUGIN_MAX)?,
        })
    }

    async fn evicted(&self) {
        let (peer, plugin) = (self.of_peer.evicted(), self.of_plugin.evicted());
        tokio::select! { () = peer.cancelled() => (), () = plugin.cancelled() => () }
    }

    fn settle(&mut self) -> bool {
        self.of_peer.settle() && self.of_plugin.settle()
    }
}

/// Reading takes what reading takes everywhere; everything else may change something.
fn authorise(known: &Known, method: &Method) -> Result<(), Refusal> {
    let access = if *method == Method::GET || *method == Method::HEAD {
        Access::Read
    } else {
        Access::Write
    };
    if access.allows(&known.grants) {
        return Ok(());
    }
    Err(Refusal::missing_scope(
        access.required_scope().unwrap_or_default(),
    ))
}

fn peer(http: &Http, socket: &Socket, parts: &Parts) -> Result<Client, Refused> {
    match http.edge.policy() {
        Some(policy) => policy
            .admission
            .client_of(http.way(socket.ends), &parts.headers)
            .map_err(|rejection| Box::new(http.reject(rejection))),
        None => Ok(http.peer_of(socket.ends)),
    }
}

fn nothing_there() -> Refusal {
    let message = "no plugin answers here: `gatehouse plugins` lists them, and `plugins.entries.<id>.http` lets one answer";
    Refusal::new(Kind::NotFound, message).detail("code", "NO_SUCH_PLUGIN")
}

fn away(plugin: &PluginId) -> Refusal {
    Refusal::unavailable(format!("{plugin} is not available"), COME_BACK).detail("code", "PLUGIN_AWAY")
}

fn busy(plugin: &PluginId) -> Refusal {
    call::busy(
        "PLUGIN_BUSY",
        format!("too many requests to {plugin} are under way"),
    )
}

fn unread(unread: Unread) -> Refused {
    let (status, told) = match unread {
        Unread::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, too_large(BODY_MAX)),
        Unread::Cut => (StatusCode::BAD_REQUEST, Refusal::invalid("the body was cut")),
        Unread::TooSlow => (
            StatusCode::REQUEST_TIMEOUT,
            Refusal::invalid("the body did not come in time"),
        ),
        Unread::NoMemory => (
            StatusCode::SERVICE_UNAVAILABLE,
            call::busy(
                "GATEWAY_BUSY",
                "the gateway is busy: the requests under way take too much memory",
            ),
        ),
    };
    Box::new(refuse(status, &told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_plugin_and_what_is_asked_of_it() {
        let of = |path| target(path).map(|(plugin, rest)| (plugin.to_string(), rest.to_owned()));
        let kitchen = |rest: &str| Some(("plugin kitchen".to_owned(), rest.to_owned()));

        assert_eq!(of("/plugins/kitchen"), kitchen("/"));
        assert_eq!(of("/plugins/kitchen/"), kitchen("/"));
        assert_eq!(of("/plugins/kitchen/menu/today"), kitchen("/menu/today"));
        assert_eq!(of("/plugins/"), None);
        assert_eq!(of("/plugins/Kitchen!"), None);
        assert!(is_root("/plugins/kitchen/"));
        for other in [
            "/plugins/kitchen",
            "/plugins/kitchen/menu/",
            "/plugins/kitchen//",
            "/",
        ] {
            assert!(!is_root(other), "{other}");
        }
    }
}
