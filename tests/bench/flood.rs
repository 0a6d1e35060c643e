//! What the edge weighs while it is flooded, and ten seconds later.
//!
//! Each flood makes the edge hold something: control frames and answers that are not read, messages that do not end. The most that
//! it weighs in any of them must fit beside the other services on a small machine, and must come back. Who makes the answers that are
//! not read is weighed too.

use std::{
    io::Write,
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use gatehouse_tests::{Client, Gateway, process::pss_kib};
use serde_json::json;
use tokio::{task::spawn_blocking, time::sleep};

use crate::{
    raw::{Door, PING, TEXT, frame, head},
    report::Report,
};

const MIB: usize = 1024 * 1024;

/// What the edge may weigh at most, MiB.
const UNDER_MAX: f64 = 128.0;

/// What the session service may weigh at most, MiB: the compose file gives it 256.
const SESSION_MAX: f64 = 192.0;

/// What may be left of it, MiB beside what it weighed before.
const LEFT_MAX: f64 = 8.0;

/// How soon it must be given back.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often the edge is weighed while it is flooded.
const LOOK: Duration = Duration::from_millis(20);

/// Sockets of each flood.
const PINGING: usize = 8;
const HOLDING: usize = 20;
const UNKNOWN: usize = 3_500;
const UNREAD: usize = 20;

/// Messages of 1 MiB in the transcript that is asked for: a page of 8 MiB.
const LARGE_ROWS: usize = 9;

type Flood = fn(&Door) -> Vec<TcpStream>;

pub(crate) async fn run(report: &mut Report) {
    let gateway = Gateway::start(&json!({})).await;
    let door = Door {
        address: gateway.url().trim_start_matches("ws://").to_owned(),
        token: gateway.token().to_owned(),
    };
    write_transcript(&gateway).await;
    sleep(PATIENCE).await;
    let edge = gateway.pid("edge").expect("the edge");
    let session = gateway.pid("session").expect("the session service");
    let before_session = pss_kib(session);
    let mut weightiest_session = 0;
    let all = || gateway.pids().iter().map(|pid| pss_kib(*pid)).sum::<u64>();
    let (before, all_before) = (pss_kib(edge), all());

    let floods: [(&str, Flood); 5] = [
        ("PINGs and no reading", pings),
        ("20 messages of 25 MiB that do not end", held),
        ("20 sockets that send messages of 24 MiB", whole),
        ("3,500 first messages that do not end", unfinished),
        ("20 large answers that nobody reads", unread),
    ];
    for (name, flood) in floods {
        let [most, most_session] = weigh_during([edge, session], &door, flood).await;
        report.add(
            format!("memory of the edge under {name}"),
            mib(most),
            "MiB",
            Some(UNDER_MAX),
            Some(mib(before)),
        );
        weightiest_session = weightiest_session.max(most_session);
    }
    report.add(
        "memory of the session service under all of them; reference before them",
        mib(weightiest_session),
        "MiB",
        Some(SESSION_MAX),
        Some(mib(before_session)),
    );
    sleep(PATIENCE).await;
    for (name, after, before) in [
        ("memory of the edge", pss_kib(edge), before),
        ("memory of all processes", all(), all_before),
    ] {
        report.add(
            format!("{name} 10 s after the floods; reference before them"),
            mib(after),
            "MiB",
            Some(mib(before) + LEFT_MAX),
            Some(mib(before)),
        );
    }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}

async fn write_transcript(gateway: &Gateway) {
    let client = Client::plain(gateway, &["operator.admin"]).await;
    for _ in 0..LARGE_ROWS {
        let row = json!({"sessionKey": "main", "message": "x".repeat(MIB - 1024)});
        client.call("chat.inject", row).await.expect("written");
    }
}

/// The most that each process weighs during a flood, and for a moment after.
async fn weigh_during<const N: usize>(pids: [u32; N], door: &Door, flood: Flood) -> [u64; N] {
    let most = Arc::new(pids.map(|_| AtomicU64::new(0)));
    let end = Arc::new(AtomicBool::new(false));
    let scales = thread::spawn({
        let (most, end) = (Arc::clone(&most), Arc::clone(&end));
        move || {
            while !end.load(Relaxed) {
                for (pid, most) in pids.iter().zip(most.iter()) {
                    most.fetch_max(pss_kib(*pid), Relaxed);
                }
                thread::park_timeout(LOOK);
            }
        }
    });
    let door = door.clone();
    let sockets = spawn_blocking(move || flood(&door)).await.expect("a flood");
    sleep(Duration::from_millis(500)).await;
    end.store(true, Relaxed);
    scales.join().expect("the scales");
    drop(sockets);
    most.each_ref().map(|most| most.load(Relaxed))
}

fn pings(door: &Door) -> Vec<TcpStream> {
    let many = frame(PING, b"").repeat(10_000);
    let socket = |n: usize| {
        let mut socket = if n.is_multiple_of(2) {
            door.open()?
        } else {
            door.enter(&[])?
        };
        socket.set_write_timeout(Some(Duration::from_millis(500)))?;
        for _ in 0..200 {
            if socket.write_all(&many).is_err() {
                break; // closed, or not read from
            }
        }
        Ok::<_, std::io::Error>(socket)
    };
    (0..PINGING).flat_map(socket).collect()
}

fn held(door: &Door) -> Vec<TcpStream> {
    let piece = vec![b'x'; MIB];
    let socket = |_| {
        let mut socket = door.enter(&["operator.write"])?;
        socket.write_all(&head(TEXT, 25 * MIB))?;
        for n in 0..25 {
            let piece = piece.get(usize::from(n == 24)..).unwrap_or_default();
            if socket.write_all(piece).is_err() {
                break; // refused
            }
        }
        Ok::<_, std::io::Error>(socket)
    };
    (0..HOLDING).flat_map(socket).collect()
}

/// Every other one is refused for its bounds, the rest are well-formed but for a field that nobody knows.
fn whole(door: &Door) -> Vec<TcpStream> {
    let large = |key: &str| {
        let params = json!({"sessionKey": "main", "message": "hello", key: "x".repeat(24 * MIB)});
        let request = json!({"id": "h", "method": "chat.send", "params": params});
        Arc::new(frame(TEXT, request.to_string().as_bytes()))
    };
    let messages = [large("message"), large("nobodyKnows"), large("idempotencyKey")];
    let senders = (0..HOLDING).map(|n| {
        let (door, message) = (door.clone(), Arc::clone(&messages[n % messages.len()]));
        thread::spawn(move || {
            let mut last = None;
            for _ in 0..3 {
                let Ok(mut socket) = door.enter(&["operator.write"]) else {
                    continue;
                };
                let _ = socket
                    .write_all(&message)
                    .and_then(|()| socket.write_all(&message));
                last = Some(socket);
            }
            last
        })
    });
    let senders: Vec<_> = senders.collect();
    let sockets = senders.into_iter().filter_map(|sender| sender.join().ok()?);
    sockets.collect()
}

fn unfinished(door: &Door) -> Vec<TcpStream> {
    let bytes = [head(TEXT, 64 * 1024), vec![b' '; 64 * 1024 - 1]].concat();
    let socket = |_| {
        let mut socket = door.open()?;
        let _ = socket.write_all(&bytes);
        Ok::<_, std::io::Error>(socket)
    };
    (0..UNKNOWN).flat_map(socket).collect()
}

fn unread(door: &Door) -> Vec<TcpStream> {
    let request =
        json!({"id": "h", "method": "chat.history", "params": {"sessionKey": "main", "limit": 1000}});
    let many = frame(TEXT, request.to_string().as_bytes()).repeat(10);
    let socket = |_| {
        let mut socket = door.enter(&["operator.read"])?;
        socket.write_all(&many)?;
        Ok::<_, std::io::Error>(socket)
    };
    let sockets = (0..UNREAD).flat_map(socket).collect();
    thread::park_timeout(Duration::from_secs(4)); // the answers come one after the other
    sockets
}
