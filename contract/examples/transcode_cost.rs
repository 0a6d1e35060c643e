//! What a call costs in transcoding: `cargo run --release -p gatehouse-contract --example transcode_cost`.

use std::{hint::black_box, time::Duration};

use gatehouse_contract::{Map, Refuse};
use gatehouse_proto::session::v1 as session;
use prost::Message as _;

const ROWS: i64 = 100;

#[expect(
    clippy::disallowed_methods,
    reason = "no runtime here whose clock a test could pause"
)]
fn best_of_nine(mut work: impl FnMut(), repeats: u32) -> Duration {
    let mut round = || {
        let begin = std::time::Instant::now();
        (0..repeats).for_each(|_| work());
        begin.elapsed() / repeats
    };
    (0..9).map(|_| round()).min().unwrap_or_default()
}

fn row(number: i64) -> session::SessionRow {
    session::SessionRow {
        key: format!("agent:main:dashboard:{number}"),
        session_id: format!("01937b7e-0000-7000-8000-{number:012}"),
        agent_id: "main".to_owned(),
        kind: "direct".to_owned(),
        updated_at: 1_795_000_000_000 + number,
        created_at: 1_795_000_000_000,
        label: Some(format!("a label {number}")),
        last_message_preview: Some("the start of the newest message, \"quoted\"".to_owned()),
        status: Some("done".to_owned()),
        model: Some("some-model".to_owned()),
        model_provider: Some("some-provider".to_owned()),
        total_tokens: Some(123_456),
        lifecycle_revision: "1".to_owned(),
        ..Default::default()
    }
}

fn main() {
    let map = Map::core();
    let list = map.method("sessions.list").expect("a method of the gateway");
    let request =
        r#"{"limit":100,"offset":0,"includeDerivedTitles":true,"search":"something","agentId":"main"}"#;
    let reply = session::ListSessionsResponse {
        count: ROWS,
        defaults: Some(session::SessionDefaults::default()),
        sessions: (0..ROWS).map(row).collect(),
        ..Default::default()
    };
    let wire = reply.encode_to_vec();
    let mut json = Vec::new();
    list.response.render(&wire, &mut json).expect("rendered");
    let text = String::from_utf8(json).expect("text");
    let small = list.request.encode(request, &mut Refuse).expect("taken");

    let mut out = Vec::with_capacity(text.len());
    let cases: [(&str, Duration); 4] = [
        (
            "small request, JSON to wire",
            best_of_nine(
                || drop(black_box(list.request.encode(request, &mut Refuse))),
                1_000,
            ),
        ),
        (
            "small request, check",
            best_of_nine(|| drop(black_box(list.request.check(&small))), 1_000),
        ),
        (
            "100 rows, wire to JSON",
            best_of_nine(
                || {
                    out.clear();
                    drop(black_box(list.response.render(&wire, &mut out)));
                },
                20,
            ),
        ),
        (
            "100 rows, JSON to wire",
            best_of_nine(|| drop(black_box(list.response.encode(&text, &mut Refuse))), 20),
        ),
    ];
    println!(
        "request {} B, reply {} B on the wire, {} B as JSON",
        request.len(),
        wire.len(),
        text.len()
    );
    for (name, time) in cases {
        println!("{name:<28} {:>9.2} us", time.as_secs_f64() * 1e6);
    }
}
