//! Calls through the edge and a service, beside a bare gRPC ping of the same service.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use gatehouse_core::{Address, Secret, client::Peer};
use gatehouse_proto::session::v1::{ResolveSessionRequest, session_service_client::SessionServiceClient};
use gatehouse_tests::{Client, House};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    listener::Caller,
    report::{Report, percentile},
};

const WARM: usize = 200;
const CALLS: usize = 3_000;
/// Clients at once, and ten times as many.
const CLIENTS: [usize; 2] = [64, 640];
/// Calls of all clients together.
const SHARED_CALLS: usize = 19_200;
const ROWS: usize = 100;

pub(crate) async fn run(report: &mut Report) {
    let house = House::start(&json!({})).await;
    let client = Client::plain(&house, &["operator.read", "operator.write"]).await;

    let mut caller = Caller::connect(&house).await;

    let mut ping = grpc_ping(&house).await;
    let mut small = time(&mut caller, "sessions.resolve", &json!({"key": "main"})).await;
    report.add(
        "small RPC p50, reference gRPC without the edge",
        percentile(&mut small, 0.5),
        "ms",
        Some(0.6),
        Some(percentile(&mut ping, 0.5)),
    );
    report.add(
        "small RPC p99",
        percentile(&mut small, 0.99),
        "ms",
        Some(1.5),
        Some(percentile(&mut ping, 0.99)),
    );

    for row in 0..ROWS {
        client
            .call("sessions.create", json!({"key": format!("agent:main:row-{row}")}))
            .await
            .expect("created");
    }
    let mut list = time(&mut caller, "sessions.list", &json!({"limit": ROWS})).await;
    report.add(
        "sessions.list of 100 rows p50",
        percentile(&mut list, 0.5),
        "ms",
        Some(1.0),
        None,
    );

    for clients in CLIENTS {
        let mut callers = join_all((0..clients).map(|_| Caller::connect(&house))).await;
        let began = Instant::now();
        join_all(callers.iter_mut().map(async |caller| {
            for _ in 0..SHARED_CALLS / clients {
                caller.call("sessions.resolve", &json!({"key": "main"})).await;
            }
        }))
        .await;
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let rate = (SHARED_CALLS / clients * clients) as f64 / began.elapsed().as_secs_f64();
        report.add(
            format!("small RPCs a second, {clients} clients in one process"),
            rate,
            "1/s",
            None,
            None,
        );
    }
}

async fn time(caller: &mut Caller, method: &str, params: &Value) -> Vec<f64> {
    let mut samples = Vec::with_capacity(CALLS);
    for call in 0..WARM + CALLS {
        let took = caller.call(method, params).await;
        if call >= WARM {
            samples.push(milliseconds(took));
        }
    }
    samples
}

async fn grpc_ping(house: &House) -> Vec<f64> {
    let credential = std::fs::read_to_string(house.path("credential/service")).expect("the credential");
    let socket = Address::Unix(house.path("run/session.sock"));
    let peer = Arc::new(Peer::lazy(&socket, &Secret::new(credential.trim())));
    let mut session = SessionServiceClient::new(peer.service());
    let mut samples = Vec::with_capacity(CALLS);
    for call in 0..WARM + CALLS {
        let began = Instant::now();
        session
            .resolve_session(ResolveSessionRequest {
                key: "main".into(),
                agent_id: None,
            })
            .await
            .expect("resolved");
        if call >= WARM {
            samples.push(milliseconds(began.elapsed()));
        }
    }
    samples
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
