mod room;
mod taken_back;

use std::sync::Mutex;

use gatehouse_core::server::Server;
use gatehouse_core::{Address, Health, Listener, Timestamp};
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

    async fn start_web_login(
        &self,
        _: Request<channel::StartWebLoginRequest>,
    ) -> Result<Response<channel::StartWebLoginResponse>, Status> {
        Err(Status::unimplemented("not played"))
    }

    async fn wait_web_login(
        &self,
        _: Request<channel::WaitWebLoginRequest>,
    ) -> Result<Response<channel::WaitWebLoginResponse>, Status> {
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
            .waiting(Timestamp::MAX, 9)
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
            .waiting(Timestamp::MAX, 9)
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
