//! A small RPC beside eight hostile sockets, and without them.
//!
//! Each of the eight sends as fast as it is let, reads what it is answered, and comes back when it is closed. They run in threads
//! of this process, on the same processors as the gateway: what they take for themselves counts too.

use std::{
    io::Write,
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use gatehouse_tests::Gateway;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::{
    listener::Caller,
    raw::{self, Door, GOES_ON, PING, PONG, TEXT, TEXT_BEGINS, frame},
    report::{Report, percentile},
    rpc::milliseconds,
};

/// Calls are measured for so long, with and without.
const ROUND: Duration = Duration::from_secs(6);

/// Before the hostile ones have used up what anybody may do at once.
const SETTLE: Duration = Duration::from_secs(1);

/// What the p99 may grow by.
const GROWTH_MAX: f64 = 3.0;

/// What one of them does: with a token or without, what it sends first, and what it repeats.
struct Kind {
    known: bool,
    first: Vec<u8>,
    again: Vec<u8>,
}

pub(crate) async fn run(report: &mut Report) {
    let gateway = Gateway::start(&json!({})).await;
    let mut caller = Caller::connect(&gateway).await;
    let door = Door {
        address: gateway.url().trim_start_matches("ws://").to_owned(),
        token: gateway.token().to_owned(),
    };
    measure(&mut caller).await; // warm
    let mut without = measure(&mut caller).await;

    let end = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = kinds()
        .into_iter()
        .map(|kind| {
            let (door, end) = (door.clone(), Arc::clone(&end));
            thread::spawn(move || attack(&door, &kind, &end))
        })
        .collect();
    sleep(SETTLE).await;
    let mut with = measure(&mut caller).await;
    end.store(true, Relaxed);

    for (share, name) in [(0.5, "p50"), (0.99, "p99")] {
        let reference = percentile(&mut without, share);
        report.add(
            format!("small RPC beside eight hostile sockets {name}; reference without them"),
            percentile(&mut with, share),
            "ms",
            (share > 0.5).then_some(reference * GROWTH_MAX),
            Some(reference),
        );
    }
    drop(gateway);
    for thread in threads {
        thread.join().expect("a hostile thread");
    }
}

fn kinds() -> Vec<Kind> {
    let kind = |known, first: &[u8], again: &[u8]| Kind {
        known,
        first: first.to_vec(),
        again: again.to_vec(),
    };
    let request = |params| {
        let request = json!({"id": "h", "method": "sessions.resolve", "params": params}).to_string();
        frame(TEXT, request.as_bytes())
    };
    let small = request(json!({"key": "main"}));
    let large = request(json!({"key": "main", "unknown": "x".repeat(1024 * 1024)}));
    vec![
        kind(false, b"", &frame(PING, b"")),
        kind(false, b"", &frame(PONG, b"")),
        kind(false, &frame(TEXT_BEGINS, b""), &frame(GOES_ON, b"")),
        kind(true, b"", &frame(PING, &[b'x'; 125])),
        kind(true, b"", &small),
        kind(true, b"", &small),
        kind(true, b"", &frame(TEXT, b"no json")),
        kind(true, b"", &large),
    ]
}

/// Comes, sends for as long as it is let, and comes again.
fn attack(door: &Door, kind: &Kind, end: &AtomicBool) {
    while !end.load(Relaxed) {
        let opened = if kind.known {
            door.enter(&["operator.read", "operator.write"])
        } else {
            door.open()
        };
        let Ok(socket) = opened else { continue };
        thread::scope(|scope| {
            scope.spawn(|| raw::drain(&socket));
            send(&socket, kind, end);
            if end.load(Relaxed) {
                let _ = socket.shutdown(std::net::Shutdown::Both);
            }
        });
    }
}

fn send(mut socket: &TcpStream, kind: &Kind, end: &AtomicBool) {
    let many = kind.again.repeat((16 * 1024 / kind.again.len()).max(1));
    let mut sent = socket.write_all(&kind.first);
    while sent.is_ok() && !end.load(Relaxed) {
        sent = socket.write_all(&many);
    }
}

/// How long calls take, one after the other.
async fn measure(caller: &mut Caller) -> Vec<f64> {
    let mut samples = Vec::new();
    let began = Instant::now();
    while began.elapsed() < ROUND {
        let took = caller.call("sessions.resolve", &json!({"key": "main"})).await;
        samples.push(milliseconds(took));
    }
    samples
}
