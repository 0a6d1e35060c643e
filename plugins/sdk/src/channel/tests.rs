//! An account over a real connection, driven as the bridge drives it.

mod promises;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::{TryStreamExt, stream, stream::BoxStream};
use gatehouse_proto::channel::v1::{
    DescribeChannelResponse, Ended, Inbound, LoginWanted, MediaHead, RunAccountRequest, RunAccountResponse,
    SendPart, StartAccount, channel_adapter_client::ChannelAdapterClient,
    run_account_request::Message as Asked, run_account_response::Message as Said,
};
use sha2::{Digest, Sha256};
use tokio::{
    net::TcpListener,
    sync::{Notify, mpsc, watch},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming, transport};

use super::{Channel, for_good, run};
use crate::{Account, Fetched, Heard, Link, Manifest, PartOutcome, Place, Secret, Server, sent};

/// Far more than anything here takes.
const DEADLINE: Duration = Duration::from_secs(60);

/// A platform that does what the account's settings say.
#[derive(Clone, Default)]
struct Stage {
    /// Somebody has logged in.
    login: Arc<Notify>,
    /// Somebody speaks, or the account is over.
    speaks: Arc<Notify>,
    kept: Arc<AtomicBool>,
    begun: Arc<AtomicUsize>,
    closed: Arc<AtomicBool>,
}

struct Actor {
    stage: Stage,
    link: Arc<Link>,
    config: String,
}

impl Channel for Stage {
    type Account = Actor;
    const KEY: &'static str = "stage";

    fn describe(&self) -> DescribeChannelResponse {
        DescribeChannelResponse {
            label: "A stage".into(),
            ..DescribeChannelResponse::default()
        }
    }

    async fn open(&self, start: StartAccount, link: Arc<Link>) -> Result<Actor, Ended> {
        match &*start.config {
            "wrong" => return Err(for_good("the token is wrong")),
            "login" => {
                link.say(Said::Login(LoginWanted::default())).await;
                self.login.notified().await;
                link.save(&b"who it is"[..]).await.map_err(for_good)?;
            }
            _ => {}
        }
        Ok(Actor {
            stage: self.clone(),
            link,
            config: start.config,
        })
    }
}

impl Account for Actor {
    async fn run(&self) -> Ended {
        self.stage.speaks.notified().await;
        let heard = self.link.hear(Inbound::default()).await;
        self.stage.kept.store(heard == Heard::Kept, Ordering::SeqCst);
        self.stage.speaks.notified().await;
        for_good("the curtain falls")
    }

    async fn send(&self, part: SendPart) -> PartOutcome {
        self.stage.begun.fetch_add(1, Ordering::SeqCst);
        if self.config == "slow" {
            std::future::pending::<()>().await;
        }
        sent(part.text)
    }

    async fn fetch(&self, address: String) -> Result<Fetched, Status> {
        Ok(Fetched {
            mime_type: None,
            data: Box::pin(stream::iter([Ok(Bytes::from(address))])),
        })
    }

    async fn take(
        &self,
        head: MediaHead,
        data: BoxStream<'static, Result<Bytes, Status>>,
    ) -> Result<String, Status> {
        let bytes: Vec<Bytes> = data.try_collect().await?;
        Ok(format!("{} {}", head.name, bytes.concat().len()))
    }

    async fn close(&self) {
        self.stage.closed.store(true, Ordering::SeqCst);
    }
}

/// The plugin, while it runs.
struct Theatre {
    stage: Stage,
    address: SocketAddr,
    end: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<Result<(), transport::Error>>,
}

/// The bridge's side of a stream.
struct Bridge {
    asking: mpsc::Sender<RunAccountRequest>,
    answers: Streaming<RunAccountResponse>,
}

impl Theatre {
    async fn open() -> Self {
        let stage = Stage::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = Server::new(Place::Tcp(listener), Secret::new("token"));
        let (end, mut ended) = watch::channel(false);
        let channel = stage.clone();
        let serving = tokio::spawn(async move {
            let ended = async move {
                let _ = ended.wait_for(|ended| *ended).await;
            };
            run(server, Manifest::new("A stage", "1.0.0"), channel, ended).await
        });
        Self {
            stage,
            address,
            end,
            serving,
        }
    }

    fn client(&self) -> ChannelAdapterClient<transport::Channel> {
        let endpoint = transport::Endpoint::from_shared(format!("http://{}", self.address));
        ChannelAdapterClient::new(endpoint.expect("an address").connect_lazy())
    }

    async fn start(&self, config: &str) -> Bridge {
        let (asking, asked) = mpsc::channel(64);
        let bridge = asking.clone();
        let start = StartAccount {
            channel: "stage".into(),
            account_id: "default".into(),
            config: config.into(),
            ..StartAccount::default()
        };
        let start = RunAccountRequest {
            message: Some(Asked::Start(start)),
        };
        asking.send(start).await.expect("a queue");
        let answers = self.client().run_account(shown(ReceiverStream::new(asked))).await;
        Bridge {
            asking: bridge,
            answers: answers.expect("it is taken").into_inner(),
        }
    }

    async fn connected(&self, config: &str) -> Bridge {
        let mut bridge = self.start(config).await;
        let said = bridge.said().await;
        assert!(matches!(said, Some(Said::Connected(_))), "{said:?}");
        bridge
    }
}

/// A call of the gateway.
fn shown<T>(message: T) -> Request<T> {
    let digest = Sha256::digest("token");
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut request = Request::new(message);
    let value = format!("Bearer {hex}").parse().expect("metadata");
    request.metadata_mut().insert("authorization", value);
    request
}

impl Bridge {
    async fn ask(&self, message: Asked) {
        let message = Some(message);
        let asked = self.asking.send(RunAccountRequest { message }).await;
        asked.expect("the stream is open");
    }

    /// What the plugin says next. `None`: it has closed the stream.
    async fn said(&mut self) -> Option<Said> {
        let answer = timeout(DEADLINE, self.answers.message()).await.expect("in time");
        answer
            .expect("no error")
            .map(|said| said.message.expect("a message"))
    }
}
