//! From the model's socket to the screens: how long a token takes, one at a time and as fast as the model can.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use gatehouse_tests::{Client, DEADLINE, House};
use memchr::memmem;
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};
use uuid::Uuid;

use crate::{
    listener,
    model::Model,
    report::{Report, percentile},
    rpc::milliseconds,
};

/// Rounds of the paced answer, each beside its reference.
const ROUNDS: usize = 3;
/// Tokens of the answer that comes at the pace of a fast model, and the pace.
const PACED: u64 = 400;
const PACE: Duration = Duration::from_millis(10);
/// Tokens of the answer that comes as fast as the model can.
const BURST: u64 = 2_000;
/// Screens, and ten times as many.
const SCREENS: [usize; 2] = [20, 200];

pub(crate) async fn run(report: &mut Report) {
    for screens in SCREENS {
        let (mut bare, mut paced, mut first) = (Spread::default(), Spread::default(), Vec::new());
        for _ in 0..ROUNDS {
            bare.add(Model::serve(Instant::now(), PACED, PACE).await.read().await);
            let (first_words, rest) = apart(measure(screens, PACED, PACE).await.0);
            first.push(first_words);
            paced.add(rest);
        }
        report.add(
            format!("first token to {screens} screens: that it will be seen is on the disk before"),
            percentile(&mut first, 0.5),
            "ms",
            None,
            None,
        );
        report.add(
            format!("token to {screens} screens, 100 tokens/s, p50; reference a reader of the model"),
            percentile(&mut paced.p50, 0.5),
            "ms",
            Some(1.5),
            Some(percentile(&mut bare.p50, 0.5)),
        );
        report.add(
            format!("token to {screens} screens, 100 tokens/s, p99; the same"),
            percentile(&mut paced.p99, 0.5),
            "ms",
            Some(5.0),
            Some(percentile(&mut bare.p99, 0.5)),
        );
    }
    for screens in SCREENS {
        let (burst, took) = measure(screens, BURST, Duration::ZERO).await;
        let mut burst: Vec<f64> = burst.into_iter().map(|shown| shown.delay).collect();
        report.add(
            format!("{BURST} tokens flat out to {screens} screens, p99"),
            percentile(&mut burst, 0.99),
            "ms",
            Some(50.0),
            None,
        );
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let rate = (usize::try_from(BURST).expect("a small number") * screens) as f64 / took.as_secs_f64();
        report.add(
            format!("tokens shown a second on {screens} screens, merged ones count as many"),
            rate,
            "1/s",
            None,
            None,
        );
    }
}

/// A token on one screen.
#[derive(Clone, Copy, Debug)]
struct Shown {
    /// When the model wrote it, microseconds since the beginning.
    sent: u64,
    /// How long it took, milliseconds.
    delay: f64,
}

/// The longest delay of the first token, and the delays of those that came when it was through: a tenth of a second later.
fn apart(shown: Vec<Shown>) -> (f64, Vec<f64>) {
    let first = shown.iter().map(|shown| shown.sent).min().unwrap_or_default();
    let delays = |fits: fn(u64, u64) -> bool| -> Vec<f64> {
        let fitting = shown.iter().filter(|shown| fits(shown.sent, first));
        fitting.map(|shown| shown.delay).collect()
    };
    let first_words = percentile(&mut delays(|sent, first| sent == first), 1.0);
    (first_words, delays(|sent, first| sent > first + 100_000))
}

/// What several rounds showed, because one may fall into a busy moment of the machine: the median of them is told.
#[derive(Debug, Default)]
struct Spread {
    p50: Vec<f64>,
    p99: Vec<f64>,
}

impl Spread {
    fn add(&mut self, mut delays: Vec<f64>) {
        self.p50.push(percentile(&mut delays, 0.5));
        self.p99.push(percentile(&mut delays, 0.99));
    }
}

/// Every token on every screen, and how long the whole answer took.
async fn measure(screens: usize, tokens: u64, pause: Duration) -> (Vec<Shown>, Duration) {
    let began = Instant::now();
    let model = Model::serve(began, tokens, pause).await;
    let house = House::start(&json!({
        "models": {"providers": {"bench": {"baseUrl": model.base, "apiKey": "k", "models": [{"id": "m", "name": "M"}]}}},
        "agents": {"defaults": {"model": {"primary": "bench/m"}}},
    }))
    .await;

    let shown = Arc::new(Mutex::new(Vec::new()));
    let mut listening: JoinSet<()> = JoinSet::new();
    for _ in 0..screens {
        let socket = listener::connect(&house).await;
        let shown = Arc::clone(&shown);
        listening.spawn(listener::listen(socket, move |payload| {
            note(payload, began, &shown)
        }));
    }
    let client = Client::plain(&house, &["operator.read", "operator.write"]).await;
    let asked = Instant::now();
    let message =
        json!({"sessionKey": "main", "message": "go", "idempotencyKey": Uuid::new_v4().to_string()});
    client.call("chat.send", message).await.expect("taken");
    timeout(DEADLINE, listening.join_all())
        .await
        .expect("the end on every screen");
    let took = asked.elapsed();
    let shown = std::mem::take(&mut *shown.lock().expect("no panic"));
    (shown, took)
}

/// Notes the token of a frame. False at the end of the run.
fn note(payload: &[u8], began: Instant, shown: &Mutex<Vec<Shown>>) -> bool {
    let now = began.elapsed();
    if memmem::find(payload, b"\"state\":\"final\"").is_some() {
        return false;
    }
    if let Some(sent) = listener::number_after(payload, b"\"deltaText\":\"t") {
        let delay = milliseconds(now.saturating_sub(Duration::from_micros(sent)));
        shown.lock().expect("no panic").push(Shown { sent, delay });
    }
    true
}
