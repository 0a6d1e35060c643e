//! From the model's socket to the screens: how long a token takes, one at a time and as fast as the model can.

use std::time::Duration;

use gatehouse_tests::{Client, DEADLINE, Gateway};
use serde_json::json;
use tokio::time::timeout;
use uuid::Uuid;

use crate::{
    listener::Hello,
    model::Model,
    report::{Report, percentile},
    screens::{Screens, Shown, Watched},
};

/// Rounds of the paced answer, each beside its reference.
const ROUNDS: usize = 3;
/// Tokens of the answer that comes at the pace of a fast model, and the pace.
const PACED: u64 = 400;
const PACE: Duration = Duration::from_millis(10);
/// Tokens of the answer that comes as fast as the model can.
const BURST: u64 = 2_000;
/// Screens that are sent the whole text, the tokens of 20 KB, their pace, and how many of them are 2 KB.
const WHOLE_SCREENS: usize = 20;
const WHOLE: u64 = 1_140;
const WHOLE_PACE: Duration = Duration::from_millis(5);
const SHORT: usize = 114;
/// Screens, and ten times as many.
const SCREENS: [usize; 2] = [20, 200];

pub(crate) async fn run(report: &mut Report) {
    for screens in SCREENS {
        let (mut bare, mut paced, mut first) = (Spread::default(), Spread::default(), Vec::new());
        for _ in 0..ROUNDS {
            bare.add(Model::serve(PACED, PACE).await.read().await);
            let (first_words, rest) = apart(measure(screens, PACED, PACE, Hello::Plain).await.shown);
            first.push(first_words);
            paced.add(rest);
        }
        report.add(
            format!("first token to {screens} screens: that it will be seen is on the disk before"),
            median(first),
            "ms",
            None,
            None,
        );
        for (share, aim, paced, bare) in [
            ("p50; reference a reader of the model", 1.5, paced.p50, bare.p50),
            ("p99; the same", 5.0, paced.p99, bare.p99),
        ] {
            report.add(
                format!("token to {screens} screens, 100 tokens/s, {share}"),
                median(paced),
                "ms",
                Some(aim),
                Some(median(bare)),
            );
        }
    }
    whole_texts(report).await;
    for screens in SCREENS {
        let Watched { shown, took, .. } = measure(screens, BURST, Duration::ZERO, Hello::Plain).await;
        let mut burst: Vec<f64> = shown.into_iter().map(|shown| shown.delay).collect();
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

/// Screens that say nothing of what they can draw, and are sent the whole text: how long the first 2 KB take, token by token,
/// and what 20 KB cost in bytes.
async fn whole_texts(report: &mut Report) {
    let (mut p50, mut bytes) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let watched = measure(WHOLE_SCREENS, WHOLE, WHOLE_PACE, Hello::V4).await;
        bytes.push(per_screen(watched.bytes));
        let mut sent: Vec<u64> = watched.shown.iter().map(|shown| shown.sent).collect();
        sent.sort_unstable();
        sent.dedup();
        let limit = sent.get(SHORT).copied().unwrap_or(u64::MAX);
        let (_, rest) = apart(
            watched
                .shown
                .into_iter()
                .filter(|shown| shown.sent <= limit)
                .collect(),
        );
        p50.push(percentile(&mut { rest }, 0.5));
    }
    report.add(
        format!("token to {WHOLE_SCREENS} plain v4 screens, the first 2 KB at 200 tokens/s, p50"),
        median(p50),
        "ms",
        Some(2.0),
        None,
    );
    report.add(
        "bytes to a plain v4 screen for 20 KB, 200 tokens/s",
        median(bytes),
        "MB",
        None,
        None,
    );
    let flat = measure(WHOLE_SCREENS, WHOLE, Duration::ZERO, Hello::V4).await;
    report.add("the same flat out", per_screen(flat.bytes), "MB", None, None);
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn per_screen(bytes: usize) -> f64 {
    bytes as f64 / 1e6 / WHOLE_SCREENS as f64
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

fn median(mut values: Vec<f64>) -> f64 {
    percentile(&mut values, 0.5)
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
async fn measure(screens: usize, tokens: u64, pause: Duration, dialect: Hello) -> Watched {
    let model = Model::serve(tokens, pause).await;
    let gateway = Gateway::start(&json!({
        "models": {"providers": {"bench": {"baseUrl": model.base, "apiKey": "k", "models": [{"id": "m", "name": "M"}]}}},
        "agents": {"defaults": {"model": {"primary": "bench/m"}}},
    }))
    .await;
    let screens = Screens::open(&gateway, screens, dialect).await;
    let client = Client::plain(&gateway, &["operator.read", "operator.write"]).await;
    let message =
        json!({"sessionKey": "main", "message": "go", "idempotencyKey": Uuid::new_v4().to_string()});
    let (answer, watched) = tokio::join!(
        client.call("chat.send", message),
        timeout(DEADLINE, screens.watch())
    );
    answer.expect("taken");
    watched.expect("the end on every screen")
}
