//! What one delivered event costs the edge, beside a process that only writes the same bytes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use gatehouse_core::{Address, Secret, client::Peer};
use gatehouse_proto::{
    broadcast::v1::{Event, PublishRequest, Rendition, broadcast_service_client::BroadcastServiceClient},
    session::v1::{ChatEvent, chat_event::State},
};
use gatehouse_tests::{Gateway, process, until};
use memchr::memmem;
use prost::{Message, Name};
use serde_json::json;
use tokio::{
    io::AsyncRead,
    net::TcpStream,
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use crate::{listener, reference::Bare, report::Report};

/// What an event weighs as a frame, nearly all of it the text of a token.
const BYTES: usize = 300;

/// A load: so many events, each to so many clients.
#[derive(Clone, Copy, Debug)]
struct Load {
    clients: usize,
    events: u64,
    pause: Duration,
}

/// Human pace: 40,000 deliveries a second in all, a write for each client and event.
const PACED: &[Load] = &[
    Load {
        clients: 200,
        events: 100,
        pause: Duration::from_millis(5),
    },
    Load {
        clients: 2_000,
        events: 10,
        pause: Duration::from_millis(50),
    },
];
const FLAT_OUT: Load = Load {
    clients: 2_000,
    events: 2_000,
    pause: Duration::ZERO,
};

/// Half seconds of the paced load, for the gateway and the reference in turn. What a write costs hangs on where the scheduler
/// has put its reader and on the neighbours of a virtual machine, so that one long run after the other compares two moods.
const ROUNDS: u64 = 12;

pub(crate) async fn run(report: &mut Report) {
    for load in PACED {
        let (gateway, bare) = paced(*load).await;
        report.add(
            format!(
                "edge CPU per delivered {BYTES}-byte event, paced, {} clients",
                load.clients
            ),
            gateway,
            "us",
            Some(bare * 1.3),
            Some(bare),
        );
    }
    flat_out(report).await;
}

/// Microseconds of the edge and of the reference process per delivered event.
async fn paced(load: Load) -> (f64, f64) {
    let mut bare = Bare::start(load.clients, BYTES).await;
    let sockets = std::mem::take(&mut bare.sockets);
    let (of_bare, _readers) = count_if(sockets, |_| true);
    let writer = bare.process.id().expect("a running reference");

    let gateway = Gateway::start(&json!({})).await;
    let (of_gateway, _readers) = count_if(screens(&gateway, load.clients).await, is_chat);
    let edge = gateway.pid("edge").expect("an edge");
    let mut publisher = Publisher::new(&gateway);
    settled(edge).await;

    let (mut gateway_cpu, mut bare_cpu) = (Duration::ZERO, Duration::ZERO);
    for round in 1..=ROUNDS {
        let total = round * load.events * clients(load);
        let before = process::cpu(writer);
        bare.write(load.events, load.pause).await;
        wait_for(&of_bare, total).await;
        bare_cpu += process::cpu(writer) - before;

        let before = process::cpu(edge);
        let mut ticks = interval(load.pause);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        for _ in 0..load.events {
            ticks.tick().await;
            publisher.publish(1).await;
        }
        wait_for(&of_gateway, total).await;
        gateway_cpu += process::cpu(edge) - before;
    }
    (each(gateway_cpu, load), each(bare_cpu, load))
}

async fn screens(gateway: &Gateway, count: usize) -> Vec<TcpStream> {
    let mut sockets = Vec::with_capacity(count);
    for _ in 0..count {
        sockets.push(listener::connect(gateway).await);
    }
    sockets
}

async fn flat_out(report: &mut Report) {
    let mut bare = Bare::start(FLAT_OUT.clients, BYTES).await;
    let sockets = std::mem::take(&mut bare.sockets);
    let reference = rate(
        sockets,
        |_| true,
        async || {
            bare.write(FLAT_OUT.events, FLAT_OUT.pause).await;
        },
    )
    .await;
    drop(bare);

    let gateway = Gateway::start(&json!({})).await;
    let sockets = screens(&gateway, FLAT_OUT.clients).await;
    settled(gateway.pid("edge").expect("an edge")).await;
    let mut publisher = Publisher::new(&gateway);
    let rate = rate(sockets, is_chat, async || {
        for _ in 0..FLAT_OUT.events / 100 {
            publisher.publish(100).await;
        }
    })
    .await;
    report.add(
        "deliveries a second flat out, 2,000 clients; reference a write for each",
        rate,
        "1/s",
        None,
        Some(reference),
    );
}

/// How many of the flat-out load's deliveries arrive in a second, once `begin` has begun it.
async fn rate<S>(sockets: Vec<S>, counts: fn(&[u8]) -> bool, begin: impl AsyncFnOnce()) -> f64
where
    S: AsyncRead + Unpin + Send + 'static,
{
    let began = Instant::now();
    let (received, _readers) = count_if(sockets, counts);
    begin().await;
    let total = FLAT_OUT.events * clients(FLAT_OUT);
    wait_for(&received, total).await;
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = total as f64 / began.elapsed().as_secs_f64();
    rate
}

struct Publisher {
    broadcast: BroadcastServiceClient<gatehouse_core::client::PeerService>,
    sequence: u64,
}

impl Publisher {
    fn new(gateway: &Gateway) -> Self {
        let credential = std::fs::read_to_string(gateway.path("credential/session")).expect("the credential");
        let socket = Address::Unix(gateway.path("run/broadcast.sock"));
        let peer = Peer::lazy(&socket, &Secret::new(credential.trim()));
        Self {
            broadcast: BroadcastServiceClient::new(peer.service()),
            sequence: 0,
        }
    }

    async fn publish(&mut self, count: usize) {
        self.sequence += 1;
        let chat = ChatEvent {
            run_id: "bench".into(),
            session_key: "agent:main:main".into(),
            seq: i64::try_from(self.sequence).expect("a small number"),
            state: State::Delta.into(),
            delta_text: Some("x".repeat(160)),
            ..ChatEvent::default()
        };
        let event = Event {
            r#type: ChatEvent::full_name(),
            payload: chat.encode_to_vec().into(),
            rendition: Rendition::Increment.into(),
            ..Event::default()
        };
        let request = PublishRequest {
            publisher_id: "bench".into(),
            sequence: self.sequence,
            events: vec![event; count],
            lost: false,
        };
        self.broadcast.publish(request).await.expect("published");
    }
}

fn is_chat(payload: &[u8]) -> bool {
    memmem::find(payload, b"\"deltaText\":").is_some()
}

fn count_if<S: AsyncRead + Unpin + Send + 'static>(
    sockets: Vec<S>,
    counts: fn(&[u8]) -> bool,
) -> (Arc<AtomicU64>, JoinSet<()>) {
    let received = Arc::new(AtomicU64::new(0));
    let mut readers = JoinSet::new();
    for socket in sockets {
        let received = Arc::clone(&received);
        readers.spawn(listener::listen(socket, move |payload| {
            received.fetch_add(u64::from(counts(payload)), Ordering::Relaxed);
            true
        }));
    }
    (received, readers)
}

async fn wait_for(received: &AtomicU64, total: u64) {
    until("every delivery", async || {
        (received.load(Ordering::Relaxed) >= total).then_some(())
    })
    .await;
}

/// The processor time of a process once it has come to rest: presence of so many new connections is written to all of them.
async fn settled(pid: u32) -> Duration {
    let mut before = process::cpu(pid);
    until("a quiet edge", async || {
        sleep(Duration::from_secs(1)).await;
        let now = process::cpu(pid);
        let used = now - std::mem::replace(&mut before, now);
        (used < Duration::from_millis(20)).then_some(now)
    })
    .await
}

fn clients(load: Load) -> u64 {
    u64::try_from(load.clients).expect("a small number")
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn each(cpu: Duration, load: Load) -> f64 {
    cpu.as_secs_f64() * 1e6 / (ROUNDS * load.events * clients(load)) as f64
}
