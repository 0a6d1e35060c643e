//! A plugin that brings a room with one person in it. What it does instead can be told to it.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use futures::{Stream, StreamExt, stream::BoxStream};
use gatehouse_core::{Address, Clock, Secret, client::Peer};
use gatehouse_proto::channel::v1::{
    ChannelCapabilities, ChatKind, Connected, DescribeChannelRequest, DescribeChannelResponse, Ended,
    FetchMediaRequest, FetchMediaResponse, Heard, HttpAnswered, Inbound, InboundChat, PartAnswered, PartSent,
    PreviewAnswered, PreviewPace, ReactionAnswered, RunAccountRequest, RunAccountResponse, SendPart,
    StartAccount, TakeMediaRequest, TakeMediaResponse,
    channel_adapter_server::{ChannelAdapter, ChannelAdapterServer},
    part_answered, preview_answered,
    run_account_request::Message as Told,
    run_account_response::Message as Said,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};
use tonic::{Request, Response, Status, Streaming, transport::Server};

use crate::{
    account::AccountState,
    adapter::Adapter,
    media::MediaReader,
    platform::{
        Deps,
        plugin::{Channel, Life, Lives},
    },
    store::Stores,
    testing::{Memory, key, stores, until},
};

/// What the gateway shows.
pub(super) const SHOWN: &str = "the digest of its token";

type Line = mpsc::Sender<Result<RunAccountResponse, Status>>;

/// What the plugin does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Manner {
    /// What it should.
    #[default]
    Good,
    /// It takes parts and never answers.
    Silent,
    /// It answers every part with the answer to something else.
    Mixed,
    /// It sends more than a message may have.
    Huge,
    /// It ends for good as soon as it is started.
    Broken,
    /// It waits for somebody to log in.
    Unlinked,
}

#[derive(Default)]
struct Inner {
    line: Mutex<Option<Line>>,
    manner: Mutex<Manner>,
    last: AtomicU64,
    said: Mutex<HashMap<u64, oneshot::Sender<bool>>>,
    parts: Mutex<Vec<SendPart>>,
    starts: Mutex<Vec<StartAccount>>,
    seen: Mutex<Vec<&'static str>>,
    files: Mutex<HashMap<String, Vec<u8>>>,
    streams: watch::Sender<usize>,
}

/// The plugin.
#[derive(Clone)]
pub(super) struct Plugin(Arc<Inner>);

pub(super) fn message(said: Said) -> RunAccountResponse {
    RunAccountResponse { message: Some(said) }
}

#[async_trait]
impl ChannelAdapter for Plugin {
    type RunAccountStream = BoxStream<'static, Result<RunAccountResponse, Status>>;
    type FetchMediaStream = BoxStream<'static, Result<FetchMediaResponse, Status>>;

    async fn describe_channel(
        &self,
        _: Request<DescribeChannelRequest>,
    ) -> Result<Response<DescribeChannelResponse>, Status> {
        Ok(Response::new(description()))
    }

    async fn run_account(
        &self,
        request: Request<Streaming<RunAccountRequest>>,
    ) -> Result<Response<Self::RunAccountStream>, Status> {
        let shown = request.metadata().get("authorization");
        if shown.is_none_or(|shown| shown != format!("Bearer {SHOWN}").as_str()) {
            return Err(Status::unauthenticated("only the gateway may call"));
        }
        let (line, mut out) = mpsc::channel(64);
        let plugin = self.clone();
        tokio::spawn(async move { plugin.serve(request.into_inner(), line).await });
        Ok(Response::new(
            futures::stream::poll_fn(move |context| out.poll_recv(context)).boxed(),
        ))
    }

    async fn fetch_media(
        &self,
        request: Request<FetchMediaRequest>,
    ) -> Result<Response<Self::FetchMediaStream>, Status> {
        let address = request.into_inner().address;
        let bytes = self.0.files.lock().unwrap().get(&address).cloned();
        let bytes = bytes.ok_or_else(|| Status::not_found("there is no such file"))?;
        let pieces: Vec<_> = bytes
            .chunks(1_000)
            .map(|piece| {
                Ok(FetchMediaResponse {
                    mime_type: Some("image/png".to_owned()),
                    data: piece.to_vec().into(),
                })
            })
            .collect();
        Ok(Response::new(futures::stream::iter(pieces).boxed()))
    }

    async fn take_media(
        &self,
        request: Request<Streaming<TakeMediaRequest>>,
    ) -> Result<Response<TakeMediaResponse>, Status> {
        let mut pieces = request.into_inner();
        let (mut name, mut bytes) = (String::new(), Vec::new());
        while let Some(piece) = pieces.message().await? {
            name = piece.head.map_or(name, |head| head.name);
            bytes.extend_from_slice(&piece.data);
        }
        let handle = format!("taken/{name}");
        self.0.files.lock().unwrap().insert(handle.clone(), bytes);
        Ok(Response::new(TakeMediaResponse { handle }))
    }
}

impl Plugin {
    async fn serve(&self, mut told: Streaming<RunAccountRequest>, line: Line) {
        while let Ok(Some(RunAccountRequest { message: Some(told) })) = told.message().await {
            if !self.obey(told, &line).await {
                break;
            }
        }
        self.0.line.lock().unwrap().take();
    }

    async fn obey(&self, told: Told, line: &Line) -> bool {
        let manner = *self.0.manner.lock().unwrap();
        let answer = match told {
            Told::Start(start) => {
                self.0.starts.lock().unwrap().push(start);
                match manner {
                    Manner::Broken => Said::Ended(Ended {
                        reason: "the token\nis wrong".to_owned(),
                        for_good: true,
                    }),
                    Manner::Huge => Said::Ended(Ended {
                        reason: "x".repeat(3_000_000),
                        for_good: false,
                    }),
                    Manner::Good | Manner::Silent | Manner::Mixed | Manner::Unlinked => {
                        *self.0.line.lock().unwrap() = Some(line.clone());
                        self.0.streams.send_modify(|streams| *streams += 1);
                        if manner == Manner::Unlinked {
                            return true;
                        }
                        Said::Connected(Connected {})
                    }
                }
            }
            Told::Send(part) => {
                let id = part.id;
                self.0.parts.lock().unwrap().push(part);
                match manner {
                    Manner::Silent => return true,
                    Manner::Mixed => Said::Reaction(ReactionAnswered { id, error: None }),
                    Manner::Good | Manner::Huge | Manner::Broken | Manner::Unlinked => {
                        Said::Part(PartAnswered {
                            id,
                            outcome: Some(part_answered::Outcome::Sent(PartSent {
                                platform_id: format!("m{id}"),
                                ..PartSent::default()
                            })),
                        })
                    }
                }
            }
            Told::Typing(_) => return self.see("typing"),
            Told::Preview(preview) => {
                self.see("preview");
                Said::Preview(PreviewAnswered {
                    id: preview.id,
                    outcome: Some(preview_answered::Outcome::Shown("p1".to_owned())),
                })
            }
            Told::Withdraw(preview) => {
                self.see("withdraw");
                Said::Preview(PreviewAnswered {
                    id: preview.id,
                    outcome: Some(preview_answered::Outcome::Shown(String::new())),
                })
            }
            Told::React(reaction) => {
                self.see("react");
                Said::Reaction(ReactionAnswered {
                    id: reaction.id,
                    error: None,
                })
            }
            Told::Http(request) => Said::Http(HttpAnswered {
                id: request.id,
                status: 202,
                body: json!({"read": request.body.len()}).to_string(),
                retry_after_seconds: None,
            }),
            Told::Committed(committed) => return self.acknowledge(committed.seq, true),
            Told::Refused(refused) => return self.acknowledge(refused.seq, !refused.again),
            Told::Saved(saved) => return self.acknowledge(saved.seq, saved.error.is_none()),
            Told::Probe(_) => Said::Heard(Heard {}),
            Told::Stop(_) => return false,
        };
        line.send(Ok(message(answer))).await.is_ok()
    }

    fn see(&self, what: &'static str) -> bool {
        self.0.seen.lock().unwrap().push(what);
        true
    }

    fn acknowledge(&self, seq: u64, taken: bool) -> bool {
        if let Some(said) = self.0.said.lock().unwrap().remove(&seq) {
            let _ = said.send(taken);
        }
        true
    }
}

pub(super) fn description() -> DescribeChannelResponse {
    DescribeChannelResponse {
        label: "A room".to_owned(),
        capabilities: Some(ChannelCapabilities {
            media_bytes_max: 1_000_000,
            typing: true,
            threads: true,
            reactions: true,
            previews: Some(PreviewPace::default()),
            idempotent_sends: true,
            ..ChannelCapabilities::default()
        }),
        limits: Some(gatehouse_proto::channel::v1::ChannelLimits {
            parts_max: 20,
            account: Some(fast()),
            chat: Some(fast()),
            send_timeout_ms: 2_000,
            http_bytes_max: 1_000,
            ..Default::default()
        }),
        ..DescribeChannelResponse::default()
    }
}

fn fast() -> gatehouse_proto::channel::v1::SendPace {
    gatehouse_proto::channel::v1::SendPace {
        burst: 1_000,
        per_minute: 60_000,
    }
}

fn accepted(listener: UnixListener) -> impl Stream<Item = io::Result<UnixStream>> {
    futures::stream::unfold(listener, async |listener| {
        let accepted = listener.accept().await.map(|(socket, _)| socket);
        Some((accepted, listener))
    })
}

/// The plugin as a process, as far as the bridge can tell.
pub(super) struct Room {
    pub(super) plugin: Plugin,
    pub(super) stores: Stores,
    pub(super) session: Arc<Memory>,
    pub(super) lives: watch::Sender<Life>,
    address: Address,
    server: JoinHandle<()>,
    _folders: (TempDir, TempDir),
}

impl Room {
    pub(super) async fn open() -> Self {
        let (folder, stores) = stores();
        let place = tempfile::tempdir().expect("a folder");
        let socket = place.path().join("plugin.sock");
        let plugin = Plugin(Arc::default());
        let server = serve(&socket, plugin.clone());
        let address = Address::Unix(socket);
        let lives = watch::Sender::new(Life::default());
        let room = Self {
            plugin,
            stores,
            session: Arc::default(),
            lives,
            address,
            server,
            _folders: (folder, place),
        };
        room.lives();
        room
    }

    /// Another life begins.
    pub(super) fn lives(&self) {
        let (peer, _) = Peer::watched(&self.address, &Secret::new(SHOWN));
        self.lives.send_modify(|life| {
            life.number += 1;
            life.peer = Some(peer);
        });
    }

    /// The plugin is killed.
    pub(super) async fn kill(&mut self) {
        self.server.abort();
        self.cut().await;
        self.lives.send_modify(|life| life.peer = None);
    }

    /// And started again.
    pub(super) fn start_again(&mut self) {
        if let Address::Unix(socket) = &self.address {
            std::fs::remove_file(socket).expect("its socket");
            self.server = serve(socket, self.plugin.clone());
        }
        self.lives();
    }

    pub(super) fn adapter(&self) -> Arc<dyn Adapter> {
        self.adapter_of(&json!({"greeting": "hi", "maxMessages": 20}))
    }

    pub(super) fn channel(&self, kind: &str) -> Channel {
        Channel::of(kind, "tell", "here", &description(), Lives::of(&self.lives))
    }

    pub(super) fn adapter_of(&self, account: &Value) -> Arc<dyn Adapter> {
        let connector = Arc::new(self.channel("room"))
            .entry()
            .read(account)
            .expect("it can be read");
        connector.open(Deps {
            account: key("a"),
            clock: Clock::system(),
            state: AccountState::new(key("a"), self.stores.accounts.clone()),
            media: MediaReader::new(self.session.clone()),
        })
    }

    pub(super) fn behaves(&self, manner: Manner) {
        *self.plugin.0.manner.lock().unwrap() = manner;
    }

    pub(super) fn starts(&self) -> Vec<StartAccount> {
        self.plugin.0.starts.lock().unwrap().clone()
    }

    pub(super) fn parts(&self) -> Vec<SendPart> {
        self.plugin.0.parts.lock().unwrap().clone()
    }

    pub(super) fn seen(&self) -> Vec<&'static str> {
        self.plugin.0.seen.lock().unwrap().clone()
    }

    pub(super) fn heard(&self) -> Vec<String> {
        let parts = self.plugin.0.parts.lock().unwrap();
        parts.iter().map(|part| part.text.clone()).collect()
    }

    pub(super) fn file(&self, name: &str) -> Option<Vec<u8>> {
        self.plugin.0.files.lock().unwrap().get(name).cloned()
    }

    pub(super) fn keep_file(&self, name: &str, bytes: &[u8]) {
        self.plugin
            .0
            .files
            .lock()
            .unwrap()
            .insert(name.to_owned(), bytes.to_vec());
    }

    /// Says something on the stream there is, and waits until it is acknowledged. Said again when it was not taken, or when the stream ends.
    pub(super) async fn say(&self, id: &str, text: &str) {
        until("an acknowledgement", async || {
            let sent = self
                .tell(|seq| Said::Inbound(Box::new(inbound(seq, id, text))))
                .await?;
            sent.await.ok().filter(|taken| *taken).map(drop)
        })
        .await;
    }

    /// Sends a message with the next number, and tells what became of it.
    pub(super) async fn tell(&self, said: impl FnOnce(u64) -> Said) -> Option<oneshot::Receiver<bool>> {
        let line = self.plugin.0.line.lock().unwrap().clone()?;
        let seq = self.plugin.0.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (taken, answer) = oneshot::channel();
        self.plugin.0.said.lock().unwrap().insert(seq, taken);
        line.send(Ok(message(said(seq)))).await.ok()?;
        Some(answer)
    }

    /// Ends the stream.
    pub(super) async fn cut(&self) {
        let line = self.plugin.0.line.lock().unwrap().take();
        self.plugin.0.said.lock().unwrap().clear();
        if let Some(line) = line {
            let _ = line.send(Err(Status::unavailable("the network is down"))).await;
        }
    }

    pub(super) async fn connected(&self) {
        until("a stream", async || {
            self.plugin.0.line.lock().unwrap().as_ref().map(drop)
        })
        .await;
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub(super) fn inbound(seq: u64, id: &str, text: &str) -> Inbound {
    Inbound {
        seq,
        message_id: id.to_owned(),
        chat: Some(InboundChat {
            kind: ChatKind::Direct.into(),
            id: "anna".to_owned(),
            ..InboundChat::default()
        }),
        text: text.to_owned(),
        ..Inbound::default()
    }
}

fn serve(socket: &std::path::Path, plugin: Plugin) -> JoinHandle<()> {
    let incoming = accepted(UnixListener::bind(socket).expect("a socket"));
    let server = Server::builder().add_service(ChannelAdapterServer::new(plugin));
    tokio::spawn(async move { server.serve_with_incoming(incoming).await.expect("it serves") })
}
