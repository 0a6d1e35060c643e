use std::sync::Mutex;

use gatehouse_core::server::Server;
use gatehouse_core::{Address, Health, Listener};
use gatehouse_proto::channel::v1 as channel;
use gatehouse_proto::channel::v1::channel_service_server::{ChannelService, ChannelServiceServer};
use tonic::{Request, Response, Status};

use super::*;
use crate::id::RunId;
use crate::store::{Admission, Reply};
use crate::testing::{BRIDGE, Bench, Running, key, message, room, until};

/// A bridge that remembers what it was handed and may refuse.
#[derive(Clone, Default)]
struct FakeBridge {
    taken: Arc<Mutex<Vec<EnqueueDeliveryRequest>>>,
    refuse: Arc<Mutex<Option<Status>>>,
    dropped: Arc<Mutex<Vec<channel::DropDeliveriesRequest>>>,
}

impl FakeBridge {
    fn keys(&self) -> Vec<String> {
        self.taken
            .lock()
            .unwrap()
            .iter()
            .map(|taken| taken.delivery_key.clone())
            .collect()
    }

    async fn serve(&self, bench: &Bench, address: &Address) {
        let listener = Listener::bind(address).await.unwrap();
        let service = ChannelServiceServer::new(self.clone());
        let server = Server::new(listener, bench.callers(), Health::new()).add(service);
        let end = bench.drain.clone();
        bench
            .drain
            .spawn("fake bridge", async move { server.run(end).await.unwrap() });
    }
}

#[tonic::async_trait]
impl ChannelService for FakeBridge {
    async fn enqueue_delivery(
        &self,
        request: Request<EnqueueDeliveryRequest>,
    ) -> Result<Response<channel::EnqueueDeliveryResponse>, Status> {
        if let Some(status) = self.refuse.lock().unwrap().clone() {
            return Err(status);
        }
        self.taken.lock().unwrap().push(request.into_inner());
        Ok(Response::new(channel::EnqueueDeliveryResponse {
            duplicate: false,
        }))
    }

    async fn drop_deliveries(
        &self,
        request: Request<channel::DropDeliveriesRequest>,
    ) -> Result<Response<channel::DropDeliveriesResponse>, Status> {
        self.dropped.lock().unwrap().push(request.into_inner());
        Ok(Response::new(channel::DropDeliveriesResponse {
            dropped_count: 1,
        }))
    }

    async fn list_outbox(
        &self,
        _: Request<channel::ListOutboxRequest>,
    ) -> Result<Response<channel::ListOutboxResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn drop_outbox(
        &self,
        _: Request<channel::DropOutboxRequest>,
    ) -> Result<Response<channel::DropOutboxResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn get_channels_status(
        &self,
        _: Request<channel::GetChannelsStatusRequest>,
    ) -> Result<Response<channel::GetChannelsStatusResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn start_channel(
        &self,
        _: Request<channel::StartChannelRequest>,
    ) -> Result<Response<channel::StartChannelResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn stop_channel(
        &self,
        _: Request<channel::StopChannelRequest>,
    ) -> Result<Response<channel::StopChannelResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn act_on_message(
        &self,
        _: Request<channel::ActOnMessageRequest>,
    ) -> Result<Response<channel::ActOnMessageResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn send_message(
        &self,
        _: Request<channel::SendMessageRequest>,
    ) -> Result<Response<channel::SendMessageResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn list_pairing_requests(
        &self,
        _: Request<channel::ListPairingRequestsRequest>,
    ) -> Result<Response<channel::ListPairingRequestsResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn approve_pairing(
        &self,
        _: Request<channel::ApprovePairingRequest>,
    ) -> Result<Response<channel::ApprovePairingResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn dismiss_pairing(
        &self,
        _: Request<channel::DismissPairingRequest>,
    ) -> Result<Response<channel::DismissPairingResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn inspect_webhook(
        &self,
        _: Request<channel::InspectWebhookRequest>,
    ) -> Result<Response<channel::InspectWebhookResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn receive_webhook(
        &self,
        _: Request<channel::ReceiveWebhookRequest>,
    ) -> Result<Response<channel::ReceiveWebhookResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }
}

/// A running whose bridge is at this address, there or not.
fn dispatch(bench: &Bench, running: &Running) -> Address {
    let (peer, address) = bench.peer(BRIDGE);
    let dispatcher = Dispatcher::new(
        running.engine.clone(),
        running.recall.clone(),
        peer.service(),
        Arc::clone(&running.replies),
        Clock::system(),
        Metrics::default(),
    );
    running
        .drain
        .spawn("replies", dispatcher.run(running.drain.clone()));
    address
}

async fn answer(bench: &mut Bench, running: &mut Running, run: &str, to: &str) {
    let message = Admission {
        reply: Reply::To(room(to)),
        ..message(run, "hi")
    };
    running.engine.submit(message).await.unwrap();
    let call = bench.call().await;
    call.text("hello").await;
    call.done().await;
    running.end_of(run).await;
}

#[tokio::test]
async fn replies_wait_for_a_bridge_that_is_away_and_are_handed_over_once() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let address = dispatch(&bench, &running);
    for (run, to) in [("r1", "#a"), ("r2", "#a"), ("r3", "#b")] {
        answer(&mut bench, &mut running, run, to).await;
    }

    let bridge = FakeBridge::default();
    bridge.serve(&bench, &address).await;
    until("the replies to arrive", async || bridge.keys().len() >= 3).await;
    answer(&mut bench, &mut running, "r4", "#a").await;
    until("the next reply to arrive", async || bridge.keys().len() >= 4).await;
    until("nothing to wait", async || {
        bench
            .stores
            .deliveries
            .waiting(i64::MAX, 9)
            .await
            .unwrap()
            .is_empty()
    })
    .await;

    let mut keys = bridge.keys();
    let in_a: Vec<_> = keys.iter().filter(|key| *key != "r3/0").cloned().collect();
    assert_eq!(in_a, ["r1/0", "r2/0", "r4/0"], "in order within a chat");
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 4);
    let taken = bridge.taken.lock().unwrap().first().cloned().unwrap();
    assert_eq!(
        (
            taken.channel.as_str(),
            taken.account_id.as_str(),
            taken.text.as_str()
        ),
        ("irc", "home", "hello")
    );
}

#[tokio::test]
async fn a_reply_that_the_bridge_refuses_for_good_is_said_in_the_transcript() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let address = dispatch(&bench, &running);
    let bridge = FakeBridge::default();
    *bridge.refuse.lock().unwrap() = Some(Status::not_found("no such account"));
    bridge.serve(&bench, &address).await;

    answer(&mut bench, &mut running, "r1", "#a").await;
    running.see("the row", |seen| seen.label() == "row system").await;
    until("it to be settled", async || {
        bench
            .stores
            .deliveries
            .waiting(i64::MAX, 9)
            .await
            .unwrap()
            .is_empty()
    })
    .await;

    *bridge.refuse.lock().unwrap() = None;
    answer(&mut bench, &mut running, "r2", "#a").await;
    until("the next reply to arrive", async || bridge.keys() == ["r2/0"]).await;
    let last = bench
        .stores
        .sessions
        .find(&key("main"))
        .await
        .unwrap()
        .unwrap()
        .last_seq;
    assert_eq!(last, 5, "two messages, two answers, one refusal");
    assert!(
        bench
            .stores
            .turns
            .find(&RunId::new("r1"))
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn a_reply_that_the_bridge_has_no_room_for_is_offered_again_and_an_idle_dispatcher_asks_nothing() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let address = dispatch(&bench, &running);
    let bridge = FakeBridge::default();
    *bridge.refuse.lock().unwrap() = Some(Status::resource_exhausted("full"));
    bridge.serve(&bench, &address).await;
    answer(&mut bench, &mut running, "r1", "#a").await;
    until("the reply to be put off", async || {
        bench
            .stores
            .deliveries
            .next_due(Clock::system().now_ms())
            .await
            .unwrap()
            .is_some()
    })
    .await;

    *bridge.refuse.lock().unwrap() = None;
    until("the reply to arrive", async || bridge.keys() == ["r1/0"]).await;
    let asked = Mutex::new(Vec::new());
    until("nothing to do", async || {
        let mut asked = asked.lock().unwrap();
        asked.extend(bench.asked.take());
        let last = |name| asked.iter().rposition(|asked| *asked == name);
        let settled = asked.iter().filter(|asked| **asked == "settle").count();
        settled == 2 && last("next_due") > last("settle") // put off, and then taken
    })
    .await;

    time::pause();
    time::advance(Duration::from_secs(3600)).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    time::resume();

    let asked = bench.asked.take();
    assert!(
        !asked.contains(&"waiting") && !asked.contains(&"next_due"),
        "{asked:?}"
    );
}

#[tokio::test]
async fn what_is_stopped_is_taken_back_here_and_at_the_bridge_also_when_it_is_away_for_a_while() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let (_, address) = bench.peer(BRIDGE);
    for (run, to) in [("r1", "#a"), ("r2", "#b"), ("r3", "#a")] {
        answer(&mut bench, &mut running, run, to).await;
    }
    let here = |stores: &crate::store::Stores| {
        let deliveries = Arc::clone(&stores.deliveries);
        async move {
            let waiting = deliveries.waiting(i64::MAX, 9).await.unwrap();
            waiting
                .into_iter()
                .map(|delivery| delivery.run.to_string())
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(running.recall.of_chat(&key("main"), room("#b")).await.unwrap(), 1);
    assert_eq!(here(&bench.stores).await, ["r1", "r3"]);

    let stopped_at = bench.clock.now_ms();
    let one = running
        .recall
        .of_session(&key("main"), Some(&RunId::new("r3")))
        .await
        .unwrap();
    let until_then = stopped_at..=bench.clock.now_ms();
    assert_eq!(one, 1, "what the bridge has is not known while it is away");
    assert_eq!(here(&bench.stores).await, ["r1"]);

    let bridge = FakeBridge::default();
    bridge.serve(&bench, &address).await;
    until("the bridge to be told", async || {
        !bridge.dropped.lock().unwrap().is_empty()
    })
    .await;
    let told = bridge.dropped.lock().unwrap().clone();
    assert_eq!(told[0].session_key, key("main").to_string());
    assert_eq!(told[0].run_id.as_deref(), Some("r3"));
    let meant = told[0].created_until.expect("what was said until the stop");
    assert!(until_then.contains(&meant), "and nothing that came after it");
    assert_eq!(running.recall.of_session(&key("main"), None).await.unwrap(), 2);
    assert!(here(&bench.stores).await.is_empty());
}

#[tokio::test]
async fn a_reply_that_is_taken_back_while_it_is_handed_over_is_taken_back_at_the_bridge() {
    let mut bench = Bench::new().await;
    let mut running = bench.run("{}");
    let bridge = FakeBridge::default();
    *bridge.refuse.lock().unwrap() = Some(Status::unavailable("not yet"));
    let address = dispatch(&bench, &running);
    bridge.serve(&bench, &address).await;
    answer(&mut bench, &mut running, "r1", "#a").await;
    let delivery = bench
        .stores
        .deliveries
        .waiting(i64::MAX, 9)
        .await
        .unwrap()
        .remove(0);

    assert_eq!(running.recall.of_chat(&key("main"), room("#a")).await.unwrap(), 1);
    let outcome = DeliveryOutcome::Taken { now: 0 };

    assert!(
        !bench
            .stores
            .deliveries
            .settle(delivery.id, outcome)
            .await
            .unwrap(),
        "whoever handed it over hears that it is not wanted"
    );
}
