mod action;
mod selection;

use std::sync::Arc;

use gatehouse_core::{Clock, Drain, Failure, Kind, config::ConfigHandle};
use gatehouse_proto::channel::v1::{
    ApprovePairingRequest, DismissPairingRequest, EnqueueDeliveryRequest, GetChannelsStatusRequest,
    HttpHeader, InspectWebhookRequest, ListPairingRequestsRequest, ReceiveWebhookRequest, SendMessageRequest,
    StartChannelRequest, StopChannelRequest, channel_service_server::ChannelService,
};
use serde_json::{Value, json};
use tokio::sync::watch;
use tonic::Request;

use super::Channels;
use crate::{
    account::{Manager, State, manager::Deps},
    adapter::AccountKey,
    config::Config,
    inbox::Inbox,
    media::MediaReader,
    metrics::Metrics,
    outbox::Outbox,
    platform::{
        Platforms,
        webhook::signature::{self, Direction, Scope},
    },
    testing::{Memory, NOW, key, message, previews, stores, until},
};

const SECRET: &str = "a secret of some length";

struct Bench {
    _folder: tempfile::TempDir,
    channels: Channels,
    config: watch::Sender<Option<Arc<gatehouse_core::config::Revision<Config>>>>,
    session: Arc<Memory>,
    drain: Drain,
}

fn config(channels: &Value) -> Config {
    serde_json::from_value(json!({ "channels": channels })).unwrap()
}

fn one() -> Value {
    json!({"webhook": {"dmPolicy": "open", "allowFrom": ["*"], "accounts": {"a": {"secret": SECRET}}}})
}

async fn bench(channels: &Value) -> Bench {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (folder, stores) = stores();
    let (clock, metrics, drain, session) = (
        Clock::fixed(NOW.as_ms()),
        Metrics::default(),
        Drain::new(),
        Arc::new(Memory::default()),
    );
    let (handle, sender) = ConfigHandle::fixed(config(channels));
    let (view, seen) = watch::channel(None);
    let outbox = Outbox::new(Arc::clone(&stores.outbox), clock.clone(), metrics.clone());
    let previews = previews(&stores, &session, &outbox);
    let inbox = Inbox::new(
        &stores,
        session.clone(),
        outbox.clone(),
        previews.clone(),
        seen,
        clock.clone(),
        metrics.clone(),
    );
    inbox.spawn(&drain);
    let deps = Deps {
        brought: crate::testing::nothing_brought(),
        platforms: Platforms::all(),
        stores: stores.clone(),
        outbox: outbox.clone(),
        inbox: Arc::new(inbox),
        clock: clock.clone(),
        metrics,
        media: MediaReader::new(session.clone()),
        previews,
    };
    let media = deps.media.clone();
    let manager = Manager::spawn(handle, deps, view, &drain);
    until("a view", async || manager.view().ok()).await;
    Bench {
        _folder: folder,
        channels: Channels::new(
            manager,
            outbox,
            stores,
            clock,
            gatehouse_core::backup::Gate::default(),
            media,
        ),
        config: sender,
        session,
        drain,
    }
}

impl Bench {
    async fn state(&self, account: &str) -> Option<State> {
        let view = self.channels.manager.view().unwrap();
        view.accounts
            .get(&key(account))
            .map(|entry| entry.progress.snapshot().state)
    }

    async fn reaches(&self, account: &str, state: State) {
        until(state.as_str(), async || {
            (self.state(account).await == Some(state)).then_some(())
        })
        .await;
    }

    async fn post(&self, account: &str, id: &str) -> (u32, Value) {
        let body =
            json!({"id": id, "from": {"id": "anna"}, "chat": {"id": "anna", "kind": "direct"}, "text": "hi"})
                .to_string();
        let (key, target) = (
            AccountKey::new("webhook", account),
            format!("/webhooks/webhook/{account}"),
        );
        let scope = Scope {
            direction: Direction::Inbound,
            method: "POST",
            target: &target,
            account: &key,
        };
        let secret = gatehouse_core::Secret::new(SECRET);
        let signature = signature::sign(&secret, scope, NOW.as_seconds(), body.as_bytes());
        let header = |name: &str, value: String| HttpHeader {
            name: name.into(),
            value,
        };
        let request = ReceiveWebhookRequest {
            channel: "webhook".into(),
            account_id: account.into(),
            method: "POST".into(),
            headers: vec![
                header(signature::TIMESTAMP, NOW.as_seconds().to_string()),
                header(signature::SIGNATURE, signature),
            ],
            body: body.into(),
            peer_address: "192.0.2.1".into(),
            target: target.clone(),
        };
        let answer = self
            .channels
            .receive_webhook(Request::new(request))
            .await
            .unwrap()
            .into_inner();
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    async fn status(&self) -> (Value, gatehouse_proto::channel::v1::GetChannelsStatusResponse) {
        let request = Request::new(GetChannelsStatusRequest::default());
        let status = self
            .channels
            .get_channels_status(request)
            .await
            .unwrap()
            .into_inner();
        (serde_json::from_str(&status.channel_accounts).unwrap(), status)
    }
}

fn send(channel: Option<&str>, key: &str) -> Request<SendMessageRequest> {
    Request::new(SendMessageRequest {
        to: "anna".into(),
        message: "hi".into(),
        idempotency_key: key.into(),
        channel: channel.map(str::to_owned),
        ..SendMessageRequest::default()
    })
}

#[tokio::test]
async fn a_webhook_goes_through_to_the_session_service_once() {
    let bench = bench(&one()).await;
    bench.reaches("a", State::Connected).await;

    let first = bench.post("a", "m1").await;
    let second = bench.post("a", "m1").await;

    assert_eq!(first, (202, json!({"accepted": true, "duplicate": false})));
    assert_eq!(second, (202, json!({"accepted": true, "duplicate": true})));
    until("the message", async || {
        (!bench.session.taken.lock().unwrap().is_empty()).then_some(())
    })
    .await;
    assert_eq!(bench.session.taken.lock().unwrap().len(), 1);
    assert_eq!(bench.post("other", "m2").await.0, 404);
    bench.drain.start();
}

#[tokio::test]
async fn a_stopped_account_takes_nothing_until_it_is_started() {
    let bench = bench(&one()).await;
    bench.reaches("a", State::Connected).await;
    let stop = StopChannelRequest {
        keep_outbox: None,
        channel: "webhook".into(),
        account_id: None,
    };
    let stopped = bench
        .channels
        .stop_channel(Request::new(stop))
        .await
        .unwrap()
        .into_inner();
    assert_eq!((stopped.ok, stopped.account_ids), (true, vec!["a".to_owned()]));

    assert_eq!(bench.post("a", "m1").await.0, 503);
    // A change of policy does not start it either.
    let mut open = one();
    open["webhook"]["dmPolicy"] = json!("disabled");
    let revision = gatehouse_core::config::Revision {
        hash: "2".into(),
        credentials: Vec::new(),
        devices: Vec::new(),
        left_out: Vec::new(),
        value: config(&open),
    };
    bench.config.send_replace(Some(Arc::new(revision)));
    until("the policy", async || {
        (bench.status().await.0["webhook"][0]["dmPolicy"] == "disabled").then_some(())
    })
    .await;
    assert_eq!(bench.state("a").await, Some(State::Stopped));

    let start = StartChannelRequest {
        channel: "webhook".into(),
        account_id: Some("a".into()),
    };
    bench.channels.start_channel(Request::new(start)).await.unwrap();
    bench.reaches("a", State::Connected).await;
    let missing = StartChannelRequest {
        channel: "webhook".into(),
        account_id: Some("b".into()),
    };
    let refused = bench
        .channels
        .start_channel(Request::new(missing))
        .await
        .unwrap_err();
    assert_eq!(Failure::from_status(&refused).path.as_deref(), Some("/accountId"));
}

#[tokio::test]
async fn a_changed_account_restarts_alone_and_a_broken_one_says_why() {
    let mut channels = one();
    channels["webhook"]["accounts"]["b"] = json!({"secret": SECRET});
    let bench = bench(&channels).await;
    bench.reaches("a", State::Connected).await;
    bench.reaches("b", State::Connected).await;

    channels["webhook"]["accounts"]["b"]["secret"] = json!("");
    let revision = gatehouse_core::config::Revision {
        hash: "2".into(),
        credentials: Vec::new(),
        devices: Vec::new(),
        left_out: Vec::new(),
        value: config(&channels),
    };
    bench.config.send_replace(Some(Arc::new(revision)));
    bench.reaches("b", State::Failed).await;

    assert_eq!(
        bench.post("b", "m1").await.0,
        503,
        "without a secret nothing is taken"
    );
    assert_eq!(bench.post("a", "m1").await.0, 202);
    let (accounts, status) = bench.status().await;
    assert_eq!(
        accounts["webhook"][0]["reconnectCount"], 0,
        "the other account was left alone"
    );
    assert!(
        accounts["webhook"][1]["lastError"]
            .as_str()
            .unwrap()
            .contains("channels.webhook/b: secret")
    );
    assert_eq!(status.channel_order, ["webhook"]);
    assert!(status.channels["webhook"].connected);
    assert_eq!(status.channel_default_account_id["webhook"], "a");
}

#[tokio::test]
async fn a_message_is_sent_once_and_another_under_its_key_is_refused() {
    let bench = bench(&one()).await;

    let first = bench
        .channels
        .send_message(send(None, "k"))
        .await
        .unwrap()
        .into_inner();
    let again = bench
        .channels
        .send_message(send(Some("webhook"), "k"))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first, again);
    let sent = |change: fn(&mut SendMessageRequest)| {
        let mut request = send(Some("webhook"), "k").into_inner();
        change(&mut request);
        Request::new(request)
    };
    for other in [
        sent(|request| request.message.push('!')),
        sent(|request| request.to.push('!')),
        sent(|request| request.thread_id = Some(String::new())),
        sent(|request| request.reply_to_id = Some("m".to_owned())),
    ] {
        let refused = Failure::from_status(&bench.channels.send_message(other).await.unwrap_err());
        assert_eq!(
            (refused.kind, refused.reason.as_deref()),
            (Kind::Conflict, Some("chat-request-conflict"))
        );
        assert!(refused.message.contains("idempotency key"), "{}", refused.message);
    }
    assert_eq!(
        (
            first.run_id.as_str(),
            first.channel.as_str(),
            first.account_id.as_str()
        ),
        ("k", "webhook", "a")
    );
}

#[tokio::test]
async fn a_reply_is_stored_once() {
    let bench = bench(&one()).await;
    let reply = EnqueueDeliveryRequest {
        delivery_key: "run/0".into(),
        run_id: "run".into(),
        channel: "webhook".into(),
        account_id: "a".into(),
        to: "anna".into(),
        text: "hi".into(),
        ..EnqueueDeliveryRequest::default()
    };

    for duplicate in [false, true] {
        let stored = bench
            .channels
            .enqueue_delivery(Request::new(reply.clone()))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(stored.duplicate, duplicate);
    }
}

#[tokio::test]
async fn strangers_are_listed_let_in_and_dismissed() {
    let bench = bench(&json!({"webhook": {"accounts": {"a": {"secret": SECRET}}}})).await;
    for stranger in ["anna", "bert"] {
        bench.channels.manager.view().unwrap().accounts[&key("a")]
            .inbound
            .receive(message(stranger, stranger, "hi"))
            .await
            .unwrap();
    }
    let list = async || {
        let request = Request::new(ListPairingRequestsRequest::default());
        bench
            .channels
            .list_pairing_requests(request)
            .await
            .unwrap()
            .into_inner()
    };
    let waiting = until("two strangers", async || {
        Some(list().await).filter(|list| list.requests.len() == 2)
    })
    .await;
    assert_eq!(waiting.accounts.len(), 1);
    assert_eq!(waiting.limits.unwrap().pending_per_account, 3);
    assert!(
        waiting.requests[0].expires_at.ends_with('Z'),
        "{}",
        waiting.requests[0].expires_at
    );

    let (let_in, sent_off) = (waiting.requests[0].clone(), waiting.requests[1].clone());
    let approve = |id: &str| {
        let (channel, account_id) = ("webhook".into(), "a".into());
        Request::new(ApprovePairingRequest {
            channel,
            account_id,
            request_id: id.into(),
            notify: Some(true),
        })
    };
    for _ in 0..2 {
        let approved = bench
            .channels
            .approve_pairing(approve(&let_in.request_id))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(approved.sender_id, let_in.sender_id);
    }
    let dismiss = DismissPairingRequest {
        channel: "webhook".into(),
        account_id: "a".into(),
        request_id: sent_off.request_id.clone(),
    };
    bench
        .channels
        .dismiss_pairing(Request::new(dismiss))
        .await
        .unwrap();

    assert!(list().await.requests.is_empty());
    let refused = bench
        .channels
        .approve_pairing(approve(&sent_off.request_id))
        .await
        .unwrap_err();
    assert_eq!(
        Failure::from_status(&refused).reason.as_deref(),
        Some("PAIRING_REQUEST_NOT_FOUND")
    );
}

#[tokio::test]
async fn what_the_head_of_a_webhook_gives_away_is_answered_at_once() {
    let off = json!({"secret": SECRET, "enabled": false});
    let bench = bench(&json!({"webhook": {"accounts": {"a": {"secret": SECRET}, "off": off}}})).await;
    bench.reaches("a", State::Connected).await;
    let inspect = async |channel: &str, account: &str, headers: Vec<HttpHeader>| {
        let request = InspectWebhookRequest {
            channel: channel.into(),
            account_id: account.into(),
            method: "POST".into(),
            target: format!("/webhooks/{channel}/{account}"),
            headers,
            peer_address: "192.0.2.1".into(),
        };
        let inspected = bench.channels.inspect_webhook(Request::new(request)).await;
        let inspected = inspected.unwrap().into_inner();
        (
            inspected.refusal.map(|answer| answer.status),
            inspected.body_bytes_max,
        )
    };
    let header = |name: &str, value: String| HttpHeader {
        name: name.into(),
        value,
    };
    let signed = || {
        vec![
            header(signature::TIMESTAMP, NOW.as_seconds().to_string()),
            header(signature::SIGNATURE, format!("sha256={}", "0".repeat(64))),
        ]
    };

    assert_eq!(inspect("webhook", "nobody", signed()).await, (Some(404), 0));
    assert_eq!(inspect("nothing", "a", signed()).await, (Some(404), 0));
    assert_eq!(inspect("webhook", "off", signed()).await, (Some(503), 0));
    assert_eq!(inspect("webhook", "a", Vec::new()).await, (Some(401), 0));
    assert_eq!(inspect("webhook", "a", signed()).await, (None, 64 * 1024));
}
