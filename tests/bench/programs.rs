//! Programs by OpenAI's API: how long the first and each later token take from the model's socket to the program, beside programs that
//! read the model's socket themselves, as many at the same time.

use std::time::Duration;

use futures::{StreamExt, future::join_all};
use gatehouse_tests::{Gateway, http};
use memchr::memmem;
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::{
    listener::number_after,
    model::Model,
    report::{Report, percentile},
    rpc::milliseconds,
    screens::now,
};

/// Streams at once, their tokens, the pause between two, and what the design aims at for the 99th percentile. A thousand streams write as
/// many tokens a second as a hundred: what is compared is their number.
const LOADS: [Load; 3] = [
    Load {
        streams: 1,
        tokens: 200,
        pause: Duration::from_millis(10),
        p99_aim: Some(3.0),
    },
    Load {
        streams: 100,
        tokens: 100,
        pause: Duration::from_millis(100),
        p99_aim: Some(3.0),
    },
    Load {
        streams: 1_000,
        tokens: 15,
        pause: Duration::from_secs(1),
        p99_aim: None,
    },
];
/// Streams begin so far apart, so that what is measured is not a thousand turns that begin in one moment.
const APART: Duration = Duration::from_millis(3);
/// For the whole of an answer.
const PATIENCE: Duration = Duration::from_secs(120);
/// Before each token.
const MARK: &[u8] = b"\"content\":\"t";

#[derive(Clone, Copy, Debug)]
struct Load {
    streams: usize,
    tokens: u64,
    pause: Duration,
    p99_aim: Option<f64>,
}

/// What one program read.
#[derive(Debug, Default)]
struct Read {
    /// From the request to the first token.
    first: f64,
    /// How old each later token was when it was read.
    delays: Vec<f64>,
    whole: bool,
}

/// What all of them read.
#[derive(Debug, Default)]
struct Seen {
    first: Vec<f64>,
    delays: Vec<f64>,
    whole: usize,
}

pub(crate) async fn run(report: &mut Report) {
    for load in LOADS {
        let model = Model::serve(load.tokens, load.pause).await;
        let gateway = Gateway::start(&json!({
            "models": {"providers": {"bench": {"baseUrl": model.base, "apiKey": "k", "models": [{"id": "m", "name": "M"}]}}},
            "agents": {"defaults": {"model": {"primary": "bench/m"}, "maxConcurrent": 1000}},
            "gateway": {"http": {"endpoints": {"chatCompletions": {"enabled": true}}}},
        }))
        .await;
        let bare = read_all(load, &model.base, "k").await;
        let through = read_all(load, &format!("{}/v1", gateway.http()), gateway.token()).await;
        tell(report, load, through, bare);
    }
}

fn tell(report: &mut Report, load: Load, mut through: Seen, mut bare: Seen) {
    let streams = load.streams;
    let name = |figure: &str| format!("{figure} over /v1/chat/completions, streams at once: {streams}");
    for (share, aim) in [(0.5, None), (0.99, load.p99_aim)] {
        report.add(
            format!(
                "{}, p{:.0}; reference the model's own socket",
                name("token"),
                share * 100.0
            ),
            percentile(&mut through.delays, share),
            "ms",
            aim,
            Some(percentile(&mut bare.delays, share)),
        );
    }
    // The model pauses before its first token, for whoever asks.
    report.add(
        format!("{}, p50; the same", name("first token")),
        percentile(&mut through.first, 0.5),
        "ms",
        None,
        Some(percentile(&mut bare.first, 0.5)),
    );
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let share = |seen: &Seen| seen.whole as f64 * 100.0 / streams as f64;
    report.add(
        format!("{}; the same", name("answers that came whole")),
        share(&through),
        "%",
        None,
        Some(share(&bare)),
    );
}

async fn read_all(load: Load, base: &str, key: &str) -> Seen {
    let began = Instant::now();
    let each = (0..load.streams).map(async |n| {
        let turn = APART * u32::try_from(n).expect("a small number");
        tokio::time::sleep_until(began + turn).await;
        timeout(PATIENCE, read(load, base, key)).await.unwrap_or_default()
    });
    let mut seen = Seen::default();
    for read in join_all(each).await {
        seen.whole += usize::from(read.whole);
        if read.whole {
            seen.first.push(read.first);
            seen.delays.extend(read.delays);
        }
    }
    seen
}

#[expect(clippy::panic, reason = "a bench fails by panicking")]
async fn read(load: Load, base: &str, key: &str) -> Read {
    let asked = json!({"model": "openclaw", "stream": true, "messages": [{"role": "user", "content": "go"}]});
    let request = http::client()
        .post(format!("{base}/chat/completions"))
        .bearer_auth(key)
        .header("content-type", "application/json")
        .body(asked.to_string());
    let began = Instant::now();
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    if !status.is_success() {
        panic!("{status}: {}", answer.text().await.unwrap_or_default());
    }
    let mut chunks = answer.bytes_stream();
    let (mut read, mut tokens, mut tail) = (Read::default(), 0, Vec::new());
    while let Some(Ok(chunk)) = chunks.next().await {
        let now = now();
        // A chunk may end within a token.
        tail.extend_from_slice(&chunk);
        let end = memmem::rfind(&tail, b"\n\n").map_or(0, |at| at + 2);
        let events: Vec<u8> = tail.drain(..end).collect();
        for at in memmem::find_iter(&events, MARK) {
            let sent = events.get(at..).and_then(|rest| number_after(rest, MARK));
            let Some(sent) = sent else { continue };
            tokens += 1;
            if tokens == 1 {
                read.first = milliseconds(began.elapsed());
            } else {
                let delay = now.saturating_sub(Duration::from_micros(sent));
                read.delays.push(milliseconds(delay));
            }
        }
    }
    read.whole = tokens == load.tokens;
    read
}
