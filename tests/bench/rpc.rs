//! Calls through the edge and a service, beside a bare gRPC ping of the same service.

use std::time::Duration;

use futures::future::join_all;
use gatehouse_core::{
    Address, Secret,
    client::{Peer, PeerService},
};
use gatehouse_proto::session::v1::{
    ListSessionsRequest, ResolveSessionRequest, session_service_client::SessionServiceClient,
};
use gatehouse_tests::{Client, Gateway};
use serde_json::json;
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
    let gateway = Gateway::start(&json!({})).await;
    let client = Client::plain(&gateway, &["operator.read", "operator.write"]).await;

    let mut caller = Caller::connect(&gateway).await;

    let mut direct = Direct::new(&gateway);

    let mut ping = time(async || direct.ping().await).await;
    let mut small = time(async || caller.call("sessions.resolve", &json!({"key": "main"})).await).await;
    report.add(
        "small RPC p50; reference gRPC without the edge",
        percentile(&mut small, 0.5),
        "ms",
        Some(0.6),
        Some(percentile(&mut ping, 0.5)),
    );
    report.add(
        "small RPC p99; the same",
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
    let mut rows = time(async || direct.list().await).await;
    let mut list = time(async || caller.call("sessions.list", &json!({"limit": ROWS})).await).await;
    report.add(
        "sessions.list of 100 rows p50; the same",
        percentile(&mut list, 0.5),
        "ms",
        Some(1.0),
        Some(percentile(&mut rows, 0.5)),
    );

    for clients in CLIENTS {
        let mut callers = join_all((0..clients).map(|_| Caller::connect(&gateway))).await;
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

/// The same calls over bare gRPC, with the types that the proto makes: what a service costs without the edge.
struct Direct(SessionServiceClient<PeerService>);

impl Direct {
    fn new(gateway: &Gateway) -> Self {
        let credential =
            std::fs::read_to_string(gateway.path("credential/operator")).expect("the credential");
        let socket = Address::Unix(gateway.path("run/session.sock"));
        let peer = Peer::lazy(&socket, &Secret::new(credential.trim()));
        Self(SessionServiceClient::new(peer.service()))
    }

    async fn ping(&mut self) -> Duration {
        let request = ResolveSessionRequest {
            key: "main".into(),
            ..ResolveSessionRequest::default()
        };
        let began = Instant::now();
        self.0.resolve_session(request).await.expect("resolved");
        began.elapsed()
    }

    async fn list(&mut self) -> Duration {
        let request = ListSessionsRequest {
            limit: i64::try_from(ROWS).ok(),
            ..ListSessionsRequest::default()
        };
        let began = Instant::now();
        self.0.list_sessions(request).await.expect("a list");
        began.elapsed()
    }
}

/// How long calls take, once warm.
async fn time(mut call: impl AsyncFnMut() -> Duration) -> Vec<f64> {
    let mut samples = Vec::with_capacity(CALLS);
    for number in 0..WARM + CALLS {
        let took = call().await;
        if number >= WARM {
            samples.push(milliseconds(took));
        }
    }
    samples
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
