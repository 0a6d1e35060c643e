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

/// Tokens of the answer that comes at the pace of a fast model, and the pace.
const PACED: u64 = 400;
const PACE: Duration = Duration::from_millis(10);
/// Tokens of the answer that comes as fast as the model can.
const BURST: u64 = 2_000;
/// Screens, and ten times as many.
const SCREENS: [usize; 2] = [20, 200];

pub(crate) async fn run(report: &mut Report) {
    let mut bare = Model::serve(Instant::now(), PACED, PACE).await.read().await;
    for screens in SCREENS {
        let (mut paced, _) = measure(screens, PACED, PACE).await;
        for (name, share, aim) in [("p50", 0.5, 1.5), ("p99", 0.99, 5.0)] {
            report.add(
                format!(
                    "token to {screens} screens, 100 tokens/s, {name}; reference one reader of the model"
                ),
                percentile(&mut paced, share),
                "ms",
                Some(aim),
                Some(percentile(&mut bare, share)),
            );
        }
    }
    for screens in SCREENS {
        let (mut burst, took) = measure(screens, BURST, Duration::ZERO).await;
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

/// The delays of every token on every screen, and how long the whole answer took.
async fn measure(screens: usize, tokens: u64, pause: Duration) -> (Vec<f64>, Duration) {
    let began = Instant::now();
    let model = Model::serve(began, tokens, pause).await;
    let house = House::start(&json!({
        "models": {"providers": {"bench": {"baseUrl": model.base, "apiKey": "k", "models": [{"id": "m", "name": "M"}]}}},
        "agents": {"defaults": {"model": {"primary": "bench/m"}}},
    }))
    .await;

    let delays = Arc::new(Mutex::new(Vec::new()));
    let mut listening: JoinSet<()> = JoinSet::new();
    for _ in 0..screens {
        let socket = listener::connect(&house).await;
        let delays = Arc::clone(&delays);
        listening.spawn(listener::listen(socket, move |payload| {
            note(payload, began, &delays)
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
    let delays = std::mem::take(&mut *delays.lock().expect("no panic"));
    (delays, took)
}

/// Notes the delay of every token in a frame. False at the end of the run.
fn note(payload: &[u8], began: Instant, delays: &Mutex<Vec<f64>>) -> bool {
    let now = began.elapsed();
    if memmem::find(payload, b"\"state\":\"final\"").is_some() {
        return false;
    }
    if let Some(sent) = listener::number_after(payload, b"\"deltaText\":\"t") {
        let delay = now.saturating_sub(Duration::from_micros(sent));
        delays.lock().expect("no panic").push(milliseconds(delay));
    }
    true
}
