//! What the callback hears while somebody is being answered.

use std::time::Duration;

use gatehouse_core::Clock;
use serde_json::{Value, json};
use tokio::time;
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{any, body_partial_json},
};

use super::{SECRET, account, verify_callback};
use crate::{
    account::State,
    adapter::{TYPING_MAX, Typing},
    outbox::store::Counts,
    platform::webhook::{TYPING_CONCURRENCY, signature::Direction},
    testing::{Bench, key, stores, until},
};

/// A callback that answers hints in this way and takes everything else, and an account that is connected to it.
struct Scene {
    _folder: tempfile::TempDir,
    server: MockServer,
    bench: Bench,
}

async fn scene(typing: bool, to_hints: ResponseTemplate) -> Scene {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = MockServer::start().await;
    Mock::given(body_partial_json(json!({"typing": true})))
        .respond_with(to_hints)
        .with_priority(1)
        .mount(&server)
        .await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(200))
        .with_priority(9)
        .mount(&server)
        .await;
    let (folder, stores) = stores();
    let adapter = account(&json!({"secret": SECRET, "callbackUrl": server.uri(), "typing": typing}));
    let bench = Bench::run(&stores, Clock::system(), adapter);
    // What was delivered was delivered by a connection: from here on hints have somewhere to go.
    bench.say("first", "anna", "first").await;
    bench.settled().await;
    Scene {
        _folder: folder,
        server,
        bench,
    }
}

impl Scene {
    fn hint(&self) {
        self.bench.hints.hint(Typing {
            to: "anna".into(),
            thread_id: Some("t1".into()),
        });
    }

    async fn requests(&self) -> Vec<(Request, Value)> {
        let requests = self.server.received_requests().await.unwrap();
        let with_body = requests.into_iter().map(|request| {
            let body = serde_json::from_slice(&request.body).unwrap();
            (request, body)
        });
        with_body.collect()
    }

    async fn shown(&self) -> Vec<(Request, Value)> {
        let mut requests = self.requests().await;
        requests.retain(|(_, body)| body["typing"] == true);
        requests
    }
}

#[tokio::test]
async fn where_it_is_wanted_the_callback_is_told_with_a_signature() {
    let scene = scene(true, ResponseTemplate::new(204)).await;

    scene.hint();
    let (request, body) = until("the hint", async || scene.shown().await.pop()).await;

    assert_eq!(body, json!({"typing": true, "to": "anna", "threadId": "t1"}));
    let header = |name: &str| request.headers.get(name).map(|value| value.to_str().unwrap());
    verify_callback(&request, Direction::Outbound).unwrap();
    assert_eq!(header("idempotency-key"), None, "it is not a delivery");
    scene.bench.stop().await;
}

#[tokio::test]
async fn where_it_is_not_wanted_the_callback_hears_only_replies() {
    let scene = scene(false, ResponseTemplate::new(204)).await;

    for _ in 0..TYPING_MAX * 2 {
        scene.hint();
    }
    scene.bench.say("second", "anna", "second").await;
    scene.bench.settled().await;

    let texts: Vec<Value> = scene
        .requests()
        .await
        .into_iter()
        .map(|(_, body)| body["text"].clone())
        .collect();
    assert_eq!(texts, ["first", "second"]);
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_hint_that_is_refused_is_not_repeated_and_spoils_nothing() {
    let scene = scene(true, ResponseTemplate::new(503)).await;

    scene.hint();
    until("the hint", async || scene.shown().await.pop()).await;
    scene.bench.say("second", "anna", "second").await;
    scene.bench.settled().await;

    assert_eq!(scene.shown().await.len(), 1);
    let snapshot = scene.bench.progress.snapshot();
    assert_eq!((snapshot.state, snapshot.last_error), (State::Connected, None));
    assert_eq!(
        scene.bench.stores.outbox.counts(key("a")).await.unwrap(),
        Counts::default()
    );
    scene.bench.stop().await;
}

#[tokio::test]
async fn a_callback_that_hangs_on_hints_gets_its_replies_at_once() {
    let hangs = ResponseTemplate::new(200).set_delay(Duration::from_secs(60));
    let scene = scene(true, hangs).await;
    for _ in 0..TYPING_MAX {
        scene.hint();
    }
    until("the hints", async || {
        (scene.shown().await.len() == TYPING_CONCURRENCY).then_some(())
    })
    .await;

    let began = time::Instant::now();
    for n in 0..20 {
        scene.hint();
        scene
            .bench
            .say(&format!("k{n}"), &format!("person {n}"), "reply")
            .await;
    }
    scene.bench.settled().await;

    // A reply that waited for a hint would have waited for its three seconds.
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(
        scene.shown().await.len(),
        TYPING_CONCURRENCY,
        "more would come too late"
    );
    assert_eq!(scene.requests().await.len(), 21 + TYPING_CONCURRENCY);
    time::timeout(Duration::from_secs(2), scene.bench.stop())
        .await
        .expect("hints do not hold up the end");
}
