//! What runs in the process of an account: the adapter, and `gatehouse.channel.v1.ChannelAdapter` around it.
//!
//! One thread does all of it, so that an adapter that spins is silent, and silence is what the bridge sees. Another thread waits for the
//! end of the standard input, and ends the process then, whatever it is doing.

mod account;
mod desk;
mod files;
mod news;
mod said;

use std::{
    io::{self, BufRead, Read, Write},
    os::unix::fs::PermissionsExt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::{Stream, StreamExt, stream::BoxStream};
use gatehouse_core::{Clock, Secret};
use gatehouse_proto::channel::v1::{
    DescribeChannelRequest, DescribeChannelResponse, FetchMediaRequest, FetchMediaResponse,
    RunAccountRequest, RunAccountResponse, StartAccount, TakeMediaRequest, TakeMediaResponse,
    channel_adapter_server::{ChannelAdapter, ChannelAdapterServer},
    run_account_request::Message as Told,
};
use rustix::process::{Resource, Rlimit, setrlimit};
use serde_json::Value;
use tokio::{
    net::{UnixListener, UnixStream},
    runtime::Builder,
    sync::mpsc,
    time,
};
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Response, Status, Streaming, service::interceptor::InterceptedService, transport::Server,
};

use self::{desk::Desk, files::Files};
use super::child;
use crate::{
    account::AccountState,
    adapter::{AccountKey, Adapter},
    media::MediaReader,
    platform::{Deps, Entry, Platforms},
};

/// The most memory that the process may take for data: an account that works takes some MiB, and files pass through it in pieces. What is
/// beyond is not given, and ends it.
const MEMORY_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The longest first line of the standard input: a path and a credential.
const LINE_BYTES_MAX: u64 = 16 * 1024;
/// The largest message of the bridge: a request with a body of a mebibyte, and its head.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Messages on their way to the bridge.
const LINE_MAX: usize = 64;
/// How long what was said last may take to leave.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// What the bridge hears.
type Line = mpsc::Sender<Result<RunAccountResponse, Status>>;

/// Runs the process of one account of this channel, until its connection is over or the bridge is gone. The standard input tells where to
/// listen and whom to answer.
///
/// # Errors
/// Why it cannot, for the log.
pub fn run(kind: &str) -> Result<(), String> {
    run_of(&Platforms::all(), kind)
}

pub(super) fn run_of(platforms: &Platforms, kind: &str) -> Result<(), String> {
    let entry = platforms.get(kind).cloned();
    let entry = entry.ok_or_else(|| format!("there is no channel {kind}"))?;
    // The HTTP client asks for the process's TLS provider. Somebody may have installed it already: the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    bounded().map_err(|error| format!("its memory cannot be bounded: {error}"))?;
    let mut line = String::new();
    let read = io::stdin().lock().take(LINE_BYTES_MAX).read_line(&mut line);
    read.map_err(|error| format!("the standard input cannot be read: {error}"))?;
    let told: child::Told = serde_json::from_str(&line).map_err(|_| {
        "the standard input says neither where to listen nor whom to answer: the channel bridge starts this by itself \
         where `isolate` is set"
            .to_owned()
    })?;
    std::thread::spawn(|| {
        let mut rest = [0; 64];
        // The runtime's own standard input would wait for a thread that spins.
        while matches!(io::stdin().read(&mut rest), Ok(1..)) {}
        std::process::exit(0);
    });
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("it cannot start: {error}"))?;
    let ended = runtime.block_on(serve(entry, told));
    runtime.shutdown_background(); // a look-up of a name may take its time
    ended
}

/// Bounds what the process takes, and keeps what it knows out of files that a crash would leave.
fn bounded() -> io::Result<()> {
    let at_most = |bytes| Rlimit {
        current: Some(bytes),
        maximum: Some(bytes),
    };
    setrlimit(Resource::Data, at_most(MEMORY_BYTES_MAX))?;
    setrlimit(Resource::Core, at_most(0))?;
    Ok(())
}

async fn serve(entry: Entry, told: child::Told) -> Result<(), String> {
    let child::Told { socket, credential } = told;
    let folder = socket.parent().ok_or("its socket is in no folder")?.to_owned();
    let listener = UnixListener::bind(&socket)
        .map_err(|error| format!("it cannot listen at {}: {error}", socket.display()))?;
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600))
        .map_err(|error| format!("its socket cannot be closed to others: {error}"))?;
    let over = CancellationToken::new();
    let host = Host(Arc::new(Inner {
        entry,
        files: Arc::new(Files::of(folder)),
        begun: AtomicBool::new(false),
        running: Mutex::new(None),
        over: over.clone(),
    }));
    let bridge = Secret::new(format!("Bearer {credential}"));
    let only_the_bridge = move |request: Request<()>| {
        let shown = request.metadata().get("authorization");
        match shown.and_then(|shown| shown.to_str().ok()) {
            Some(shown) if bridge.matches(shown) => Ok(request),
            _ => Err(Status::unauthenticated("only the channel bridge may call")),
        }
    };
    let service = ChannelAdapterServer::new(host).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let server = Server::builder().add_service(InterceptedService::new(service, only_the_bridge));
    let mut output = io::stdout();
    writeln!(output, "{}", child::LISTENING)
        .and_then(|()| output.flush())
        .map_err(|error| format!("it cannot say that it listens: {error}"))?;
    let late = async {
        over.cancelled().await;
        time::sleep(LAST_WORDS).await;
    };
    tokio::select! {
        served = server.serve_with_incoming_shutdown(accepted(listener), over.cancelled()) => {
            served.map_err(|error| format!("it cannot be spoken to: {error}"))
        }
        () = late => Ok(()),
    }
}

fn accepted(listener: UnixListener) -> impl Stream<Item = io::Result<UnixStream>> {
    futures::stream::unfold(listener, async |listener| {
        let accepted = listener.accept().await.map(|(socket, _)| socket);
        Some((accepted, listener))
    })
}

/// The one account of the process.
#[derive(Clone)]
struct Host(Arc<Inner>);

struct Inner {
    entry: Entry,
    files: Arc<Files>,
    begun: AtomicBool,
    running: Mutex<Option<Arc<dyn Adapter>>>,
    over: CancellationToken,
}

impl Host {
    fn running(&self) -> Option<Arc<dyn Adapter>> {
        let running = self.0.running.lock();
        running.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Opens the account. What is wrong with how it is configured ends it for good.
    fn open(&self, start: StartAccount, desk: Arc<Desk>) -> Result<Arc<dyn Adapter>, Status> {
        let StartAccount {
            channel,
            account_id,
            config,
            state,
            http_path: _,
            public_origin,
        } = start;
        let config: Value = serde_json::from_str(&config)
            .map_err(|_| Status::invalid_argument("its settings are not JSON"))?;
        let connector = self.0.entry.read(&config).map_err(Status::invalid_argument)?;
        desk.remembers(&state)
            .map_err(|error| Status::unavailable(format!("what it remembers cannot be read: {error}")))?;
        let key = AccountKey::new(channel, account_id);
        let media = MediaReader::new(self.0.files.clone());
        media.reached_at(Some(public_origin).filter(|origin| !origin.is_empty()));
        let adapter = connector.open(Deps {
            account: key.clone(),
            clock: Clock::system(),
            state: AccountState::new(key, desk),
            media,
        });
        *self.0.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&adapter));
        Ok(adapter)
    }
}

#[async_trait]
impl ChannelAdapter for Host {
    type RunAccountStream = BoxStream<'static, Result<RunAccountResponse, Status>>;
    type FetchMediaStream = BoxStream<'static, Result<FetchMediaResponse, Status>>;

    async fn describe_channel(
        &self,
        _: Request<DescribeChannelRequest>,
    ) -> Result<Response<DescribeChannelResponse>, Status> {
        Err(Status::unimplemented("the bridge knows its own channels"))
    }

    async fn run_account(
        &self,
        request: Request<Streaming<RunAccountRequest>>,
    ) -> Result<Response<Self::RunAccountStream>, Status> {
        let mut told = request.into_inner();
        let first = told.message().await?.and_then(|first| first.message);
        let Some(Told::Start(start)) = first else {
            return Err(Status::aborted("the first message is not `start`"));
        };
        if self.0.begun.swap(true, Ordering::Relaxed) {
            return Err(Status::aborted("a process has one connection"));
        }
        let key = AccountKey::new(start.channel.clone(), start.account_id.clone());
        let (line, mut out) = mpsc::channel(LINE_MAX);
        let desk = Arc::new(Desk::new(line.clone()));
        let adapter = self.open(start, Arc::clone(&desk))?;
        let (files, over) = (Arc::clone(&self.0.files), self.0.over.clone());
        tokio::spawn(async move {
            account::run(
                account::Parts {
                    key,
                    adapter,
                    desk,
                    files,
                    line,
                },
                told,
            )
            .await;
            over.cancel();
        });
        Ok(Response::new(
            futures::stream::poll_fn(move |context| out.poll_recv(context)).boxed(),
        ))
    }

    async fn fetch_media(
        &self,
        request: Request<FetchMediaRequest>,
    ) -> Result<Response<Self::FetchMediaStream>, Status> {
        let adapter = self.running();
        let adapter = adapter.ok_or_else(|| Status::unavailable("the account is not started yet"))?;
        let FetchMediaRequest {
            channel: _, // this process has one account
            account_id: _,
            address,
        } = request.into_inner();
        let remote = adapter.fetch(&address).await;
        Ok(Response::new(files::pieces(
            remote.map_err(|error| files::missed(&error))?,
        )))
    }

    async fn take_media(
        &self,
        request: Request<Streaming<TakeMediaRequest>>,
    ) -> Result<Response<TakeMediaResponse>, Status> {
        let handle = self.0.files.take(request.into_inner()).await?;
        Ok(Response::new(TakeMediaResponse { handle }))
    }
}
