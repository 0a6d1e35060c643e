//! An account that somebody has to link, from the plugin's word to what the methods answer.

use std::{sync::Arc, time::Duration};

use gatehouse_core::{
    Clock, Drain,
    config::{ConfigHandle, Revision},
};
use gatehouse_proto::channel::v1::{
    Connected, Ended, LoginWanted, StartWebLoginRequest, StartWebLoginResponse, WaitWebLoginRequest,
    run_account_response::Message as Said,
};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::room::{Manner, Room};
use crate::{
    account::{
        Manager, linking,
        manager::Deps,
        status::{self, Asking},
    },
    config::Config,
    error::Error,
    media::MediaReader,
    metrics::Metrics,
    outbox::Outbox,
    platform::{Platforms, plugin::Brought},
    testing::{Heard, Memory, previews, until},
};

struct Scene {
    room: Room,
    manager: Manager,
    drain: Drain,
    /// Whoever tells of plugins and of the configuration is there.
    _brought: watch::Sender<Brought>,
    _config: watch::Sender<Option<Arc<Revision<Config>>>>,
}

fn document(channel: &str) -> Value {
    json!({
        "channels": {channel: {"greeting": "hi"}, "telegram": {"botToken": "1:a", "apiRoot": "http://127.0.0.1:9"}},
        "plugins": {"entries": {"tell": {"endpoint": "unix:/nowhere", "channels": [channel]}}},
    })
}

async fn scene(channel: &str) -> Scene {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let room = Room::open().await;
    room.behaves(Manner::Unlinked);
    let (clock, metrics, drain) = (Clock::system(), Metrics::default(), Drain::new());
    let outbox = Outbox::new(Arc::clone(&room.stores.outbox), clock.clone(), metrics.clone());
    let mut brought = Brought::default();
    brought.renew(channel, room.channel(channel));
    let (brought, told) = watch::channel(brought);
    let deps = Deps {
        brought: told,
        platforms: Platforms::all(),
        previews: previews(&room.stores, &Arc::default(), &outbox),
        stores: room.stores.clone(),
        outbox,
        inbox: Arc::new(Heard::default()),
        clock,
        metrics,
        media: MediaReader::new(Arc::new(Memory::default())),
    };
    let config = serde_json::from_value(document(channel)).expect("a document");
    let (handle, config) = ConfigHandle::fixed(config);
    let manager = Manager::spawn(handle, deps, watch::channel(None).0, &drain);
    room.connected().await;
    Scene {
        room,
        manager,
        drain,
        _brought: brought,
        _config: config,
    }
}

impl Scene {
    async fn wants(&self, qr: &str, pair_code: &str) {
        let login = LoginWanted {
            qr: qr.to_owned(),
            pair_code: pair_code.to_owned(),
            how: "Settings, then Linked devices".to_owned(),
            expires_at: 1_790_000_060_000,
        };
        let told = self.room.tell(|_| Said::Login(login)).await;
        told.expect("a stream");
    }

    async fn start(&self, channel: Option<&str>) -> Result<StartWebLoginResponse, Error> {
        let request = StartWebLoginRequest {
            channel: channel.map(str::to_owned),
            ..StartWebLoginRequest::default()
        };
        linking::start(&self.manager, request).await
    }

    /// What `channels.status` says of the room's account.
    async fn status(&self) -> Value {
        let view = self.manager.view().expect("a view");
        let status = status::read(&view, &self.room.stores, &Clock::system(), &Asking::default()).await;
        let accounts = status.expect("a status").channel_accounts;
        let accounts: Value = serde_json::from_str(&accounts).expect("JSON");
        accounts["room"][0].clone()
    }

    async fn end(self) {
        assert!(self.drain.finish(Duration::from_secs(5)).await);
    }
}

fn waits(shown: &StartWebLoginResponse) -> WaitWebLoginRequest {
    WaitWebLoginRequest {
        channel: Some("room".to_owned()),
        current_qr_data_url: shown.qr_data_url.clone(),
        current_pair_code: shown.pair_code.clone(),
        ..WaitWebLoginRequest::default()
    }
}

#[tokio::test]
async fn a_code_is_told_by_its_method_alone_renewed_and_gone_once_the_account_is_linked() {
    let scene = scene("room").await;

    scene.wants("2@first", "").await;
    let first = scene.start(Some("room")).await.expect("a code");
    assert_eq!((first.qr.as_deref(), first.connected), (Some("2@first"), false));
    assert_eq!(
        (&*first.state, &*first.message),
        ("starting", "Settings, then Linked devices")
    );
    let status = scene.status().await;
    assert_eq!(
        status["login"],
        json!({"how": "Settings, then Linked devices", "expiresAt": 1_790_000_060_000_i64})
    );
    assert!(!status.to_string().contains("2@first"), "{status}");

    let (second, ()) = tokio::join!(
        linking::wait(&scene.manager, waits(&first)),
        scene.wants("2@second", "ABCD-1234")
    );
    let second = second.expect("another code");
    assert_eq!(
        (second.qr.as_deref(), second.pair_code.as_deref()),
        (Some("2@second"), Some("ABCD-1234"))
    );
    assert_ne!(second.qr_data_url, first.qr_data_url);

    let blind = WaitWebLoginRequest::default();
    let (linked, told) = tokio::join!(
        linking::wait(&scene.manager, blind),
        scene.room.tell(|_| Said::Connected(Connected {}))
    );
    told.expect("a stream");
    let linked = linked.expect("an answer");
    assert!(
        linked.connected && linked.qr.is_none() && linked.pair_code.is_none(),
        "{linked:?}"
    );
    assert_eq!(scene.status().await["login"], Value::Null);
    let again = scene.start(Some("room")).await.expect("it is there");
    assert!(again.connected && again.qr.is_none(), "{again:?}");
    scene.end().await;
}

#[tokio::test]
async fn an_account_that_cannot_be_linked_says_why_and_is_started_anew_by_whoever_asks_again() {
    let scene = scene("room").await;
    scene.wants("2@first", "").await;
    let shown = scene.start(Some("room")).await.expect("a code");
    assert_eq!(scene.start(None).await.expect("the one that waits"), shown);

    let ended = Ended {
        reason: "the phone has logged this device out".to_owned(),
        for_good: true,
    };
    let (over, told) = tokio::join!(
        linking::wait(&scene.manager, waits(&shown)),
        scene.room.tell(|_| Said::Ended(ended))
    );
    told.expect("a stream");
    let over = over.expect("an answer");
    assert_eq!((&*over.state, over.connected, over.qr), ("failed", false, None));
    assert!(
        over.message.ends_with("the phone has logged this device out"),
        "{}",
        over.message
    );

    let (anew, ()) = tokio::join!(scene.start(Some("room")), async {
        until("another stream", async || {
            (scene.room.starts().len() == 2).then_some(())
        })
        .await;
        scene.wants("2@again", "").await;
    });
    assert_eq!(anew.expect("a code").qr.as_deref(), Some("2@again"));
    scene.end().await;
}

#[tokio::test]
async fn a_caller_who_waits_in_vain_is_answered_in_time() {
    let scene = scene("room").await;

    let request = StartWebLoginRequest {
        channel: Some("room".to_owned()),
        timeout_ms: Some(1),
        ..StartWebLoginRequest::default()
    };
    let none = linking::start(&scene.manager, request).await.expect("an answer");
    assert_eq!((none.connected, &*none.state, none.qr), (false, "starting", None));
    assert!(none.message.contains("has no code yet"), "{}", none.message);
    scene.end().await;
}

#[tokio::test]
async fn a_channel_is_found_by_the_beginning_of_its_name_and_one_with_credentials_is_refused() {
    let scene = scene("room-web").await;
    scene.wants("2@first", "").await;

    let found = scene.start(Some("room")).await.expect("the only one");
    assert_eq!((&*found.channel, &*found.account_id), ("room-web", "default"));
    let said = scene
        .start(Some("telegram"))
        .await
        .expect_err("a token")
        .to_string();
    assert!(said.contains("gatehouse channels login telegram"), "{said}");
    let said = scene
        .start(Some("roo"))
        .await
        .expect_err("half a name")
        .to_string();
    assert!(said.contains("channel roo is not set up"), "{said}");
    scene.end().await;
}
