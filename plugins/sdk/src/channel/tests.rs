//! An account over a real connection, driven as the bridge drives it.

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
    DescribeChannelRequest, DescribeChannelResponse, Ended, FetchMediaRequest, Inbound, InboundCommitted,
    LoginWanted, MediaHead, Probe, RunAccountRequest, RunAccountResponse, SendPart, StartAccount, StateSaved,
    StopAccount, TakeMediaRequest, channel_adapter_client::ChannelAdapterClient,
    run_account_request::Message as Asked, run_account_response::Message as Said,
};
use sha2::{Digest, Sha256};
use tokio::{
    net::TcpListener,
    sync::{Notify, mpsc, watch},
    time::timeout,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status, Streaming, transport};

use super::{Channel, for_good, run, run::TASKS_MAX};
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

fn part(id: u64, text: &str) -> Asked {
    Asked::Send(SendPart {
        id,
        text: text.into(),
        ..SendPart::default()
    })
}

async fn until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, waiting).await.expect("in time");
}

#[tokio::test]
async fn what_is_heard_waits_for_the_bridge_and_what_is_to_be_said_does_not() {
    let theatre = Theatre::open().await;
    let mut bridge = theatre.connected("").await;

    theatre.stage.speaks.notify_one();
    let Some(Said::Inbound(inbound)) = bridge.said().await else {
        panic!("nobody spoke");
    };
    bridge.ask(part(7, "hello")).await;
    let said = bridge.said().await;
    assert!(
        matches!(&said, Some(Said::Part(part)) if part.id == 7 && part.outcome == Some(sent("hello"))),
        "{said:?}"
    );
    assert!(!theatre.stage.kept.load(Ordering::SeqCst));
    let seq = inbound.seq;
    let duplicate = false;
    bridge
        .ask(Asked::Committed(InboundCommitted { seq, duplicate }))
        .await;

    until(|| theatre.stage.kept.load(Ordering::SeqCst)).await;
    theatre.stage.speaks.notify_one();
    let said = bridge.said().await;
    assert!(
        matches!(&said, Some(Said::Ended(ended)) if ended.for_good && ended.reason == "the curtain falls"),
        "{said:?}"
    );
    assert_eq!(bridge.said().await, None);
}

#[tokio::test]
async fn while_somebody_logs_in_the_bridge_knows_that_we_are_there_and_may_end_it() {
    let theatre = Theatre::open().await;
    let mut bridge = theatre.start("login").await;
    assert!(matches!(bridge.said().await, Some(Said::Login(_))));

    bridge.ask(Asked::Probe(Probe {})).await;
    assert!(matches!(bridge.said().await, Some(Said::Heard(_))));
    theatre.stage.login.notify_one();
    let Some(Said::Save(save)) = bridge.said().await else {
        panic!("nothing is remembered");
    };
    let saved = StateSaved {
        seq: save.seq,
        error: None,
    };
    bridge.ask(Asked::Saved(saved)).await;
    assert!(matches!(bridge.said().await, Some(Said::Connected(_))));

    let mut another = theatre.start("login").await;
    assert!(matches!(another.said().await, Some(Said::Login(_))));
    another.ask(Asked::Stop(StopAccount {})).await;
    assert_eq!(another.said().await, None);
}

#[tokio::test]
async fn an_account_that_cannot_run_says_why() {
    let theatre = Theatre::open().await;

    let said = theatre.start("wrong").await.said().await;

    assert!(
        matches!(&said, Some(Said::Ended(ended)) if ended.for_good && ended.reason == "the token is wrong"),
        "{said:?}"
    );
}

#[tokio::test]
async fn what_is_too_much_at_the_same_time_is_not_begun() {
    let theatre = Theatre::open().await;
    let mut bridge = theatre.connected("slow").await;

    for id in 0..=TASKS_MAX as u64 {
        bridge.ask(part(id, "")).await;
    }

    let Some(Said::Part(answered)) = bridge.said().await else {
        panic!("it was taken");
    };
    assert_eq!(answered.id, TASKS_MAX as u64);
    let outcome = answered.outcome.expect("an outcome");
    assert!(
        matches!(&outcome, PartOutcome::ChatBusy(busy) if busy.after_ms == 1_000),
        "{outcome:?}"
    );
    until(|| theatre.stage.begun.load(Ordering::SeqCst) == TASKS_MAX).await;
}

#[tokio::test]
async fn when_the_process_ends_its_accounts_do_and_nothing_hangs() {
    let theatre = Theatre::open().await;
    let mut bridge = theatre.connected("").await;

    theatre.end.send_replace(true);

    let said = bridge.said().await;
    assert!(
        matches!(&said, Some(Said::Ended(ended)) if !ended.for_good),
        "{said:?}"
    );
    assert_eq!(bridge.said().await, None);
    assert!(theatre.stage.closed.load(Ordering::SeqCst));
    let served = timeout(DEADLINE, theatre.serving).await.expect("in time");
    served.expect("no panic").expect("it has served");
}

#[tokio::test]
async fn files_go_both_ways_while_the_account_is_connected() {
    let theatre = Theatre::open().await;
    let fetch = |account_id: &str| FetchMediaRequest {
        channel: "stage".into(),
        account_id: account_id.into(),
        address: "what is in it".into(),
    };
    let _bridge = theatre.connected("").await;

    let fetched = theatre.client().fetch_media(shown(fetch("default"))).await;
    let pieces: Vec<_> = fetched
        .expect("fetched")
        .into_inner()
        .try_collect()
        .await
        .expect("whole");
    let bytes: Vec<u8> = pieces.iter().flat_map(|piece| piece.data.to_vec()).collect();
    assert_eq!(bytes, b"what is in it");
    let away = theatre.client().fetch_media(shown(fetch("another"))).await;
    assert_eq!(away.expect_err("away").code(), Code::Unavailable);

    let head = MediaHead {
        channel: "stage".into(),
        account_id: "default".into(),
        name: "tea.txt".into(),
        size_bytes: 3,
        ..MediaHead::default()
    };
    let pieces = [Some(head), None].map(|head| TakeMediaRequest {
        data: Bytes::from_static(if head.is_some() { b"t" } else { b"ea" }),
        head,
    });
    let taken = theatre.client().take_media(shown(stream::iter(pieces))).await;
    assert_eq!(taken.expect("taken").into_inner().handle, "tea.txt 3");
}

#[tokio::test]
async fn a_channel_of_another_name_and_a_stranger_are_told_so() {
    let theatre = Theatre::open().await;
    let ask = |channel: &str| DescribeChannelRequest {
        channel: channel.into(),
        gateway_version: String::new(),
    };

    let described = theatre.client().describe_channel(shown(ask("stage"))).await;
    assert_eq!(described.expect("described").into_inner().label, "A stage");
    let another = theatre.client().describe_channel(shown(ask("lines"))).await;
    assert_eq!(another.expect_err("refused").code(), Code::NotFound);
    let stranger = theatre.client().describe_channel(ask("stage")).await;
    assert_eq!(stranger.expect_err("refused").code(), Code::Unauthenticated);
}
