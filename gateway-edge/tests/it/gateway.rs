//! A gateway whose services are fakes: one server that answers for all of them, as a test tells it to.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::{BufMut, Bytes};
use futures::{Stream, StreamExt, stream};
use gatehouse_contract::Map;
use gatehouse_core::{
    Address, Caller, Drain, Env, Failure, Secret, Service, ServiceSettings, client::Peer, credential,
    service, trace::Context,
};
use gatehouse_edge::{App, Limits, Offer, Settings};
use gatehouse_proto::{
    broadcast::v1::{
        Event, HealthEvent, Position, PresenceEntry, PresenceEvent, ReportPresenceRequest, StateVersion,
        SubscribeResponse,
    },
    channel::v1::InspectWebhookResponse,
    config::v1::WatchConfigResponse,
};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tempfile::TempDir;
use tokio::{
    net::UnixListener,
    sync::{Notify, broadcast, watch},
};
use tokio_stream::wrappers::{BroadcastStream, WatchStream};
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataMap;

mod answers;
mod devices;
mod revisions;

use answers::{empty, many, one};

pub(crate) use devices::{CODE, Deciding, ISSUED_MS, token_of};
pub(crate) use revisions::{credential, revision, with_credentials};

/// The gateway token of every test.
pub(crate) const TOKEN: &str = "the-token";

/// How the head of a webhook is looked at.
pub(crate) const INSPECT: &str = "/gatehouse.channel.v1.ChannelService/InspectWebhook";

/// How a webhook is handed over.
pub(crate) const RECEIVE: &str = "/gatehouse.channel.v1.ChannelService/ReceiveWebhook";

/// What a fake answers.
#[derive(Clone)]
pub(crate) enum Reply {
    /// A message, as JSON of the method's response.
    Json(&'static str),
    /// Several messages.
    Many(Vec<Vec<u8>>),
    /// One after the other, each once.
    Each(VecDeque<Reply>),
    /// A refusal.
    Failure(Failure),
    /// The same, to be heard behind the event of this offset.
    Behind(u64, &'static str),
    /// The same, once it may.
    After(Arc<Notify>, &'static str),
    /// A message, and then nothing, ever.
    First(&'static str),
    /// Nothing, ever.
    Hang,
}

/// What reached the fakes.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) body: Bytes,
    pub(crate) caller: Option<Caller>,
    pub(crate) trace: Option<Context>,
}

#[derive(Default)]
struct Fakes {
    replies: Mutex<HashMap<String, Reply>>,
    calls: Mutex<Vec<Call>>,
    /// How many calls of a path still lose their connection.
    losses: Mutex<HashMap<String, usize>>,
    sick: Mutex<bool>,
    /// Whether nobody can subscribe to events.
    deaf: Mutex<bool>,
    stopping: Mutex<bool>,
    deciding: Mutex<Deciding>,
}

/// An edge with fakes behind it.
pub(crate) struct Gateway {
    pub(crate) url: String,
    pub(crate) http: String,
    pub(crate) drain: Drain,
    pub(crate) config: watch::Sender<Option<WatchConfigResponse>>,
    pub(crate) stream: broadcast::Sender<SubscribeResponse>,
    pub(crate) presence: watch::Receiver<Vec<PresenceEntry>>,
    pub(crate) offers: watch::Sender<Arc<Offer>>,
    fakes: Arc<Fakes>,
    home: TempDir,
}

/// A plugin: a process of somebody else, which the edge can call.
pub(crate) struct Plugin {
    pub(crate) peer: Peer,
    /// Where it listens, as the configuration says it.
    pub(crate) endpoint: String,
    fakes: Arc<Fakes>,
    socket: PathBuf,
    server: Server,
    lives: CancellationToken,
}

impl Plugin {
    /// What a path answers from now on.
    pub(crate) fn answers(&self, path: &str, reply: Reply) {
        self.fakes.replies.lock().unwrap().insert(path.to_owned(), reply);
    }

    /// It is killed: nobody listens, and its connections are cut.
    pub(crate) fn kill(&self) {
        self.lives.cancel();
        std::fs::remove_file(&self.socket).unwrap();
    }

    /// It is started again.
    pub(crate) fn start(&mut self) {
        self.lives = serve(UnixListener::bind(&self.socket).unwrap(), self.server.clone());
    }

    /// The calls that reached it.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.fakes.calls.lock().unwrap().clone()
    }
}

/// Asks until the answer is yes.
pub(crate) async fn until(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !ask().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let asked = tokio::time::timeout(Duration::from_secs(15), asking).await;
    assert!(asked.is_ok(), "{what}: not in time");
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        Self::with(Limits::default(), Some(revision("{}", TOKEN))).await
    }

    pub(crate) async fn configured(config: &str) -> Self {
        Self::with(Limits::default(), Some(revision(config, TOKEN))).await
    }

    pub(crate) async fn with(limits: Limits, first: Option<WatchConfigResponse>) -> Self {
        Self::begin(limits, first, false).await
    }

    /// One whose events cannot be subscribed to yet.
    pub(crate) async fn deaf() -> Self {
        Self::begin(Limits::default(), Some(revision("{}", TOKEN)), true).await
    }

    async fn begin(limits: Limits, first: Option<WatchConfigResponse>, deaf: bool) -> Self {
        let home = tempfile::tempdir().unwrap();
        let socket = home.path().join("fakes.sock");
        let peer = format!("unix:{}", socket.display());
        let names = ["SESSION", "AGENT", "CHANNEL_BRIDGE", "CONFIG", "BROADCAST"];
        let mut env = Env::of([("GATEHOUSE_HOME", home.path().to_string_lossy())]);
        for name in names {
            env = env.with(format!("GATEHOUSE_{name}_ADDRESS"), &peer);
        }
        let service = ServiceSettings::read(&env, Service::Edge).unwrap();
        credential::make_all(&service.home).unwrap();
        let known = first.is_some() && !deaf;
        let (config, _) = watch::channel(first);
        let (stream, _) = broadcast::channel(8192);
        let (reports, presence) = watch::channel(Vec::new());
        let fakes = Arc::new(Fakes {
            deaf: Mutex::new(deaf),
            ..Fakes::default()
        });
        let server = Server {
            fakes: Arc::clone(&fakes),
            config: config.clone(),
            stream: stream.clone(),
            reports,
        };
        serve(UnixListener::bind(socket).unwrap(), server);

        let settings = service::Settings::<App> {
            common: service,
            own: Settings::for_tests(limits),
        };
        let bound = settings.build().await.unwrap();
        let address = bound.app.address();
        let offers = bound.app.offers();
        let drain = Drain::new();
        tokio::spawn(bound.run(drain.clone()));
        let gateway = Self {
            url: format!("ws://{address}/"),
            http: address.to_string(),
            drain,
            config,
            stream,
            presence,
            offers,
            fakes,
            home,
        };
        if known {
            gateway.wait_ready().await;
        }
        gateway
    }

    async fn wait_ready(&self) {
        until("an edge that is ready", async || {
            let answer = crate::plain_http::get(&self.http, "/readyz").await;
            answer.starts_with("HTTP/1.1 200") && answer.contains(r#""degraded":[]"#)
        })
        .await;
    }

    /// A plugin that listens on a socket of its own, and is not registered yet.
    pub(crate) fn plugin(&self) -> Plugin {
        self.plugin_at("plugin.sock")
    }

    /// The same on a socket of this name.
    pub(crate) fn plugin_at(&self, name: &str) -> Plugin {
        let socket = self.home.path().join(name);
        let fakes = Arc::new(Fakes::default());
        let server = Server {
            fakes: Arc::clone(&fakes),
            config: self.config.clone(),
            stream: self.stream.clone(),
            reports: watch::channel(Vec::new()).0,
        };
        Plugin {
            peer: Peer::lazy(&Address::Unix(socket.clone()), &Secret::new("of the plugin")),
            endpoint: format!("unix:{}", socket.display()),
            fakes,
            lives: serve(UnixListener::bind(&socket).unwrap(), server.clone()),
            server,
            socket,
        }
    }

    /// What a method answers from now on.
    pub(crate) fn answers(&self, method: &str, reply: Reply) {
        let path = Map::core()
            .method(method)
            .expect("a method of the contract")
            .path
            .clone();
        self.fakes.replies.lock().unwrap().insert(path, reply);
    }

    /// The same for a method between services.
    pub(crate) fn answers_path(&self, path: &str, reply: Reply) {
        self.fakes.replies.lock().unwrap().insert(path.to_owned(), reply);
    }

    /// The next calls of a method reach it and then lose their connection, as if its service were killed.
    pub(crate) fn loses(&self, method: &str, times: usize) {
        let path = &Map::core().method(method).expect("a method of the contract").path;
        self.fakes.losses.lock().unwrap().insert(path.clone(), times);
    }

    /// Whether the services say that they were asked to end.
    pub(crate) fn stopping(&self, stopping: bool) {
        *self.fakes.stopping.lock().unwrap() = stopping;
    }

    /// Calls that reached a method.
    pub(crate) fn calls(&self, method: &str) -> Vec<Call> {
        let path = Map::core().method(method).map_or(method, |method| &method.path);
        self.fakes
            .calls
            .lock()
            .unwrap()
            .iter()
            .filter(|call| call.path == path)
            .cloned()
            .collect()
    }

    pub(crate) fn fall_sick(&self) {
        *self.fakes.sick.lock().unwrap() = true;
    }

    /// They serve again.
    pub(crate) fn recover(&self) {
        *self.fakes.sick.lock().unwrap() = false;
    }

    /// Events can be subscribed to from now on.
    pub(crate) fn hear(&self) {
        *self.fakes.deaf.lock().unwrap() = false;
    }

    /// Publishes events.
    pub(crate) fn publish(&self, events: Vec<Event>) {
        self.stream
            .send(SubscribeResponse {
                epoch: "e1".to_owned(),
                events,
                ..SubscribeResponse::default()
            })
            .unwrap();
    }
}

#[derive(Clone)]
struct Server {
    fakes: Arc<Fakes>,
    config: watch::Sender<Option<WatchConfigResponse>>,
    stream: broadcast::Sender<SubscribeResponse>,
    reports: watch::Sender<Vec<PresenceEntry>>,
}

type Answer = Response<StreamBody<stream::BoxStream<'static, Result<Frame<Bytes>, Infallible>>>>;

/// Serves until the token is cancelled.
fn serve(listener: UnixListener, server: Server) -> CancellationToken {
    let lives = CancellationToken::new();
    let end = lives.clone();
    tokio::spawn(async move {
        while let Some(Ok((socket, _))) = end.run_until_cancelled(listener.accept()).await {
            let (server, end) = (server.clone(), end.clone());
            tokio::spawn(async move {
                let lost = Arc::new(Notify::new());
                let losing = Arc::clone(&lost);
                let service = hyper::service::service_fn(move |request| {
                    let (server, losing) = (server.clone(), Arc::clone(&losing));
                    async move { Ok::<_, Infallible>(server.answer(request, &losing).await) }
                });
                let http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                tokio::select! {
                    _ = http.serve_connection(TokioIo::new(socket), service) => (),
                    () = lost.notified() => (),
                    () = end.cancelled() => (),
                }
            });
        }
    });
    lives
}

impl Server {
    async fn answer(&self, request: Request<Incoming>, connection: &Notify) -> Answer {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes().slice(5..);
        let path = parts.uri.path().to_owned();
        let metadata = MetadataMap::from_headers(parts.headers);
        let (caller, trace) = (
            Caller::from_metadata(&metadata),
            Context::from_metadata(&metadata),
        );
        self.fakes.calls.lock().unwrap().push(Call {
            path: path.clone(),
            body: body.clone(),
            caller,
            trace,
        });
        if let Some(left @ 1..) = self.fakes.losses.lock().unwrap().get_mut(&path) {
            *left -= 1;
            connection.notify_one();
            return many(stream::pending());
        }
        match path.as_str() {
            "/gatehouse.config.v1.ConfigService/WatchConfig" => {
                let revisions = WatchStream::new(self.config.subscribe());
                many(revisions.filter_map(|revision| async move { revision.map(|r| r.encode_to_vec()) }))
            }
            "/gatehouse.broadcast.v1.BroadcastService/Subscribe" if *self.fakes.deaf.lock().unwrap() => {
                tonic::Status::unavailable("")
                    .into_http::<tonic::body::Body>()
                    .map(|_| empty())
            }
            "/gatehouse.broadcast.v1.BroadcastService/Subscribe" => {
                let live = BroadcastStream::new(self.stream.subscribe());
                let position = Position {
                    state_version: Some(StateVersion {
                        presence: 1,
                        health: 1,
                    }),
                    presence: Some(PresenceEvent::default()),
                    health: Some(HealthEvent {
                        ok: true,
                        ..HealthEvent::default()
                    }),
                    ..Position::default()
                };
                let first = SubscribeResponse {
                    epoch: "e1".to_owned(),
                    position: Some(position),
                    ..SubscribeResponse::default()
                };
                let live = live.filter_map(|piece| async move { piece.ok() });
                many(
                    stream::iter([first])
                        .chain(live)
                        .map(|piece| piece.encode_to_vec()),
                )
            }
            "/gatehouse.broadcast.v1.BroadcastService/ReportPresence" => {
                self.reports
                    .send_replace(ReportPresenceRequest::decode(body).unwrap().entries);
                many(stream::iter([Vec::new()]))
            }
            "/grpc.health.v1.Health/Check" => {
                let status = match (body.is_empty(), *self.fakes.stopping.lock().unwrap()) {
                    (true, _) if *self.fakes.sick.lock().unwrap() => 2,
                    (true, _) | (false, true) => 1,
                    (false, false) => 3, // the name under which a service says that it is stopping is not known
                };
                many(stream::iter([vec![8, status]]))
            }
            path if path.starts_with("/gatehouse.device.v1.DeviceService/") => self.decide(path, body).await,
            _ => self.reply(&path).await,
        }
    }

    async fn reply(&self, path: &str) -> Answer {
        let reply = match self.fakes.replies.lock().unwrap().get_mut(path) {
            Some(Reply::Each(replies)) => Some(replies.pop_front().expect("no more calls than replies")),
            reply => reply.cloned(),
        };
        match reply {
            Some(Reply::Json(json)) => one(path, json),
            Some(Reply::Behind(offset, json)) => {
                let mut answer = one(path, json);
                answer.headers_mut().insert("gatehouse-after", offset.into());
                answer
            }
            Some(Reply::After(may, json)) => {
                may.notified().await;
                one(path, json)
            }
            Some(Reply::First(json)) => {
                let plan = &Map::core().rpc(path).unwrap().response;
                let first = plan.encode(json, &mut gatehouse_contract::Refuse).unwrap();
                many(stream::iter([first]).chain(stream::pending()))
            }
            Some(Reply::Each(_)) => unreachable!("one was taken"),
            Some(Reply::Many(messages)) => many(stream::iter(messages)),
            Some(Reply::Failure(failure)) => tonic::Status::from(failure)
                .into_http::<tonic::body::Body>()
                .map(|_| empty()),
            Some(Reply::Hang) => std::future::pending().await,
            None if path == INSPECT => {
                let taken = InspectWebhookResponse {
                    body_bytes_max: 64 * 1024,
                    refusal: None,
                };
                many(stream::iter([taken.encode_to_vec()]))
            }
            None => tonic::Status::unimplemented("")
                .into_http::<tonic::body::Body>()
                .map(|_| empty()),
        }
    }
}
